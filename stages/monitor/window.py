"""A window of the serving log, out of a file or of a folder of parts, as a sample in which every note is as likely.

Beside the columns of `stages.common.tables.serving_log`, rows that production exports say when they were served, by
which version of the model, and with which probability a note was logged (`served_at`, `model_version`,
`probability`); `log_id` numbers them.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from stages.common.errors import BeHealthyError
from stages.common.wording import counted
from stages.monitor.reading import EXPORT, columns_of_log, readable

_OF_THE_LOG = ("note", "log_id", "served_at", "model_version", "probability")


@dataclass(frozen=True)
class Window:
    """What is judged of a log: served from `since` to before `until`, by one version of the model; None: all."""

    since: datetime | None = None
    until: datetime | None = None
    model_version: str | None = None

    @property
    def filters(self) -> list[tuple[str, str, object]]:
        """The same as conditions on columns."""
        conditions = (
            ("served_at", ">=", self.since), ("served_at", "<", self.until), ("model_version", "==", self.model_version)
        )  # fmt: skip
        return [condition for condition in conditions if condition[2] is not None]


def read_window(log: Path, window: Window, watched: Collection[str] | None = None) -> pd.DataFrame:
    """Read a window of a log.

    Parameters
    ----------
    log : Path
        A Parquet file, or a folder with some, however deep.
    window : Window
    watched : collection of str or None
        Columns that are asked for, beside the note's name and what a window is chosen by; None: all.

    Returns
    -------
    DataFrame
        As `equally_likely` makes it; a row that two parts have is there once.

    Raises
    ------
    BeHealthyError
        When there is no log, or it does not say what the window asks for.
    """
    files = sorted(path for path in log.rglob("*.parquet") if not path.name.startswith(".")) if log.is_dir() else [log]
    if not files:
        raise BeHealthyError(f"{log} has no Parquet file: export a log, `python -m production.log export --to {log}`")
    frame = pd.concat([_read(file, window, watched) for file in files], ignore_index=True)
    if "log_id" in frame:
        frame = frame.drop_duplicates("log_id")
    if (versions := frame["model_version"].nunique() if "model_version" in frame else 1) > 1:
        told = "a change of what they find looks like drift (--model-version takes one)"
        print(f"monitor: the window has notes of {counted(versions, 'model version')}: {told}", file=sys.stderr)
    return equally_likely(frame)


def equally_likely(frame: pd.DataFrame) -> pd.DataFrame:
    """Thin a window until every note in it was as likely to be there.

    What is measured of a window are shares of its notes, and how far they vary by chance is found by exchanging notes
    with those of the profile: both are right when each note of the time had the same probability of being logged. As
    long as the rate was one, it cancels out. Where it was changed within the window, notes of the time of the higher
    rate are too many; they are kept with the probability ``lowest / their own``. Which ones, their names decide:
    the same window gives the same sample.

    Raises
    ------
    BeHealthyError
        When a row has no probability.
    """
    if "probability" not in frame or frame.empty:
        return frame
    probability = frame["probability"].to_numpy(dtype=np.float64, na_value=np.nan)
    if not ((probability > 0) & (probability <= 1)).all():
        raise BeHealthyError("the log has rows without a probability above 0 and up to 1: export it again")
    kept = _draws(frame["note"]) < probability.min() / probability
    if not kept.all():
        told = f"{kept.sum():,} of {counted(len(frame), 'row')} are judged"
        print(f"monitor: {told}: the rate of logging changed, and the higher ones are thinned", file=sys.stderr)
    return frame[kept]


def split_windows(frame: pd.DataFrame, days: int, window: Window) -> list[pd.DataFrame]:
    """Split a log into windows of so many days, in their order.

    Parameters
    ----------
    frame : DataFrame
        With `served_at`.
    days : int
    window : Window
        The first begins at its `since`, or with the day of the first row. What has not ended at its `until`, or with
        the day of the last row, is left out, unless it is all there is: a week that is looked at every day would be
        looked at seven times.

    Raises
    ------
    BeHealthyError
        When the log does not say when each note was served: without that it would be in no window.
    """
    if "served_at" not in frame:
        raise BeHealthyError(f"the log has no column served_at: {EXPORT}")
    if frame.empty:
        return []
    if frame["served_at"].isna().any():
        raise BeHealthyError("the log has rows without served_at: export it again")
    served, length = _times(frame["served_at"]), pd.Timedelta(days=days)
    first = pd.Timestamp(window.since) if window.since else served.min().floor("D")
    end = pd.Timestamp(window.until) if window.until else served.max().ceil("D")
    numbers = (served - first) // length
    whole = max(1, int((end - first) // length))
    return [frame[numbers == number] for number in range(whole)]


def _times(column: pd.Series) -> pd.Series:
    try:
        return pd.to_datetime(column, utc=True)
    except (ValueError, TypeError) as error:  # its message quotes a value
        raise BeHealthyError(f"the column served_at of the log holds something else than times: {EXPORT}") from error


def _draws(notes: Iterable[str]) -> NDArray[np.float64]:
    """Return a number from 0 to below 1 for each note, always the same for the same name."""
    digests = (hashlib.sha256(f"thinned {note}".encode()).digest() for note in notes)
    return np.array([(int.from_bytes(digest[:8], "big") >> 11) / 2**53 for digest in digests], dtype=np.float64)


def _read(file: Path, window: Window, watched: Collection[str] | None) -> pd.DataFrame:
    columns = columns_of_log(file, [name for name, _, _ in window.filters])
    read = None if watched is None else [name for name in columns if name in {*_OF_THE_LOG, *watched}]
    with readable(file, EXPORT):
        table = pq.read_table(file, columns=read, filters=window.filters or None, partitioning=None, use_threads=False)
    frame: pd.DataFrame = table.to_pandas()
    del table
    pa.default_memory_pool().release_unused()  # Arrow keeps what it read for the next table: a third of all memory
    return frame

"""Parquet files that somebody names: what is wrong with one is said by its name, its column and the remedy."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from stages.common.errors import BeHealthyError
from stages.common.files import read_table

EXPORT = "export it from the database, `python -m production.log export`"
PROFILE = "`dvc repro monitor` writes it, and --profile takes another"


def _is_moment(kind: pa.DataType) -> bool:
    return pa.types.is_timestamp(kind) and kind.tz is not None


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind)


def _is_number(kind: pa.DataType) -> bool:
    return any(test(kind) for test in (pa.types.is_floating, pa.types.is_integer, pa.types.is_null))


_KINDS: dict[str, tuple[Callable[[pa.DataType], bool], str]] = {
    "served_at": (_is_moment, "times with a zone"), "model_version": (_is_text, "text"),
    "probability": (_is_number, "numbers"),
}  # fmt: skip


@contextmanager
def readable(file: Path, remedy: str) -> Iterator[None]:
    """Say in plain words that a file is not there, or is no Parquet.

    Raises
    ------
    BeHealthyError
        With the file and the remedy.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise BeHealthyError(f"there is no {file}: {remedy}") from error
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise BeHealthyError(f"{file} is no Parquet file, or a damaged one: {remedy}") from error


def read_profile(file: Path) -> pd.DataFrame:
    """Read a training profile.

    Raises
    ------
    BeHealthyError
        When it is not there, or is no Parquet.
    """
    with readable(file, PROFILE):
        return read_table(file)


def columns_of_log(file: Path, asked: Collection[str]) -> list[str]:
    """Return the columns of a part of a log, all of which a window can be made of.

    Parameters
    ----------
    file : Path
    asked : collection of str
        Columns that a window is chosen by.

    Raises
    ------
    BeHealthyError
        When it cannot be read, has no names of notes, or not what is asked for, or holds something else in it.
    """
    with readable(file, EXPORT):
        schema = pq.read_schema(file)
    if "note" not in schema.names:
        raise BeHealthyError(f"{file} has no column note, so that copies of a note would count: {EXPORT}")
    for name in asked:
        if name not in schema.names:
            raise BeHealthyError(f"{file} has no column {name}: judge it whole, or {EXPORT}")
    for name in {*asked, "probability"}.intersection(schema.names):
        fits, what = _KINDS[name]
        if not fits(schema.field(name).type):
            raise BeHealthyError(f"the column {name} of {file} holds something else than {what}: {EXPORT}")
    return list(schema.names)

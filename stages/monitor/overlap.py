"""Rows that a log and its reference have in common: compared with themselves they would look quiet."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd


def overlap(log: pd.DataFrame, reference: pd.DataFrame) -> bool:
    """Tell whether a row of the log is in the reference, too.

    Parameters
    ----------
    log, reference : DataFrame
        Rows are compared by `log_id` where all on both sides have one, else by all columns that both have: the name of
        a note alone is no evidence, for the same text may be served again.
    """
    numbered = all("log_id" in frame and frame["log_id"].notna().all() for frame in (log, reference))
    names = ["log_id"] if numbered else [str(name) for name in log if name in reference and name != "log_id"]
    return bool(_keys(log, names).isin(_keys(reference, names)).any())


def _keys(frame: pd.DataFrame, names: Sequence[str]) -> pd.Series:
    plain = pd.DataFrame({name: _plain(frame[name]) for name in names})
    return pd.util.hash_pandas_object(plain, index=False)


def _plain(column: pd.Series) -> pd.Series:
    """Return values that are equal wherever they came from: one file has whole numbers where another has floats."""
    if pd.api.types.is_numeric_dtype(column):
        return column.astype("Float64").astype("float64")
    if pd.api.types.is_datetime64_any_dtype(column):
        return pd.to_datetime(column, utc=True).dt.as_unit("us")
    return column.astype(object).where(column.notna(), None).map(str)

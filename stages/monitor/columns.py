"""Columns of the serving log: their kind, their values, the rows they are compared in, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.common.documents import METADATA
from stages.common.labels import INPUT_COLUMNS, QUARANTINED, model_columns
from stages.common.wording import counted
from stages.monitor.deviation import Kind
from stages.monitor.params import MonitorParams

Reference = Literal["profile", "reference"]
"""What a window is compared with: annotated documents, or other notes that were served."""


def rows_of_column(profile: pd.DataFrame, name: str, params: MonitorParams) -> pd.DataFrame:
    """Return the rows that a column is compared with: for a column of the model, those it had not learned from."""
    if name in INPUT_COLUMNS:
        return profile
    of_models = {*params.columns, *model_columns(())}.difference(INPUT_COLUMNS)
    return profile[profile[[column for column in profile if column in of_models]].notna().any(axis=1)]


def served_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Leave out notes that inference set aside: all but their share is compared without them.

    Rows that do not tell are of an older log, which has no others.
    """
    if QUARANTINED not in frame:
        return frame
    aside = frame[QUARANTINED].eq(1).fillna(value=False).to_numpy(dtype=bool)
    return frame[~aside] if aside.any() else frame


def telling_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Leave out rows that do not say whether their note was set aside."""
    if QUARANTINED not in frame:
        return frame
    known = frame[QUARANTINED].notna().to_numpy()
    return frame if known.all() else frame[known]


def kind_of(column: str) -> Kind:
    """Tell whether a column of the serving log holds categories or numbers."""
    return "category" if column in ("note", *METADATA) else "number"


def distinct(windows: Sequence[pd.DataFrame], columns: Sequence[str]) -> list[pd.DataFrame]:
    """Leave out notes that were logged before with the same values, in their window or an earlier one."""
    kept, seen = [], np.empty(0, dtype=np.uint64)
    for frame in windows:
        names = [name for name in ("note", *columns) if name in frame]
        if "note" not in names:
            kept.append(frame)
            continue
        keys = pd.util.hash_pandas_object(frame[names], index=False).to_numpy()
        first = ~pd.Series(keys).duplicated().to_numpy() & ~np.isin(keys, seen)
        kept.append(frame if first.all() else frame[first])
        seen = np.concatenate([seen, keys[first]])
    return kept


def fault_of(name: str, reference: pd.DataFrame, window: pd.DataFrame, minimum: int, called: Reference) -> str | None:
    """Say why a column cannot be compared, or None; `called` is what the reference is."""
    for place, frame in (("window", window), (called, reference)):
        if name not in frame:
            return f"{name} is missing in the {place}"
        present = frame[name].dropna()
        if present.empty:
            return f"{name} has no value in the {place}"
        if problem := _type_fault(present, kind_of(name)):
            return f"{name} {problem} in the {place}"
    if len(reference) < minimum:
        rows = counted(len(reference), "document" if called == "profile" else "note")
        return f"{name}: only {rows} of the {called} can be compared, fewer than {minimum}"
    return None


def _type_fault(present: pd.Series, kind: Kind) -> str | None:
    if kind == "category":
        return None if pd.api.types.infer_dtype(present) == "string" else "holds something else than text"
    if not pd.api.types.is_numeric_dtype(present) or pd.api.types.is_bool_dtype(present):
        return "holds something else than numbers"
    return None if np.isfinite(present.to_numpy(dtype=np.float64)).all() else "is not finite"


def values_of(frame: pd.DataFrame, name: str) -> NDArray[Any]:
    """Return a column as floats with NaN, or as text with None."""
    column = frame[name]
    if kind_of(name) == "number":
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    return column.astype(object).where(column.notna(), None).to_numpy(dtype=object)

"""A window of the serving log against the training profile, column by column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.common.documents import METADATA
from stages.common.labels import INPUT_COLUMNS, model_columns
from stages.common.wording import counted
from stages.monitor.deviation import Coded, Kind, coded, sampling_noise
from stages.monitor.params import MonitorParams

DIGITS = 4
"""Decimals of a percentage: what is decided on is what is written."""


@dataclass(frozen=True)
class ColumnDrift:
    """How one column fared.

    Parameters
    ----------
    column : str
    kind : {"category", "number"}
    deviation, noise : float or None
        In percent; None when there is a fault.
    counts : bool or None
        Whether the deviation is larger than sampling noise.
    fault : str or None
        Why the column could not be compared. Never quotes a value.
    """

    column: str
    kind: Kind
    deviation: float | None = None
    noise: float | None = None
    counts: bool | None = None
    fault: str | None = None


@dataclass(frozen=True)
class Drift:
    """All watched columns, in the order of the parameters, and how many distinct notes were compared."""

    columns: tuple[ColumnDrift, ...]
    window: int
    profile: int

    def as_json(self) -> dict[str, Any]:
        """Return what goes into ``metrics/drift.json``."""
        names = ("deviation", "noise", "counts", "kind")
        return {
            "columns": {
                one.column: {name: getattr(one, name) for name in names} | ({"fault": one.fault} if one.fault else {})
                for one in self.columns
            },
            "notes": {"window": self.window, "profile": self.profile},
        }


def compare_window(profile: pd.DataFrame, window: pd.DataFrame, params: MonitorParams) -> Drift:
    """Measure how far each watched column of the window is from the profile's.

    A note that was logged more than once with the same values is one note: copies are no evidence.
    Columns of the model are compared with the profile's documents outside train only; they have
    other rows than the columns of the input and are permuted apart from them, each group with its
    share of the significance (Bonferroni), so that the whole keeps what the parameters promise.

    Parameters
    ----------
    profile, window : DataFrame
        Columns of `serving_log`; the profile's as `training_profile` makes them.
    params : MonitorParams
        As `watching` returns them: every column by its name.

    Returns
    -------
    Drift
    """
    profile, window = _distinct(profile, params.columns), _distinct(window, params.columns)
    of_models = {*params.columns, *model_columns(())}.difference(INPUT_COLUMNS)
    outside_train = profile[profile[[name for name in profile if name in of_models]].notna().any(axis=1)]
    drifts: dict[str, ColumnDrift] = {}
    for group, reference in (
        ([name for name in params.columns if name in INPUT_COLUMNS], profile),
        ([name for name in params.columns if name not in INPUT_COLUMNS], outside_train),
    ):
        drifts |= _compare_group(group, reference, window, params)
    return Drift(tuple(drifts[name] for name in params.columns), len(window), len(profile))


def _compare_group(
    names: list[str], profile: pd.DataFrame, window: pd.DataFrame, params: MonitorParams
) -> dict[str, ColumnDrift]:
    faults = {name: _fault(name, profile, window, params.minimum_notes) for name in names}
    columns: dict[str, Coded] = {
        name: coded(_values(profile[name], kind_of(name)), _values(window[name], kind_of(name)), kind_of(name))
        for name in names
        if faults[name] is None
    }
    noise = sampling_noise(
        columns,
        resamples=params.resamples,
        significance=params.significance * len(names) / len(params.columns),
        seed=params.seed,
    )
    result = {name: ColumnDrift(name, kind_of(name), fault=faults[name]) for name in names}
    for name, column in columns.items():
        if not np.isfinite([column.deviation, noise[name]]).all():
            result[name] = ColumnDrift(name, column.kind, fault=f"{name}: too few resamples to tell drift from noise")
            continue
        result[name] = ColumnDrift(
            name,
            column.kind,
            deviation=round(column.deviation, DIGITS),
            noise=round(noise[name], DIGITS),
            counts=column.deviation > noise[name],
        )
    return result


def kind_of(column: str) -> Kind:
    """Tell whether a column of the serving log holds categories or numbers."""
    return "category" if column in ("note", *METADATA) else "number"


def _distinct(frame: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    if "note" not in frame:
        return frame
    return frame.drop_duplicates(subset=[name for name in ("note", *columns) if name in frame])


def _fault(name: str, profile: pd.DataFrame, window: pd.DataFrame, minimum: int) -> str | None:
    """Say why a column cannot be compared, or None."""
    for place, frame in (("window", window), ("profile", profile)):
        if name not in frame:
            return f"{name} is missing in the {place}"
        present = frame[name].dropna()
        if present.empty:
            return f"{name} has no value in the {place}"
        if problem := _type_fault(present, kind_of(name)):
            return f"{name} {problem} in the {place}"
    if len(profile) < minimum:
        return f"{name}: only {counted(len(profile), 'document')} of the profile can be compared, fewer than {minimum}"
    return None


def _type_fault(present: pd.Series, kind: Kind) -> str | None:
    if kind == "category":
        return None if all(isinstance(value, str) for value in present) else "holds something else than text"
    if not pd.api.types.is_numeric_dtype(present) or pd.api.types.is_bool_dtype(present):
        return "holds something else than numbers"
    return None if np.isfinite(present.to_numpy(dtype=np.float64)).all() else "is not finite"


def _values(column: pd.Series, kind: Kind) -> NDArray[Any]:
    if kind == "number":
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    return column.astype(object).where(column.notna(), None).to_numpy(dtype=object)

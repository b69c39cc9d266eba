"""A window of the serving log against a reference, column by column."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.common.documents import METADATA
from stages.common.labels import INPUT_COLUMNS, model_columns
from stages.common.wording import counted
from stages.monitor.deviation import Counts, Kind, count_values
from stages.monitor.noise import Noise, effective_notes, noise_of
from stages.monitor.params import MonitorParams

DIGITS = 4
"""Decimals of a percentage: what is decided on is what is written."""

INTERVAL = 1.2815515655446004
"""Standard errors to either side of a deviation, for an interval of 80%."""

BOUND = 1.6448536269514722
"""Standard errors above a deviation, for an upper bound of 95%."""

_ROOM = 0.1
"""How often a quiet column deviates by more than what `enough` allows for."""


@dataclass(frozen=True)
class ColumnDrift:
    """How one column fared.

    Parameters
    ----------
    column : str
    kind : {"category", "number"}
    deviation, noise : float or None
        In percent; None when there is a fault. Chance alone exceeds the noise too rarely to be believed.
    low, high : float or None
        Ends of an interval of 80% for the deviation.
    bound : float or None
        What the deviation is below, with a confidence of 95%.
    counts : bool or None
        Whether the deviation is larger than its noise.
    enough : int or None
        Notes of a window that would tell a quiet column from one that asks for retraining; None where no number would,
        since the reference is too small.
    fault : str or None
        Why the column could not be compared. Never quotes a value.
    """

    column: str
    kind: Kind
    deviation: float | None = None
    noise: float | None = None
    low: float | None = None
    high: float | None = None
    bound: float | None = None
    counts: bool | None = None
    enough: int | None = None
    fault: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return all but the name."""
        names = ("deviation", "noise", "low", "high", "bound", "counts", "enough", "kind")
        return {name: getattr(self, name) for name in names} | ({"fault": self.fault} if self.fault else {})


@dataclass(frozen=True)
class Drift:
    """All watched columns, in the order of the parameters, and how many distinct notes were compared."""

    columns: tuple[ColumnDrift, ...]
    window: int
    profile: int

    def as_json(self) -> dict[str, Any]:
        """Return what goes into ``metrics/drift.json``."""
        return {
            "columns": {one.column: one.as_json() for one in self.columns},
            "notes": {"window": self.window, "profile": self.profile},
        }


def compare_window(profile: pd.DataFrame, window: pd.DataFrame, params: MonitorParams, share: float = 1.0) -> Drift:
    """Measure how far each watched column of the window is from the profile's.

    A note that was logged more than once with the same values is one note: copies are no evidence.
    Columns of the model are compared with the profile's documents outside train only. Each column has an equal part of
    the significance (Bonferroni): that holds however the columns depend on each other.

    Parameters
    ----------
    profile, window : DataFrame
        Columns of `serving_log`; the profile's as `training_profile` makes them, or another window.
    params : MonitorParams
        As `watching` returns them: every column by its name.
    share : float
        Of the significance, where there are more comparisons than this one.

    Returns
    -------
    Drift
    """
    (profile,), (window,) = (distinct([frame], params.columns) for frame in (profile, window))
    level = params.significance * share / len(params.columns)
    drifts = tuple(
        _compare_column(name, rows_of_column(profile, name, params), window, params, level) for name in params.columns
    )
    return Drift(drifts, len(window), len(profile))


def rows_of_column(profile: pd.DataFrame, name: str, params: MonitorParams) -> pd.DataFrame:
    """Return the rows that a column is compared with: for a column of the model, those it had not learned from."""
    if name in INPUT_COLUMNS:
        return profile
    of_models = {*params.columns, *model_columns(())}.difference(INPUT_COLUMNS)
    return profile[profile[[column for column in profile if column in of_models]].notna().any(axis=1)]


def _compare_column(
    name: str, profile: pd.DataFrame, window: pd.DataFrame, params: MonitorParams, level: float
) -> ColumnDrift:
    kind = kind_of(name)
    if fault := fault_of(name, profile, window, params.minimum_notes):
        return ColumnDrift(name, kind, fault=fault)
    counts = count_values(values_of(profile, name), values_of(window, name), kind)
    return judge_column(name, counts, noise_of(counts, params.seed), params, level)


def judge_column(name: str, counts: Counts, noise: Noise, params: MonitorParams, level: float) -> ColumnDrift:
    """Measure a column of one window by its counts.

    Parameters
    ----------
    name : str
    counts : Counts
    noise : Noise
        As `noise_of` finds it.
    params : MonitorParams
    level : float
        Chance that the deviation is above its noise though nothing changed.
    """
    kind, profile = counts.kind, int(counts.profile.sum())
    deviation, error, notes = float(counts.deviation), float(counts.standard_error), float(effective_notes(counts))
    allowed = noise.quantile(level) / math.sqrt(notes) if notes else math.inf
    if not np.isfinite([deviation, error, allowed]).all():
        return ColumnDrift(name, kind, fault=f"{name}: there are too few values to tell drift from noise")
    low, high = interval_of(deviation, error)
    return ColumnDrift(
        name,
        kind,
        deviation=round(deviation, DIGITS),
        noise=round(allowed, DIGITS),
        low=round(low, DIGITS),
        high=round(high, DIGITS),
        bound=round(deviation + BOUND * error, DIGITS),
        counts=deviation > allowed,
        enough=enough(noise, profile, params.bands.retrain),
    )


def interval_of(deviation: float, error: float) -> tuple[float, float]:
    """Return the interval of 80% of a deviation with that standard error, in percent."""
    return max(0.0, deviation - INTERVAL * error), min(100.0, deviation + INTERVAL * error)


def enough(noise: Noise, profile: int, retrain: float) -> int | None:
    """Return how many notes of a window show that a quiet column is below `retrain`; None where no number does."""
    effective = effective_needed(noise, retrain)
    return math.ceil(effective * profile / (profile - effective)) if profile > effective else None


def effective_needed(noise: Noise, retrain: float) -> float:
    """Return the effective number of notes at which a quiet column's upper bound is below `retrain`."""
    return ((noise.quantile(_ROOM) + 100 * BOUND / 2) / retrain) ** 2


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
        kept.append(frame[first])
        seen = np.concatenate([seen, keys[first]])
    return kept


def fault_of(name: str, profile: pd.DataFrame, window: pd.DataFrame, minimum: int) -> str | None:
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

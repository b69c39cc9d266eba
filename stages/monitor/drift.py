"""A window of the serving log against a reference, column by column."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from stages.monitor.columns import kind_of
from stages.monitor.deviation import Counts, Kind
from stages.monitor.noise import Noise, allowed, noise_of
from stages.monitor.params import MonitorParams
from stages.monitor.sides import Column, Sides

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
    return compare_sides(Sides.of(profile, [window], params.columns), params, share)


def compare_sides(sides: Sides, params: MonitorParams, share: float) -> Drift:
    """Do the same with the last window of two sides."""
    level = params.significance * share / len(params.columns)
    drifts = tuple(_compare_column(name, sides.column(name, params), params, level) for name in params.columns)
    return Drift(drifts, len(sides.last), len(sides.reference))


def _compare_column(name: str, column: Column, params: MonitorParams, level: float) -> ColumnDrift:
    if column.counts is None:
        return ColumnDrift(name, kind_of(name), fault=column.fault)
    return judge_column(name, column.counts, noise_of(column.counts, params.seed), params, level)


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
    deviation, error = float(counts.deviation), float(counts.standard_error)
    by_chance = float(allowed(counts, noise, level))
    if not np.isfinite([deviation, error, by_chance]).all():
        return ColumnDrift(name, kind, fault=f"{name}: there are too few values to tell drift from noise")
    low, high = interval_of(deviation, error)
    return ColumnDrift(
        name,
        kind,
        deviation=round(deviation, DIGITS),
        noise=round(by_chance, DIGITS),
        low=round(low, DIGITS),
        high=round(high, DIGITS),
        bound=round(deviation + BOUND * error, DIGITS),
        counts=deviation > by_chance,
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

"""Parts of a window by themselves: a ward whose notes changed is a small share of a hospital's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from stages.monitor.decision import SEVERITIES, Decision, Harm, decide, drifted
from stages.monitor.drift import Drift, compare_window
from stages.monitor.params import MonitorParams


@dataclass(frozen=True)
class Comparison:
    """A window against a reference, whole and by slice, and what follows from all of it."""

    drift: Drift
    decision: Decision
    slices: Mapping[str, Decision]

    def as_json(self) -> dict[str, Any]:
        """Return what goes into ``metrics/drift.json``."""
        names = ("decision", "column", "deviation", "low", "high", "notes")
        slices = {part: {name: getattr(one, name) for name in names} for part, one in self.slices.items()}
        return self.drift.as_json() | {"slices": slices}


def judge(reference: pd.DataFrame, window: pd.DataFrame, params: MonitorParams, harm: Harm) -> Comparison:
    """Compare a window with a reference, and each of its slices with the same slice.

    Where there are slices, the whole has half of the significance and they share the other half.

    Parameters
    ----------
    reference, window : DataFrame
        Columns of `serving_log`.
    params : MonitorParams
        As `watching` returns them.
    harm : Harm
        What is known of the quality.

    Returns
    -------
    Comparison
        A slice that is too small, or about which nothing is known, changes nothing; one whose notes changed counts as
        if the whole had.
    """
    parts = slices_of(reference, window, params)
    drift = compare_window(reference, window, params, 0.5 if parts else 1.0)
    decision, slices = decide(drift, params, harm), {}
    for name, (column, one, other) in parts.items():
        others = params.model_copy(update={"columns": [item for item in params.columns if item != column]})
        slices[name] = decide(compare_window(one, other, others, 0.5 / len(parts)), others, harm)
    return Comparison(drift, with_slices(decision, slices), slices)


def slices_of(
    reference: pd.DataFrame, window: pd.DataFrame, params: MonitorParams
) -> dict[str, tuple[str, pd.DataFrame, pd.DataFrame]]:
    """Return the slices that are large enough on both sides, by name: their column, and their rows on either side."""
    parts: dict[str, tuple[str, pd.DataFrame, pd.DataFrame]] = {}
    for column in params.slices:
        sides = [
            frame[column].value_counts() if column in frame else pd.Series(dtype=int) for frame in (reference, window)
        ]
        for value in sorted(map(str, sides[0].index.intersection(sides[1].index))):
            if min(side[value] for side in sides) >= params.minimum_notes:
                rows = (reference[reference[column] == value], window[window[column] == value])
                parts[f"{column}={value}"] = (column, *rows)
    return parts


def with_slices(whole: Decision, slices: Mapping[str, Decision]) -> Decision:
    """Return the decision of the whole, or of the slice that asks for more."""
    changed = {name: one for name, one in slices.items() if drifted(one)}
    reasons = [f"{name}: {one.reasons[0]}" for name, one in changed.items()]
    worst = max(changed.values(), key=lambda one: SEVERITIES.index(one.decision), default=whole)
    if whole.decision == "unknown" or SEVERITIES.index(worst.decision) <= SEVERITIES.index(whole.decision):
        return replace(whole, reasons=(*whole.reasons, *reasons))
    first = next(name for name, one in changed.items() if one is worst)
    reasons.sort(key=lambda reason: not reason.startswith(f"{first}: "))
    return replace(worst, reasons=(*reasons, *whole.reasons), notes=whole.notes)

"""Parts of a window by themselves: a ward whose notes changed is a small share of a hospital's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from stages.common.labels import QUARANTINED
from stages.monitor.columns import Reference, served_rows
from stages.monitor.decision import NOTHING_KNOWN, SEVERITIES, Decision, Harm, decide, drifted
from stages.monitor.drift import Drift, compare_sides
from stages.monitor.params import MonitorParams
from stages.monitor.runs import add_up_sides, said_and_done
from stages.monitor.sides import Sides

_WHOLE = 0.9
"""Share of a window from which on a slice is the window."""


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


def judge(
    reference: pd.DataFrame,
    windows: Sequence[pd.DataFrame],
    params: MonitorParams,
    harm: Harm = NOTHING_KNOWN,
    called: Reference = "profile",
) -> Comparison:
    """Compare the last of some windows, and what they add up to, with a reference; and each slice with the same slice.

    Where there are slices, the whole has half of the significance and they share the other half.

    Parameters
    ----------
    reference : DataFrame
        Columns of `serving_log`.
    windows : sequence of DataFrame
        The same, in their order, since the last reset; at least one.
    params : MonitorParams
        As `watching` returns them.
    harm : Harm
        What is known of the quality.
    called : {"profile", "reference"}
        What faults call the reference.

    Returns
    -------
    Comparison
        A slice that is too small, or about which nothing is known, changes nothing; one whose notes changed counts as
        if the whole had.
    """
    names = slices_of(reference, windows[-1], params)
    whole = Sides.of(reference, windows, params.columns, called)
    drift, decision = _compared(whole, params, 0.5 if names else 1.0, harm)
    slices = {}
    for column, value in names:
        others = params.model_copy(update={"columns": [item for item in params.columns if item != column]})
        # where the column is not watched, notes that differ in it alone are one in the whole, but not in its slices
        watched = column in params.columns
        sides = whole if watched else Sides.of(reference, windows, [*params.columns, column], called)
        slices[f"{column}={value}"] = _compared(sides.where(column, value), others, 0.5 / len(names), harm)[1]
    return Comparison(drift, with_slices(decision, slices), slices)


def _compared(sides: Sides, params: MonitorParams, share: float, harm: Harm) -> tuple[Drift, Decision]:
    drift = compare_sides(sides, params, share)
    return drift, said_and_done(decide(drift, params), add_up_sides(sides, params, share), harm)


def slices_of(reference: pd.DataFrame, window: pd.DataFrame, params: MonitorParams) -> list[tuple[str, str]]:
    """Return the slices that are large enough on both sides: their column, and its value.

    One that is nearly the whole window is none: all would be said twice.
    """
    names: list[tuple[str, str]] = []
    asked = [*params.slices, QUARANTINED]
    reference, window = (served_rows(frame.filter(items=asked)) for frame in (reference, window))
    for column in params.slices:
        sides = [
            frame[column].value_counts() if column in frame else pd.Series(dtype=int) for frame in (reference, window)
        ]
        for value in sorted(map(str, sides[0].index.intersection(sides[1].index))):
            small = min(side[value] for side in sides) < params.minimum_notes
            if not small and sides[1][value] < _WHOLE * len(window):
                names.append((column, value))
    return names


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

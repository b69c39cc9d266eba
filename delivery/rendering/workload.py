"""What a change leaves to people beyond its scores: less that is accepted, more hours, labels that nothing is of."""

from __future__ import annotations

from collections.abc import Iterator

from delivery.changes.bootstrap import verdict
from delivery.changes.changes import Changes
from delivery.changes.intervals import between_intervals
from delivery.changes.metrics import MetricChange, is_number
from delivery.rendering.markdown import listed

_ACCEPTED = "evaluation.acceptance"
_NOTHING_OF = ".accepts_nothing"
_COSTS = {
    "kpi.accepted.mentions": ("fewer mentions accepted", ".0%"),
    "kpi.after.hours_per_1000_notes": ("more hours per 1,000 notes", ".0f"),
    "kpi.after.errors_per_1000_mentions": ("more errors per 1,000 mentions", ".0f"),
}


def workload(changes: Changes) -> list[str]:
    """Say what became more work beyond noise, and of which labels a person has to look at every mention.

    Parameters
    ----------
    changes : Changes
    """
    if changes.outcome in ("gate failed", "not judged"):
        return []
    heavier = [f"{words} ({old:{form}} → {new:{form}})" for words, form, old, new in _heavier(changes)]
    weigh = "" if changes.bad else ", a person must weigh it"
    said = [f"**{_and(heavier)}{weigh}**"] if heavier else []
    silent = _silent_labels(changes)
    if changes.value(f"{_ACCEPTED}{_NOTHING_OF}") or _is_zero(changes.value(f"{_ACCEPTED}.mentions")):
        return [*said, "**nothing is accepted without a person**"]
    return [*said, *[f"**nothing of {listed(silent)} is accepted without a person**"] * bool(silent)]


def _heavier(changes: Changes) -> Iterator[tuple[str, str, float, float]]:
    for name, (words, form) in _COSTS.items():
        change = changes.metrics.get(name)
        if change and change.fresh and is_number(change.old) and is_number(change.new) and _is_worse(changes, change):
            yield words, form, change.old, change.new


def _is_worse(changes: Changes, change: MetricChange) -> bool:
    """Judge by the intervals of both revisions; one that has none is taken to be as uncertain as the other."""
    if change.judgement or change.direction not in ("higher", "lower"):
        return change.judgement == "worse"
    reaches = [reach for side in ("new", "old") if (reach := _reach(changes, change, side))]
    if not reaches:
        return False
    below, above = reaches[0]
    old, new = ((value, value - below, value + above) for value in (change.old, change.new))
    return verdict(between_intervals(old, new), change.direction) == "worse"


def _reach(changes: Changes, change: MetricChange, side: str) -> tuple[float, float] | None:
    """Return how far the interval of a figure reaches below and above it."""
    middle = getattr(change, side)
    ends = [getattr(changes.metrics.get(f"{change.name}_{end}"), side, None) for end in ("low", "high")]
    return (middle - ends[0], ends[1] - middle) if all(map(is_number, ends)) else None


def _silent_labels(changes: Changes) -> list[str]:
    """Return the labels of which mentions are found, and none is accepted."""
    rows = changes.under(f"{_ACCEPTED}.labels")
    labels = dict.fromkeys(name.rsplit(".", 1)[0] for name in rows)
    return [
        label
        for label in labels
        if changes.value(f"{_ACCEPTED}.labels.{label}{_NOTHING_OF}")
        or (
            _is_zero(changes.value(f"{_ACCEPTED}.labels.{label}.number"))
            and changes.value(f"evaluation.strict.{label}.f1")
        )
    ]


def _is_zero(value: object) -> bool:
    return is_number(value) and value == 0


def _and(parts: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))

"""Metrics of a change as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from delivery.changes.bootstrap import Difference
from delivery.changes.changes import Changes, MetricChange
from delivery.rendering.markdown import code, shortened, table

NONE = "—"
_ARROWS = {"higher": " ↑", "lower": " ↓"}


def metric_table(metrics: Iterable[MetricChange], most: int) -> str:
    """Return old, new, difference, interval and verdict of some metrics, at most so many rows."""
    rows, more = shortened([_row(change) for change in metrics], most)
    columns = ["metric", "old", "new", "difference", "95% interval", "verdict"]
    return table(columns, rows, right=[1, 2, 3, 4]) + more


def _row(change: MetricChange) -> list[str]:
    name = change.name.removeprefix("evaluation.")
    interval = NONE
    if change.difference:
        interval = interval_text(change.difference) + ("" if change.method == "paired" else "*")
    difference = _signed(change.change) if change.change is not None and _is_comparable(change) else NONE
    old, new = change.common or (change.old, change.new)  # what stands beside a difference is what it is of
    arrow = _ARROWS.get(change.direction or "", "")
    return [
        code(name) + arrow,
        number_text(old),
        number_text(new) if change.fresh else NONE,
        difference,
        interval,
        _word(change),
    ]


def _is_comparable(change: MetricChange) -> bool:
    return change.fresh and change.method != "other documents"


def _word(change: MetricChange) -> str:
    if not change.fresh:
        return "not recomputed"
    if change.judgement:
        return change.judgement if change.judgement == "within noise" else f"**{change.judgement}**"
    if change.old is None or change.new is None:
        return "new" if change.old is None else "gone"
    if not change.changed:
        return "same"
    if change.direction in (None, "neutral") or change.change is None:
        return "changed"
    improved = (change.change > 0) == (change.direction == "higher")
    noise_unknown = f"{'improved' if improved else 'declined'}, noise unknown"
    return "other documents" if change.method == "other documents" else noise_unknown


def interval_text(difference: Difference) -> str:
    """Return the bounds with their signs."""
    return f"{difference.low:+.4f} to {difference.high:+.4f}"


def number_text(value: Any) -> str:
    """Return a metric: counts as they are, the rest with four decimals, what is no number as code."""
    if value is None:
        return NONE
    if isinstance(value, bool) or not isinstance(value, int | float):
        return code(value, longest=40)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4f}"


def _signed(value: float) -> str:
    return f"{value:+,}" if isinstance(value, int) else f"{value:+,.4f}"


def values_text(change: MetricChange) -> str:
    """Return the old and the new value."""
    return f"{number_text(change.old)} → {number_text(change.new)}"


def split_rows(changes: Changes) -> Iterator[list[str]]:
    """Yield a row per split and label: documents and mentions, before and after, with the labels' shares."""
    documents, mentions = changes.under("validation.documents"), changes.under("validation.mentions")
    for split, count in documents.items():
        yield [code(split), "documents", number_text(count.old), number_text(count.new), "", ""]
        of_split = {name: change for name, change in mentions.items() if name.startswith(f"{split}.")}
        totals = [sum(getattr(change, side) or 0 for change in of_split.values()) for side in ("old", "new")]
        for name, change in of_split.items():
            shares = [
                f"{(value or 0) / total:.1%}" if total else NONE
                for value, total in zip((change.old, change.new), totals, strict=True)
            ]
            yield [code(split), code(name.split(".", 1)[1]), number_text(change.old), number_text(change.new), *shares]

"""Scores and other figures of a change: the few rows that decide in the open, the rest folded."""

from __future__ import annotations

from delivery.changes.changes import Changes
from delivery.changes.metrics import HEADLINE, MetricChange, is_number
from delivery.rendering.markdown import details
from delivery.rendering.tables import metric_table
from stages.common.wording import counted

_DECIDING = (HEADLINE, "evaluation.strict.micro.precision", "evaluation.strict.micro.recall")
"""With the F1 of each label: what has a paired interval, and so can decide."""
_BESIDE = (
    "evaluation.lenient.micro.f1",
    "evaluation.seen.recall",
    "evaluation.unseen.recall",
    "evaluation.calibration.ece",
    "evaluation.acceptance.precision",
    "evaluation.acceptance.mentions",
    "evaluation.acceptance.notes",
    "evaluation.suggestions.missed_shown",
    "kpi.after.hours_per_1000_notes",
    "kpi.after.errors_per_1000_mentions",
)
_SHOWN_ELSEWHERE = ("evaluation.note_types.", "validation.documents.", "validation.mentions.", "kpi.accepted.")
_MOST_LABELS = 8  # rows of the table that is open
_MOST_ROWS = 40


def deciding_table(changes: Changes) -> str:
    """Return the strict scores; folded where they are those of another run."""
    metrics = _deciding(changes)
    if not metrics:
        return ""
    body = metric_table(metrics, _MOST_ROWS)
    return body if changes.headline.fresh else details("Scores of before: not recomputed", body)


def _deciding(changes: Changes) -> list[MetricChange]:
    """Return the strict scores; of many labels the first, those that are worse before all others."""
    labels = sorted(changes.labels, key=lambda change: change.judgement != "worse")
    shown = labels[:_MOST_LABELS] if len(labels) > _MOST_LABELS else changes.labels
    return [*(changes.metrics[name] for name in _DECIDING if name in changes.metrics), *shown]


def beside_table(changes: Changes) -> str:
    """Return, folded, the other figures that a reviewer may ask for."""
    metrics = _beside(changes)
    if not metrics:
        return ""
    title = f"Beside them: {counted(len(metrics), 'figure')}, such as lenient scores, calibration and hours of work"
    return details(title, metric_table(metrics, _MOST_ROWS))


def _beside(changes: Changes) -> list[MetricChange]:
    shown = {change.name for change in _deciding(changes)}
    labels = [change for change in changes.labels if change.name not in shown]
    return [*labels, *(changes.metrics[name] for name in _BESIDE if name in changes.metrics)]


def other_metrics(changes: Changes) -> str:
    """Return, folded, every other number that changed."""
    if changes.outcome == "first result":
        return ""  # nothing changed: everything is new
    shown = {change.name for change in [*_deciding(changes), *_beside(changes)]}
    rows = [
        change
        for name, change in changes.metrics.items()
        if change.changed
        and name not in shown
        and name.split(".")[0] in ("evaluation", "kpi", "validation")
        and not name.startswith(_SHOWN_ELSEWHERE)
        and not name.endswith(("_low", "_high"))
        and all(value is None or is_number(value) for value in (change.old, change.new))
    ]
    return details(f"Other metrics that changed: {len(rows):,}", metric_table(rows, _MOST_ROWS)) if rows else ""

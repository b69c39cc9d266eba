"""Which way each metric of `metrics/` is better: higher, lower, or neither.

A metric without a direction fails `tests/unit/test_directions.py`: whoever adds one says what it means.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Literal

Direction = Literal["higher", "lower", "neutral"]

NO_CASES = "cases_of_"
"""Begins the name of a row of `metrics/behaviour.json` that says that a label has no cases."""

DIRECTIONS: dict[str, Direction] = {
    "validation.passed": "higher",
    "validation.errors": "lower",
    "validation.warnings": "lower",
    "validation.checks.*.count": "lower",
    "validation.prepare.inside_token": "lower",
    "validation.prepare.across_sentences": "lower",
    "validation.prepare.left_out": "lower",
    "validation.*": "neutral",
    "evaluation.strict.*": "higher",
    "evaluation.lenient.*": "higher",
    "evaluation.*seen.recall": "higher",
    "evaluation.*seen.mentions": "neutral",
    "evaluation.calibration.ece": "lower",
    "evaluation.calibration.temperature": "neutral",
    "evaluation.acceptance.*promised": "neutral",
    "evaluation.acceptance.*threshold": "neutral",
    "evaluation.acceptance.*accepts_nothing": "lower",
    "evaluation.acceptance.*standard_error": "lower",
    "evaluation.acceptance.*": "higher",
    "evaluation.errors.*": "lower",
    "evaluation.suggestions.number": "neutral",
    "evaluation.suggestions.*": "higher",
    "evaluation.documents": "neutral",
    "evaluation.mentions": "neutral",
    "evaluation.note_types.*.mentions": "neutral",
    "evaluation.note_types.*.f1*": "higher",
    "kpi.accepted.*": "higher",
    "kpi.saved.*": "higher",
    "kpi.after.*": "lower",
    "kpi.minutes.*": "neutral",  # measured or assumed, step by step
    "kpi.before.*": "neutral",  # assumptions about the work by hand, from params.yaml
    "behaviour.*.rate": "higher",
    "behaviour.*": "neutral",  # counts of cases; their rate has the direction
    "drift.*": "neutral",  # about the notes that arrive, not about the model
    "decision.*": "neutral",
}
"""By pattern of the flat name, the first that fits."""


def direction_of(metric: str) -> Direction | None:
    """Return the direction of a metric by its flat name, None where nobody has said it.

    >>> direction_of("evaluation.calibration.ece"), direction_of("evaluation.novel")
    ('lower', None)
    """
    return next((direction for pattern, direction in DIRECTIONS.items() if fnmatchcase(metric, pattern)), None)

"""Which metrics of a commit its run shows, and which are a table among its artifacts."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from fnmatch import fnmatchcase

from delivery.changes.metrics import HEADLINE
from delivery.revision.revision import Revision

FIRST_SCREEN = (
    HEADLINE,
    "evaluation.strict.micro.precision",
    "evaluation.strict.micro.recall",
    "evaluation.strict.*.f1",
    "evaluation.unseen.recall",
    "evaluation.calibration.ece",
    "evaluation.acceptance.mentions",
    "evaluation.acceptance.precision",
    "kpi.after.hours_per_1000_notes",
    "validation.passed",
)
"""Patterns of the metrics that runs are told apart by: MLflow's page shows every metric of a run as a chart."""

COLUMNS = {"strict_f1": HEADLINE, "strict_f1_low": f"{HEADLINE}_low", "strict_f1_high": f"{HEADLINE}_high"}
"""The headline and its interval once more, under names that fit above a column (those of a version's tags)."""

ALL = "metrics/all.csv"
"""Artifact with every number of a commit; MLflow shows it as a table."""


def numbers(revision: Revision) -> dict[str, float]:
    """Return the metrics that are numbers; true and false are 1 and 0."""
    return {
        name: float(value)
        for name, value in revision.metrics().items()
        if isinstance(value, int | float) and math.isfinite(value)
    }


def first_screen(values: Mapping[str, float]) -> dict[str, float]:
    """Return those that are metrics of the run."""
    names = {name for name in values if any(fnmatchcase(name, pattern) for pattern in FIRST_SCREEN)}
    short = {short: values[name] for short, name in COLUMNS.items() if name in values}
    return short | {name: value for name, value in values.items() if name in names}


def as_table(values: Mapping[str, float]) -> str:
    """Return all of them as CSV.

    >>> as_table({"evaluation.calibration.ece": 0.02}).split()
    ['metric,value', 'evaluation.calibration.ece,0.02']
    """
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([("metric", "value"), *values.items()])
    return out.getvalue()

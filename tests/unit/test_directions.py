"""Whoever adds a metric says which way it is better."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

from delivery.changes.directions import DIRECTIONS, direction_of
from delivery.revision.revision import workspace
from tests.repository import ROOT


def test_every_metric_has_a_direction() -> None:
    metrics = workspace(ROOT).metrics()
    assert metrics
    assert [name for name in metrics if direction_of(name) is None] == []


def test_no_pattern_is_left_over() -> None:
    names = [*workspace(ROOT).metrics(), "evaluation.calibration.temperature", "validation.checks.duplicates.count"]
    for pattern in DIRECTIONS:
        assert any(fnmatchcase(name, pattern) for name in names), f"{pattern} fits no metric"


@pytest.mark.parametrize(
    ("metric", "direction"),
    [
        ("evaluation.strict.Disease.f1", "higher"),
        ("evaluation.unseen.recall", "higher"),
        ("evaluation.calibration.ece", "lower"),
        ("evaluation.errors.missed", "lower"),
        ("evaluation.acceptance.labels.Disease.threshold", "neutral"),
        ("evaluation.acceptance.accepts_nothing", "lower"),
        ("evaluation.note_types.referral.mentions", "neutral"),
        ("kpi.after.hours_per_1000_notes", "lower"),
        ("behaviour.lists.passed", "neutral"),
        ("validation.prepare.left_out", "lower"),
        ("evaluation.novel", None),
    ],
)
def test_directions(metric: str, direction: str | None) -> None:
    assert direction_of(metric) == direction

"""Intervals without counts by document: against published figures, and against what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from delivery.changes.bootstrap import verdict
from delivery.changes.intervals import between_intervals, between_shares


@pytest.mark.parametrize(
    ("new", "old", "low", "high"),
    [  # Newcombe 1998, Statistics in Medicine 17:873-890, table II, method 10
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0000),
        ((10, 10), (0, 10), 0.6075, 1.0000),
    ],
)
def test_shares_as_published(new: tuple[int, int], old: tuple[int, int], low: float, high: float) -> None:
    found = between_shares(old, new)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)


def test_intervals_of_equal_width_add_up_as_squares() -> None:
    found = between_intervals((0.80, 0.77, 0.83), (0.82, 0.78, 0.86))
    assert (found.difference, found.low, found.high) == pytest.approx((0.02, -0.03, 0.07))


def test_equal_shares_are_called_different_in_at_most_one_of_twenty() -> None:
    generator = np.random.default_rng(1)
    calls = [
        verdict(between_shares((int(old), 90), (int(new), 90)), "higher") != "within noise"
        for old, new in generator.binomial(90, 0.85, size=(2000, 2))
    ]
    assert np.mean(calls) <= 0.06

"""The search for the threshold, number by number: against Wilson's formula and against plain loops."""

from __future__ import annotations

from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from stages.common.files import read_json
from stages.train.acceptance import (
    NOTHING_ACCEPTED,
    Acceptance,
    HeldOutPredictions,
    _lower_bound,
    _steps,
    choose_threshold,
    is_whole,
)

RISK = 0.05
Z = float(norm.ppf(1 - RISK))


def ratio_bound(right: list[bool], documents: list[int]) -> float:
    """Cochran's lower bound of a ratio over clusters, one document after the other."""
    n, p = len(right), sum(right) / len(right)
    residuals = dict.fromkeys(documents, 0.0)
    for document, one in zip(documents, right, strict=True):
        residuals[document] += one - p
    clusters = len(residuals)
    return p - Z * sqrt(clusters / (clusters - 1) * sum(value**2 for value in residuals.values())) / n


def wilson(right: list[bool]) -> float:
    """Wilson's one-sided bound as he wrote it down in 1927, at 5%."""
    n, p = len(right), sum(right) / len(right)
    return (p + Z * Z / (2 * n) - Z * sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))) / (1 + Z * Z / n)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=2, max_size=30))
def test_the_lower_of_wilsons_bound_and_that_of_clusters_counts(mentions: list[tuple[bool, int]]) -> None:
    right, documents = map(list, zip(*mentions, strict=True))
    found = _lower_bound(np.array(right), np.array(documents), RISK)
    if len(set(documents)) < 2:
        assert found == 0
    else:
        assert found == pytest.approx(min(wilson(right), ratio_bound(right, documents)), abs=1e-9)


def test_errors_that_stand_together_lower_the_bound_below_wilsons() -> None:
    right = np.arange(200) >= 20
    assert _lower_bound(right, np.arange(200) // 20, RISK) < wilson(right.tolist())
    assert _lower_bound(np.arange(200) >= 1, np.arange(200), RISK) == pytest.approx(wilson([False] + [True] * 199))


def test_two_documents_are_enough_to_say_something() -> None:
    assert _lower_bound(np.ones(400, dtype=bool), np.arange(400) % 2, RISK) == pytest.approx(wilson([True] * 400))


@pytest.mark.parametrize(("total", "steps"), [(99, 0), (100, 1), (101, 2), (150, 51), (199, 100), (5000, 100)])
def test_thresholds_are_tried_from_a_hundred_mentions_on_in_at_most_a_hundred_steps(total: int, steps: int) -> None:
    found = _steps(np.linspace(1, 0.5, total))
    assert len(found) == steps
    assert list(found) == sorted(set(found))
    if steps:
        assert (found[0], found[-1]) == (100, total)


def test_a_step_takes_all_of_the_same_confidence() -> None:
    confidence = np.repeat([0.9, 0.8, 0.7], [130, 50, 20])
    assert _steps(confidence) == [130, 180, 200]


def surest_first(right: list[bool]) -> HeldOutPredictions:
    """One mention a document, each a little less sure than the one before."""
    count = len(right)
    return HeldOutPredictions(np.linspace(0.999, 0.5, count), np.array(right), np.arange(count))


def test_the_threshold_is_that_of_the_last_step_that_held() -> None:
    predictions = surest_first([True] * 150 + [False] * 49)
    held = [count for count in _steps(predictions.confidence) if wilson(predictions.right[:count].tolist()) >= 0.95]
    found = choose_threshold(predictions, promised=0.95, risk=0.05).threshold
    last = float(predictions.confidence[max(held) - 1])
    assert found is not None
    assert last <= found < last + 1e-6
    assert found == round(found, 6)


def test_the_risk_decides_how_sure_the_bound_is() -> None:
    predictions = surest_first([True] * 120 + [False] * 4 + [True] * 300)
    strict, usual, loose = (
        choose_threshold(predictions, promised=0.95, risk=risk).threshold for risk in (0.001, 0.05, 0.4)
    )
    assert strict is None
    assert usual is not None and loose is not None
    assert loose < usual


def test_what_is_promised_and_at_which_risk_is_kept_with_the_threshold() -> None:
    found = choose_threshold(surest_first([True] * 200), promised=0.9, risk=0.04)
    assert (found.promised, found.risk) == (0.9, 0.04)
    assert found.threshold == pytest.approx(0.5)
    assert found.suggestion == NOTHING_ACCEPTED.suggestion == 1.0


def test_a_threshold_is_kept_to_six_decimals(tmp_path: Path) -> None:
    Acceptance(0.95, 0.05, 0.1234567, 0.2).save(tmp_path / "acceptance.json")
    assert read_json(tmp_path / "acceptance.json")["threshold"] == 0.123457


@pytest.mark.parametrize(
    ("accepted", "suggestions", "whole"),
    [([True], 0, True), ([True, True], 0, True), ([True, False], 0, False), ([], 0, False), ([True], 1, False)],
)
def test_a_note_is_whole_when_all_is_accepted_and_nothing_may_be_missing(
    accepted: list[bool], suggestions: int, whole: bool
) -> None:
    assert is_whole(accepted, suggestions) is whole


def test_nothing_is_accepted_without_a_threshold() -> None:
    assert not NOTHING_ACCEPTED.accepts(1.0)
    assert Acceptance(0.95, 0.05, 0.8).accepts(0.8)
    assert not Acceptance(0.95, 0.05, 0.8).accepts(0.7999)

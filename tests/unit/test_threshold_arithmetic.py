"""The search for the threshold, number by number: against Wilson's formula and against plain loops."""

from __future__ import annotations

from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import norm
from scipy.stats import t as student

from stages.common.files import read_json
from stages.train.acceptance import NOTHING_ACCEPTED, Acceptance, is_whole
from stages.train.clustered import clusters_of, interval, lower_bound, parts_of, shift, standard_error
from stages.train.promises import Judged, _steps, choose_threshold
from tests.held_out import judged

RISK = 0.05
Z = float(norm.ppf(1 - RISK))


def ratio_bound(right: list[bool], documents: list[int]) -> float:
    """Cochran's lower bound of a ratio over clusters, one document after the other."""
    n, p = len(right), sum(right) / len(right)
    residuals = dict.fromkeys(documents, 0.0)
    for document, one in zip(documents, right, strict=True):
        residuals[document] += one - p
    clusters = len(residuals)
    reach = float(student.ppf(1 - RISK, clusters - 1))
    return p - reach * sqrt(clusters / (clusters - 1) * sum(value**2 for value in residuals.values())) / n


def wilson(right: list[bool]) -> float:
    """Wilson's one-sided bound as he wrote it down in 1927, at 5%."""
    n, p = len(right), sum(right) / len(right)
    return (p + Z * Z / (2 * n) - Z * sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))) / (1 + Z * Z / n)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=2, max_size=30))
def test_the_lower_of_wilsons_bound_and_that_of_clusters_counts(mentions: list[tuple[bool, int]]) -> None:
    right, documents = map(list, zip(*mentions, strict=True))
    found = bound(np.array(right), np.array(documents))
    if len(set(documents)) < 2:
        assert found == 0
    else:
        assert found == pytest.approx(min(wilson(right), ratio_bound(right, documents)), abs=1e-9)


def bound(right: NDArray[np.bool_], clusters: NDArray[np.int64]) -> float:
    """Bound what comes from one part."""
    return lower_bound(right, clusters, RISK)


def test_errors_that_stand_together_lower_the_bound_below_wilsons() -> None:
    right = np.arange(200) >= 20
    assert bound(right, np.arange(200) // 20) < wilson(right.tolist())
    assert bound(np.arange(200) >= 1, np.arange(200)) == pytest.approx(wilson([False] + [True] * 199))


def test_two_documents_are_enough_to_say_something() -> None:
    assert bound(np.ones(400, dtype=bool), np.arange(400) % 2) == pytest.approx(wilson([True] * 400))


# --- clusters and parts ---------------------------------------------------------------------------


def test_documents_stand_alone_and_blocks_of_a_file_in_runs() -> None:
    contexts = ["a", "b", *["c"] * 12, "d"]
    assert clusters_of(contexts).tolist() == [0, 1, *[2] * 5, *[3] * 5, 4, 4, 5]
    assert clusters_of(np.array([7, 7, 8], dtype=np.int32)).tolist() == [0, 0, 1]
    assert len(clusters_of([])) == 0


def test_batches_are_parts_where_there_are_five_and_else_fifths_are() -> None:
    many = [f"batch-{place // 2}/{place}" for place in range(10)]
    assert parts_of(many, np.arange(10)).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    few = [f"batch-{place // 5}/{place}" for place in range(10)]
    assert parts_of(few, np.arange(10)).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    # A cluster is in one part.
    assert parts_of(few, np.repeat(np.arange(5), 2)).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert len(parts_of([], np.empty(0, dtype=np.int64))) == 0


def in_parts(*wrong: int) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
    """Parts of 100 mentions, each a cluster, with so many wrong ones."""
    right = np.concatenate([np.arange(100) >= number for number in wrong])
    return right, np.arange(len(right)), np.repeat(np.arange(len(wrong)), 100)


def test_parts_that_differ_beyond_chance_shift() -> None:
    assert shift(*in_parts(5, 5, 5, 5, 5)) == 0
    shares = np.array([0, 0, 0, 20, 20])
    within = shares.mean() / 100 * (1 - shares.mean() / 100) / 100
    between = (shares / 100).var(ddof=1) - within
    assert shift(*in_parts(*shares)) == pytest.approx(between / 0.08**2, rel=0.15)
    assert shift(*in_parts(5)) == shift(*in_parts(0, 0)) == 0


def test_a_shift_is_part_of_the_bound() -> None:
    right, clusters, parts = in_parts(0, 0, 0, 10, 10)
    n, p = len(right), 0.96
    variance = n / (n - 1) * p * (1 - p) / n + shift(right, clusters, parts) * (1 - p) ** 2
    reach = float(student.ppf(1 - RISK, n - 1)) * sqrt(variance)
    assert lower_bound(right, clusters, RISK, shift(right, clusters, parts)) == pytest.approx(p - reach)
    assert p - reach < bound(right, clusters) - 0.04


def test_a_shift_takes_the_more_the_more_is_wrong() -> None:
    few, many = np.arange(1000) >= 5, np.arange(1000) >= 100
    cost = [bound(right, np.arange(1000)) - lower_bound(right, np.arange(1000), RISK, 0.1) for right in (few, many)]
    assert cost[0] < 0.001
    assert cost[1] > 0.03


def test_the_numbers_of_clusters_and_parts_do_not_matter() -> None:
    right, clusters, parts = in_parts(0, 3, 9)
    assert shift(right, clusters * 7 + 3, parts * 2 + 1) == pytest.approx(shift(right, clusters, parts))


def test_the_interval_is_the_wider_of_both_and_stays_within_one() -> None:
    right, clusters = np.arange(400) >= 40, np.arange(400) // 20
    low, high = interval(right, clusters)
    reach = float(student.ppf(0.975, 19)) * standard_error(right, clusters)
    assert (low, high) == (pytest.approx(0.9 - reach), 1.0)
    low, high = interval(np.ones(100, dtype=bool), np.arange(100))
    assert low == pytest.approx(100 / (100 + float(norm.ppf(0.975)) ** 2))
    assert high == 1.0
    assert interval(np.ones(100, dtype=bool), np.zeros(100, dtype=np.int64)) == (0.0, 1.0)


# --- the sequence ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("total", "first", "steps"),
    [(99, 0, 0), (100, 100, 1), (150, 100, 51), (900, 100, 100), (1010, 101, 100), (5000, 500, 100)],
)
def test_thresholds_are_tried_from_where_a_test_has_power_in_at_most_a_hundred_steps(
    total: int, first: int, steps: int
) -> None:
    found = _steps(np.linspace(1, 0.5, total), 0.1, 100)
    assert len(found) == steps
    assert list(found) == sorted(set(found))
    if steps:
        assert (found[0], found[-1]) == (first, total)


def test_a_step_takes_all_of_the_same_confidence() -> None:
    confidence = np.repeat([0.9, 0.8, 0.7], [130, 50, 20])
    assert _steps(confidence, 0.1, 100) == [130, 180, 200]


def surest_first(right: list[bool]) -> Judged:
    """One mention a document, each a little less sure than the one before."""
    return judged(np.linspace(0.999, 0.5, len(right)), right)


def test_the_threshold_is_that_of_the_last_step_that_held() -> None:
    mentions = surest_first([True] * 150 + [False] * 49)
    steps = _steps(mentions.confidence, 0.0, 100)
    held = [count for count in steps if bound(mentions.right[:count], mentions.clusters[:count]) >= 0.95]
    found = choose_threshold(mentions, 0.95, 0.05, 0.0)
    last = float(mentions.confidence[max(held) - 1])
    assert found is not None
    assert last <= found < last + 1e-6
    assert found == round(found, 6)


def test_the_risk_decides_how_sure_the_bound_is() -> None:
    mentions = surest_first([True] * 120 + [False] * 4 + [True] * 300)
    strict, usual, loose = (choose_threshold(mentions, 0.95, risk, 0.0) for risk in (0.001, 0.05, 0.4))
    assert strict is None
    assert usual is not None and loose is not None
    assert loose <= usual


def test_a_threshold_is_kept_to_six_decimals(tmp_path: Path) -> None:
    Acceptance(0.95, 0.05, {"Disease": 0.1234567}, 0.2).save(tmp_path / "acceptance.json")
    assert read_json(tmp_path / "acceptance.json")["thresholds"] == {"Disease": 0.123457}


@pytest.mark.parametrize(
    ("accepted", "suggestions", "whole"),
    [([True], 0, True), ([True, True], 0, True), ([True, False], 0, False), ([], 0, False), ([True], 1, False)],
)
def test_a_note_is_whole_when_all_is_accepted_and_nothing_may_be_missing(
    accepted: list[bool], suggestions: int, whole: bool
) -> None:
    assert is_whole(accepted, suggestions) is whole


def test_nothing_is_accepted_without_a_threshold() -> None:
    assert not NOTHING_ACCEPTED.accepts("Disease", 1.0)
    assert not NOTHING_ACCEPTED.accepts_whole([("Disease", 1.0)], 0)
    assert NOTHING_ACCEPTED.suggestion == 1.0
    assert Acceptance(0.95, 0.05, {"Disease": 0.8}).accepts("Disease", 0.8)
    assert not Acceptance(0.95, 0.05, {"Disease": 0.8}).accepts("Disease", 0.7999)


def test_a_note_is_accepted_whole_from_its_threshold_on() -> None:
    whole = Acceptance(0.95, 0.05, {"Disease": 0.5}, whole=0.72)
    assert whole.accepts_whole([("Disease", 0.9), ("Disease", 0.8)], 0)
    assert not whole.accepts_whole([("Disease", 0.9), ("Disease", 0.7999)], 0)
    assert not Acceptance(0.95, 0.05, {"Disease": 0.85}, whole=0.72).accepts_whole([("Disease", 0.8)], 0)

"""The leaderboard of models that say whether a reviewer would accept a mention."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.train.params import AcceptanceParams
from stages.train.reviewer import COLUMNS, SPAN_MODEL, acceptance_leaderboard, coverage_at_precision, log_loss
from stages.train.taggers.spans.evidence.evidence import NAMES
from stages.train.taggers.spans.stacked import OutOfFold, StackedTagger

PARAMS = AcceptanceParams(precision=0.9, risk=0.05, suggestion=0.2, models=["lr"], tunings=0)


def tagger(mentions: int = 800) -> tuple[StackedTagger, list[str]]:
    generator = np.random.default_rng(1)
    evidence = generator.normal(size=(mentions, len(NAMES))).astype(np.float32)
    confidence = 1 / (1 + np.exp(-evidence[:, 0] - 2))
    # The first column is what the span model goes by; the second it has overlooked.
    right = generator.random(mentions) < 1 / (1 + np.exp(-evidence[:, 0] - 3 * evidence[:, 1] - 2))
    found = OutOfFold(np.arange(mentions, dtype=np.int32), evidence, confidence, right)
    bare = StackedTagger.__new__(StackedTagger)
    return replace_found(bare, found), [f"d{i // 3}" for i in range(mentions)]


def replace_found(bare: StackedTagger, found: OutOfFold | None) -> StackedTagger:
    object.__setattr__(bare, "out_of_fold", found)
    return bare


def test_a_model_that_sees_more_accepts_more() -> None:
    model, documents = tagger()
    board = acceptance_leaderboard(model, documents, PARAMS, 1)
    assert list(board.columns) == COLUMNS
    assert board["model"].tolist() == ["lr", SPAN_MODEL]
    assert board["coverage"][0] > board["coverage"][1] + 0.1
    assert board["log_loss"][0] < board["log_loss"][1]
    again = acceptance_leaderboard(model, documents, PARAMS, 1)
    assert again.equals(board)


@pytest.mark.parametrize("case", ["another family", "not just fitted", "no models", "all right"])
def test_no_leaderboard_where_there_is_nothing_to_learn(case: str) -> None:
    model, documents = tagger()
    params = PARAMS
    given_: object = model
    if case == "another family":
        given_ = object()
    elif case == "not just fitted":
        given_ = replace_found(model, None)
    elif case == "no models":
        params = PARAMS.model_copy(update={"models": []})
    else:
        found = model.out_of_fold
        assert found is not None
        given_ = replace_found(model, replace(found, right=np.ones(len(found.right), dtype=bool)))
    board = acceptance_leaderboard(given_, documents, params, 1)
    assert board.empty
    assert list(board.columns) == COLUMNS


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.1, 0.5, 0.9])), min_size=1, max_size=12))
def test_coverage_is_the_best_of_all_thresholds(drawn: list[tuple[bool, float]]) -> None:
    right, confidence = np.array([r for r, _ in drawn]), np.array([c for _, c in drawn])
    best = 0.0
    for threshold in (0.1, 0.5, 0.9):
        taken = confidence >= threshold
        if taken.any() and right[taken].mean() >= 0.75:
            best = max(best, taken.mean())
    assert coverage_at_precision(right, confidence, 0.75) == pytest.approx(best)


def test_log_loss_of_certainty() -> None:
    assert log_loss(np.array([True, False]), np.array([1.0, 0.0])) == pytest.approx(0, abs=1e-5)
    assert log_loss(np.array([True]), np.array([0.5])) == pytest.approx(np.log(2))

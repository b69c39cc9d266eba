"""Platt's scaling against scikit-learn's, the temperature against a search on a grid."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from sklearn.calibration import _SigmoidCalibration

from stages.common.tags import TokenSpan
from stages.train.taggers.calibration import fit_scaling, fit_temperature

TOKENS: Any = "the sentences"
MENTION, OTHER = (0, 2, "Disease"), (3, 4, "Disease")
EVENLY = np.linspace(-6, 6, 400)
"""Log odds without chance."""


def drawn(log_odds: np.ndarray) -> np.ndarray:
    """Tell which are right, as often as their log odds say; spread evenly rather than drawn."""
    return np.arange(len(log_odds)) * 0.6180339887 % 1 < 1 / (1 + np.exp(-log_odds))


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.0), (0.4, -0.5), (2.0, 1.0)])
def test_scaling_is_that_of_scikit_learn(slope: float, intercept: float) -> None:
    generator = np.random.default_rng(4)
    log_odds = generator.normal(0, 2, size=600)
    right = generator.random(600) < 1 / (1 + np.exp(-(slope * log_odds + intercept)))
    theirs = _SigmoidCalibration().fit(log_odds, right)
    found = fit_scaling(log_odds, right)
    assert found == pytest.approx((-theirs.a_, -theirs.b_), abs=2e-3)
    assert found == pytest.approx((slope, intercept), abs=0.35)
    assert found == tuple(round(value, 4) for value in found)


@pytest.mark.parametrize("right", [True, False])
def test_scaling_of_few_and_equal_judgements_stays_finite(right: bool) -> None:
    """Platt's smoothed targets: three of three right are believed to be four of five, and no more."""
    slope, intercept = fit_scaling(np.array([0.5, 0.5, 0.5]), np.array([right] * 3))
    believed = 1 / (1 + np.exp(-(0.5 * slope + intercept)))
    assert believed == pytest.approx(4 / 5 if right else 1 / 5, abs=1e-3)


def test_scaling_does_not_depend_on_the_unit_of_the_evidence() -> None:
    """Small numbers have small gradients: a search that stops at the first small one has not even begun."""
    right = drawn(0.4 * EVENLY - 0.5)
    slope, intercept = fit_scaling(EVENLY, right)
    small_slope, small_intercept = fit_scaling(EVENLY / 1e5, right)
    assert small_slope == pytest.approx(1e5 * slope, rel=1e-3)
    assert small_intercept == pytest.approx(intercept, abs=1e-3)


def test_there_is_nothing_to_scale_without_judgements() -> None:
    assert fit_scaling(np.array([]), np.array([], dtype=bool)) == (1.0, 0.0)


class Fake:
    """Proposes the same mention in each sentence; its posterior is a logistic of log odds by the temperature."""

    def __init__(self, log_odds: Sequence[float]) -> None:
        self.log_odds = np.array(log_odds)
        self.passes = 0

    def spans(self, tokens: Any) -> list[list[TokenSpan]]:
        assert tokens is TOKENS
        return [[MENTION] for _ in self.log_odds]

    def posteriors(self, tokens: Any, spans: Any, temperature: float) -> np.ndarray:
        assert tokens is TOKENS
        assert len(spans) == len(self.log_odds)
        self.passes += 1
        return 1 / (1 + np.exp(-self.log_odds / temperature))


def log_loss(tagger: Fake, right: np.ndarray, temperature: float) -> float:
    p = np.clip(tagger.posteriors(TOKENS, tagger.spans(TOKENS), temperature), 1e-6, 1 - 1e-6)
    return float(-np.mean(np.log(np.where(right, p, 1 - p))))


def gold_of(right: np.ndarray) -> list[list[TokenSpan]]:
    return [[MENTION] if is_gold else [] for is_gold in right]


def best_temperature(tagger: Fake, right: np.ndarray) -> float:
    """Return the temperature of the smallest log loss, on a grid."""
    grid = np.exp(np.linspace(np.log(0.05), np.log(50.0), 1500))
    return float(grid[np.argmin([log_loss(tagger, right, temperature) for temperature in grid])])


@pytest.mark.parametrize("truth", [0.3, 1.0, 4.0])
def test_the_temperature_has_the_smallest_log_loss(truth: float) -> None:
    generator = np.random.default_rng(9)
    tagger = Fake(generator.normal(0, 3, size=3000))
    right = generator.random(3000) < 1 / (1 + np.exp(-tagger.log_odds / truth))
    gold = [[MENTION, OTHER] if one else [OTHER] for one in right]
    found = fit_temperature(tagger, TOKENS, gold)
    assert found == pytest.approx(best_temperature(tagger, right), rel=0.02)
    assert found == pytest.approx(truth, rel=0.15)
    assert found == round(found, 4)


@pytest.mark.parametrize(("right", "end"), [(True, 0.05), (False, 50.0)])
def test_the_temperature_stays_between_its_bounds(right: bool, end: float) -> None:
    gold = [[MENTION] if right else [] for _ in range(50)]
    found = fit_temperature(Fake([0.3] * 50), TOKENS, gold)
    assert 0.05 <= found <= 50.0
    assert found == pytest.approx(end, rel=0.05)


def test_one_sure_error_does_not_make_the_loss_infinite() -> None:
    """The posterior of a wrong mention may round to 1; its loss is that of one in a million."""
    tagger = Fake([2000.0, *np.linspace(-3, 3, 200)])
    right = np.r_[False, np.linspace(-3, 3, 200) > 0]
    assert np.isfinite(fit_temperature(tagger, TOKENS, gold_of(right)))


@pytest.mark.parametrize("sign", [1, -1])
def test_a_sure_error_weighs_as_one_in_a_million(sign: int) -> None:
    """One of 401, sure and wrong: past the floor it is no worse, and does not make all the others less sure."""
    tagger = Fake([*EVENLY, sign * 30.0])
    right = np.r_[drawn(EVENLY), sign < 0]
    found = fit_temperature(tagger, TOKENS, gold_of(right))
    assert found == pytest.approx(best_temperature(tagger, right), rel=0.01)
    assert found == pytest.approx(fit_temperature(Fake(EVENLY), TOKENS, gold_of(right[:-1])), rel=0.01)


def test_the_temperature_takes_few_passes_over_the_text() -> None:
    """A hundredth of its logarithm is near enough: each pass goes over all sentences."""
    tagger = Fake(EVENLY)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # so SciPy says that it does not know an option
        fit_temperature(tagger, TOKENS, gold_of(drawn(EVENLY)))
    assert tagger.passes <= 9


def test_there_is_no_temperature_to_fit_where_nothing_was_found() -> None:
    class Silent(Fake):
        def spans(self, tokens: Any) -> list[list[TokenSpan]]:
            return [[] for _ in self.log_odds]

    assert fit_temperature(Silent([1.0]), TOKENS, [[MENTION]]) == 1.0


def test_a_sentence_without_its_truth_is_no_shorter_list_of_truths() -> None:
    with pytest.raises(ValueError, match="zip"):
        fit_temperature(Fake([1.0, 2.0]), TOKENS, [[MENTION]])

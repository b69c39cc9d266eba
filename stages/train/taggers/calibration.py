"""Confidence that means what it says: one temperature, fitted on documents the model did not see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from stages.common.tags import TokenSpan
from stages.featurize.attributes.tokens import SparseTokens

_BOUNDS = (np.log(0.05), np.log(50.0))
_FLOOR = 1e-6


class _HasPosteriors(Protocol):
    def spans(self, tokens: SparseTokens) -> list[list[TokenSpan]]: ...

    def posteriors(
        self, tokens: SparseTokens, spans: Sequence[Sequence[TokenSpan]], temperature: float
    ) -> NDArray[np.float64]: ...


def fit_scaling(log_odds: NDArray[np.float64], right: NDArray[np.bool_]) -> tuple[float, float]:
    """Fit slope and intercept of the log odds to what was right (Platt 1999, with his smoothed targets).

    Returns
    -------
    slope, intercept : float
        (1, 0) when there is nothing to fit.
    """
    from scipy.optimize import minimize

    if not len(right):
        return 1.0, 0.0
    positive, negative = int(right.sum()), int((~right).sum())
    target = np.where(right, (positive + 1) / (positive + 2), 1 / (negative + 2))

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        score = parameters[0] * log_odds + parameters[1]
        error = expit(score) - target
        gradient = np.array([np.mean(error * log_odds), np.mean(error)])
        return float(np.mean(np.logaddexp(0, score) - target * score)), gradient

    # Convex, so that following the gradient ends in the one minimum; a simplex may collapse on the way there.
    fitted = minimize(loss, np.array([1.0, 0.0]), jac=True, method="BFGS", options={"gtol": 1e-8})
    return round(float(fitted.x[0]), 4), round(float(fitted.x[1]), 4)


def fit_temperature(tagger: _HasPosteriors, tokens: SparseTokens, gold: Sequence[Sequence[TokenSpan]]) -> float:
    """Find the temperature at which span posteriors predict best whether a mention is right.

    Minimises the log loss of "this predicted mention is exactly a gold one" (temperature scaling,
    Guo et al. 2017, applied to the exact posterior of a span).

    Parameters
    ----------
    tagger
        Offers `spans` and `posteriors`.
    tokens : SparseTokens
        Sentences that were not used in training.
    gold : sequence of sequences of TokenSpan
        Their mentions.

    Returns
    -------
    float
        1.0 when nothing was predicted.
    """
    from scipy.optimize import minimize_scalar
    from sklearn.metrics import log_loss

    spans = tagger.spans(tokens)
    right = np.array([span in truth for marked, truth in zip(spans, map(set, gold), strict=True) for span in marked])
    if not len(right):
        return 1.0

    def loss(log_temperature: float) -> float:
        p = tagger.posteriors(tokens, spans, float(np.exp(log_temperature)))
        return float(log_loss(right, np.clip(p, _FLOOR, 1 - _FLOOR), labels=[False, True]))

    marked = minimize_scalar(loss, bounds=_BOUNDS, method="bounded", options={"xatol": 0.01})
    return round(float(np.exp(marked.x)), 4)

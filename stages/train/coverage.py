"""How many mentions can be accepted at a precision, and whether one order of them is better than another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_RESAMPLES = 1000
_LEVEL = (2.5, 97.5)


def coverage_at_precision(right: NDArray[np.bool_], confidence: NDArray[np.float64], precision: float) -> float:
    """Return the largest share of mentions, surest first, whose precision is at least `precision`.

    Mentions of equal confidence are accepted together.

    >>> coverage_at_precision(np.array([True, True, False, True]), np.array([0.9, 0.8, 0.7, 0.6]), 0.75)
    1.0
    >>> coverage_at_precision(np.array([True, True, False, True]), np.array([0.9, 0.8, 0.7, 0.6]), 0.9)
    0.5
    """
    return _Ranking(right, confidence).coverage(np.ones(len(right), dtype=np.int64), precision)


def gain_in_coverage(
    right: NDArray[np.bool_],
    confidence: NDArray[np.float64],
    other: NDArray[np.float64],
    documents: NDArray[np.int64],
    *,
    precision: float,
    seed: int,
) -> tuple[float, float]:
    """Return the 95% interval of what `other` accepts more than `confidence`, at the same precision.

    Paired bootstrap over documents: the mentions of one are right and wrong together.

    Parameters
    ----------
    right : bool array of shape (mentions,)
    confidence, other : float64 arrays of shape (mentions,)
    documents : int64 array of shape (mentions,)
        Numbers, from 0.
    precision : float
    seed : int
    """
    ranking, rival = _Ranking(right, confidence), _Ranking(right, other)
    generator, count = np.random.default_rng(seed), int(documents.max()) + 1
    gains = np.empty(_RESAMPLES)
    for i in range(_RESAMPLES):
        times = np.bincount(generator.integers(0, count, count), minlength=count)[documents]
        gains[i] = rival.coverage(times, precision) - ranking.coverage(times, precision)
    low, high = np.percentile(gains, _LEVEL)
    return float(low), float(high)


def log_loss(right: NDArray[np.bool_], confidence: NDArray[np.float64]) -> float:
    """Mean negative log probability of what was the case."""
    p = np.clip(np.asarray(confidence, dtype=np.float64), 1e-6, 1 - 1e-6)
    return float(-np.mean(np.where(np.asarray(right, dtype=bool), np.log(p), np.log1p(-p))))


class _Ranking:
    """Mentions, surest first; sorted once for many samples of them."""

    def __init__(self, right: NDArray[np.bool_], confidence: NDArray[np.float64]) -> None:
        confidence = np.asarray(confidence, dtype=np.float64)
        self._order = np.argsort(-confidence, kind="stable")
        self._right = np.asarray(right, dtype=np.int64)[self._order]
        self._last_of_equals = np.append(np.diff(confidence[self._order]) != 0, True)[: len(self._order)]

    def coverage(self, times: NDArray[np.int64], precision: float) -> float:
        """Return the share accepted, each mention counted so many times."""
        times = times[self._order]
        accepted = np.cumsum(times)
        kept = np.cumsum(times * self._right) / np.maximum(accepted, 1)
        enough = np.flatnonzero((kept >= precision) & self._last_of_equals & (accepted > 0))
        return float(accepted[enough[-1]] / accepted[-1]) if len(enough) else 0.0

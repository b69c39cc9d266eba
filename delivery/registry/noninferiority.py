"""Is a challenger no worse than a champion? A difference over documents, with a bound that a margin is held against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from delivery.changes.bootstrap import score_of

Score = Callable[[NDArray], NDArray]
"""Scores rows of counts, as `f1`."""

_CHUNK = 2**22  # drawn documents held at once: memory stays flat, whatever the number of documents


@dataclass(frozen=True)
class BoundedDifference:
    """Challenger minus champion, and what it is above, and below, each with the confidence that was asked for."""

    difference: float
    low: float
    high: float


def f1(counts: NDArray) -> NDArray:
    """Score rows of (tp, fp, fn), as the report does."""
    return score_of(counts, "f1")


def accepted_share(counts: NDArray) -> NDArray:
    """Score rows of (accepted, annotated): how many mentions need no person, for each that was annotated."""
    return counts[..., 0] / np.maximum(counts[..., 1], 1)


def bounded_difference(
    old: NDArray, new: NDArray, score: Score, *, confidence: float, resamples: int, seed: int
) -> BoundedDifference:
    """Compare two models on the same documents.

    Documents are drawn with replacement, the same ones for both. The bounds are percentiles of the differences, farther
    out than the confidence asks for: those of few documents are too narrow, by what tells Student's t from the normal
    distribution, and by the factor between the two estimates of a variance (Hesterberg 2015, *expanded percentile*).

    Parameters
    ----------
    old, new : array of shape (documents, columns)
        Counts, a row per document, in the same order.
    score : callable
        Of counts with that many columns.
    confidence : float
        One-sided.
    resamples, seed : int
    """
    difference = float(score(new.sum(0)) - score(old.sum(0)))
    if len(old) < 2:
        return BoundedDifference(difference, -1.0, 1.0)
    generator = np.random.default_rng(seed)
    drawn = _drawn(np.hstack([old, new]).astype(np.float64), resamples, generator)
    before, after = (score(side) for side in np.split(drawn, 2, axis=1))
    level = _expanded(1 - confidence, len(old))
    low, high = np.quantile(after - before, [level, 1 - level]).tolist()
    return BoundedDifference(difference, low, high)


def inferior(found: BoundedDifference, margin: float, least: float = -1.0) -> str:
    """Say why a challenger is not shown to be good enough; empty where it is.

    Parameters
    ----------
    found : BoundedDifference
    margin : float
        A loss that is to be ruled out.
    least : float
        What the measured difference itself must not be below.
    """
    if found.difference < least:
        return "measured worse than the champion"
    if found.low <= -margin:
        return f"a loss of {margin:g} is not ruled out"
    return ""


def _expanded(level: float, documents: int) -> float:
    from scipy.stats import norm, t

    return float(norm.cdf(sqrt(documents / (documents - 1)) * t.ppf(level, documents - 1)))


def _drawn(table: NDArray, resamples: int, generator: np.random.Generator) -> NDArray[np.float64]:
    size = len(table)
    step = max(1, _CHUNK // size)
    parts = []
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        places = generator.integers(size, size=(rows, size)) + size * np.arange(rows)[:, None]
        often = np.bincount(places.ravel(), minlength=rows * size).reshape(rows, size)
        parts.append(often.astype(np.float64) @ table)
    return np.concatenate(parts)

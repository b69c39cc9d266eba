"""Entity-level scores as addable counts, and bootstrap intervals over documents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Span = tuple[int, int, str]


@dataclass(frozen=True)
class Counts:
    """True positives, false positives and false negatives; counts of parts add up to the whole's."""

    tp: int = 0
    fp: int = 0
    fn: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    @property
    def precision(self) -> float:
        """Share of predicted mentions that are right; 0 where nothing was predicted."""
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else 0.0

    @property
    def recall(self) -> float:
        """Share of gold mentions that were found; 0 where there are none."""
        return self.tp / (self.tp + self.fn) if self.tp + self.fn else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        denominator = 2 * self.tp + self.fp + self.fn
        return 2 * self.tp / denominator if denominator else 0.0


def strict_counts(gold: Iterable[Span], predicted: Iterable[Span]) -> Counts:
    """Count exact matches: both boundaries and the label.

    >>> strict_counts([(0, 4, "Disease")], [(0, 4, "Disease"), (6, 9, "Disease")])
    Counts(tp=1, fp=1, fn=0)
    """
    right, marked = set(gold), set(predicted)
    tp = len(right & marked)
    return Counts(tp, len(marked) - tp, len(right) - tp)


def lenient_counts(gold: Iterable[Span], predicted: Iterable[Span]) -> Counts:
    """Count overlapping matches of the same label, each mention matched at most once.

    >>> lenient_counts([(0, 10, "Disease")], [(4, 10, "Disease")])
    Counts(tp=1, fp=0, fn=0)
    """
    right, marked = set(gold), set(predicted)
    labels = sorted({span[2] for span in right})
    tp = sum(len(overlapping_pairs(of_label(right, label), of_label(marked, label))) for label in labels)
    return Counts(tp, len(marked) - tp, len(right) - tp)


def overlapping_pairs(gold: Iterable[Span], predicted: Iterable[Span]) -> list[tuple[Span, Span]]:
    """Pair mentions that share a character, whatever their labels, each at most once.

    Mentions of one side do not overlap each other, so that pairing them greedily from the left
    is a maximum matching.

    >>> overlapping_pairs([(0, 10, "Disease")], [(0, 4, "Disease"), (5, 10, "Disease")])
    [((0, 10, 'Disease'), (0, 4, 'Disease'))]
    """
    ours, theirs = sorted(gold), sorted(predicted)
    pairs, i, j = [], 0, 0
    while i < len(ours) and j < len(theirs):
        if ours[i][0] < theirs[j][1] and theirs[j][0] < ours[i][1]:
            pairs.append((ours[i], theirs[j]))
            i, j = i + 1, j + 1
        elif ours[i][1] <= theirs[j][1]:
            i += 1
        else:
            j += 1
    return pairs


def of_label(spans: Iterable[Span], label: str) -> list[Span]:
    """Return the spans that carry `label`."""
    return [span for span in spans if span[2] == label]


def f1_of(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """F1 of rows of (tp, fp, fn); 0 where nothing was there to find.

    Parameters
    ----------
    counts : array of shape (..., 3)

    Returns
    -------
    array of shape (...)
    """
    tp, fp, fn = counts[..., 0], counts[..., 1], counts[..., 2]
    denominator = 2 * tp + fp + fn
    return np.where(denominator > 0, 2 * tp / np.maximum(denominator, 1), 0.0)


def bootstrap_f1(
    per_document: Sequence[Counts], *, resamples: int, seed: int, level: float = 0.95
) -> tuple[float, float]:
    """Percentile interval of micro F1 when documents are drawn with replacement.

    Documents, not mentions, are the sampling unit: mentions of one document are not independent
    (Efron & Tibshirani 1993, ch. 13; for NLP, Berg-Kirkpatrick et al. 2012).

    Parameters
    ----------
    per_document : sequence of Counts
    resamples : int
    seed : int
    level : float
        Coverage of the interval.

    Returns
    -------
    low, high : float
        (0, 0) when there are no documents.
    """
    if not per_document:
        return 0.0, 0.0
    table = np.array([(c.tp, c.fp, c.fn) for c in per_document], dtype=np.int64)
    generator = np.random.default_rng(seed)
    scores = np.empty(resamples)
    for resample in range(resamples):
        scores[resample] = f1_of(table[generator.integers(len(table), size=len(table))].sum(0))
    low, high = np.quantile(scores, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)

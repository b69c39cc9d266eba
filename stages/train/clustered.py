"""What can be said of a precision whose mentions are right and wrong together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from stages.common.annotated import batch_of

RUN = 5
"""Neighbouring blocks of one file that count as one where the format has no documents: a text may go on in the next."""

PARTS = 5
"""Parts that are compared with each other where there are fewer batches than that."""


def clusters_of(contexts: Sequence[str] | NDArray[np.int32]) -> NDArray[np.int64]:
    """Return a number for all that errs together: documents, or runs of neighbouring blocks of one file.

    Parameters
    ----------
    contexts : sequence
        Context of each document, in order; only the blocks of one file share theirs.

    >>> clusters_of(["a", "b", "c", "c", "c", "c", "c", "c", "d"]).tolist()
    [0, 1, 2, 2, 2, 2, 2, 3, 4]
    """
    runs: list[int] = []
    for _, neighbours in groupby(contexts):
        count, first = len(list(neighbours)), runs[-1] + 1 if runs else 0
        runs += [first + place // RUN for place in range(count)]
    return np.array(runs, dtype=np.int64)


def parts_of(documents: Sequence[str], clusters: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the part of each document that may differ from the others: its batch, a fifth where these are few.

    Parameters
    ----------
    documents : sequence of str
        Names, ``batch/identifier``, in order.
    clusters : int64 array of shape (documents,)
        From `clusters_of`.
    """
    batches = {batch: number for number, batch in enumerate(dict.fromkeys(map(batch_of, documents)))}
    if len(batches) >= PARTS:
        return np.array([batches[batch_of(document)] for document in documents], dtype=np.int64)
    return clusters * PARTS // (int(clusters.max(initial=0)) + 1)


def lower_bound(right: NDArray[np.bool_], clusters: NDArray[np.int64], risk: float, shifted: float = 0.0) -> float:
    """Return what the precision of the next documents is at least, but for a probability of `risk`.

    The lower one of two bounds: Wilson's, which holds up where hardly any mention is wrong, and that
    of a ratio over clusters (Cochran 1977, ch. 6). In the second, what the next documents may differ
    is added to the variance in full, since they are a part that is not known.

    Parameters
    ----------
    right : bool array of shape (mentions,)
    clusters : int64 array of shape (mentions,)
        Numbers, from 0, of what errs together.
    risk : float
    shifted : float
        From `shift`.
    """
    precision, variance, count = _ratio(right, clusters)
    if count < 2:
        return 0.0
    reach = stdtrit(count - 1, 1 - risk) * np.sqrt(variance + shifted * (1 - precision) ** 2)
    return min(_wilson(right, risk, "greater")[0], float(precision - reach))


def shift(right: NDArray[np.bool_], clusters: NDArray[np.int64], parts: NDArray[np.int64]) -> float:
    """Return by how much the rate of errors differs between parts, beyond what clusters alone would make.

    As a variance, relative to the rate itself: where all mentions say 0.04, errors are rarer or more
    frequent by a fifth from part to part, and so they are expected to be among the surest, of which too
    few are wrong to tell. The estimate of moments (DerSimonian and Kacker 2007), each part weighed by its
    mentions; 0 where parts differ no more than by chance, and where it cannot be told, with one part or no error.

    Parameters
    ----------
    right : bool array of shape (mentions,)
    clusters, parts : int64 arrays of shape (mentions,)
        Numbers, from 0, of what errs together, and of what may differ from what comes next.
    """
    if right.all():
        return 0.0
    residuals = right - right.mean()
    sizes, sums = np.bincount(parts), np.bincount(parts, weights=residuals)
    of_cluster = np.bincount(clusters, weights=residuals)
    part_of_cluster = np.zeros(len(of_cluster), dtype=np.int64)
    part_of_cluster[clusters] = parts
    within = np.bincount(part_of_cluster, weights=of_cluster**2, minlength=len(sizes))
    here = sizes > 0
    sizes, sums, within = sizes[here], sums[here], within[here]
    total = sizes.sum()
    by_chance = (within / sizes * (1 - sizes / total)).sum()
    weight = total - (sizes**2).sum() / total
    between = float(((sums**2 / sizes).sum() - by_chance) / weight) if weight > 0 else 0.0
    return max(0.0, between) / float(1 - right.mean()) ** 2


def interval(right: NDArray[np.bool_], clusters: NDArray[np.int64], risk: float = 0.05) -> tuple[float, float]:
    """Return the interval of a precision, the wider of the two of `lower_bound` on either side.

    For these documents: what the next ones may differ is left out.
    """
    precision, variance, count = _ratio(right, clusters)
    if count < 2:
        return 0.0, 1.0
    reach = float(stdtrit(count - 1, 1 - risk / 2) * np.sqrt(variance))
    low, high = _wilson(right, risk, "two-sided")
    return max(0.0, min(low, precision - reach)), min(1.0, max(high, precision + reach))


def standard_error(right: NDArray[np.bool_], clusters: NDArray[np.int64]) -> float:
    """Return the standard error of a precision as a ratio over clusters; infinite where there are fewer than two."""
    return float(np.sqrt(_ratio(right, clusters)[1]))


def _ratio(right: NDArray[np.bool_], clusters: NDArray[np.int64]) -> tuple[float, float, int]:
    """Return a precision, its variance and the number of clusters."""
    precision = float(right.mean()) if len(right) else 0.0
    residuals = np.bincount(clusters, weights=right - precision)
    count = int(np.count_nonzero(np.bincount(clusters)))
    if count < 2:
        return precision, float("inf"), count
    return precision, count / (count - 1) * float((residuals**2).sum()) / len(right) ** 2, count


def _wilson(right: NDArray[np.bool_], risk: float, alternative: Literal["greater", "two-sided"]) -> tuple[float, float]:
    """Return Wilson's bounds (1927)."""
    from scipy.stats import binomtest

    bounds = binomtest(int(right.sum()), len(right), alternative=alternative).proportion_ci(1 - risk, method="wilson")
    return float(bounds.low), float(bounds.high)

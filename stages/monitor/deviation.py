"""How far two samples are apart, in percent, and how sure that is.

Counts stay integers until the last division, so that equal distances are equal floats and a distance of exactly 5 %
is exactly 5.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Kind = Literal["category", "number"]
Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

LEVELS = 1000
"""Distinct values of a column that are told apart; of more, neighbours (or the rarest categories) are one."""


@dataclass(frozen=True)
class Counts:
    """One column of both samples, as counts.

    Parameters
    ----------
    kind : {"category", "number"}
    window, profile : array of int, shape (..., levels)
        Rows by value: at 0 those without one, then the values in their order. Where `window` has more dimensions,
        it holds several windows, each compared with the same profile.
    """

    kind: Kind
    window: Integers
    profile: Integers

    @property
    def deviation(self) -> Floats:
        """Distance of each window from the profile, in percent; NaN where a sample is empty."""
        return self._measured()[0]

    @property
    def standard_error(self) -> Floats:
        """Standard error of each deviation, in points, at the set of values in which the samples differ most.

        Shares are taken with one row more on either side (Agresti & Coull 1998), so that a set that is empty in a small
        sample is not taken for one that cannot occur.
        """
        _, *inside, rows = self._measured()
        window, profile = ((within + 1) / (of + 2) for within, of in zip(inside, rows, strict=True))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(100 * np.sqrt(window * (1 - window) / rows[0] + profile * (1 - profile) / rows[1]))

    def _measured(self) -> tuple[Floats, Integers, Integers, tuple[Integers, Integers]]:
        return _MEASURES[self.kind](self.window, self.profile)


def count_values(profile: ArrayLike, window: ArrayLike, kind: Kind) -> Counts:
    """Count the values of a column in both samples.

    Parameters
    ----------
    profile, window : sequence of str or None, or of float with NaN
        None and NaN are missing values.
    kind : {"category", "number"}
    """
    codes, levels = coded([profile, window], kind)
    return Counts(kind, np.bincount(codes[1], minlength=levels), np.bincount(codes[0], minlength=levels))


def coded(samples: Sequence[ArrayLike], kind: Kind) -> tuple[list[Integers], int]:
    """Replace values by numbers: 0 where there is none, else 1 + its rank among those of all samples.

    Returns
    -------
    codes : list of array of int
        As long as the samples.
    levels : int
        One more than the largest code.
    """
    arrays = [np.asarray(sample, dtype=object if kind == "category" else np.float64) for sample in samples]
    pooled: Any = np.concatenate(arrays)
    ranks, values = pd.factorize(pooled, sort=True)
    ranks, levels = _at_most(ranks + 1, len(values) + 1, kind)
    return np.split(ranks, np.cumsum([len(array) for array in arrays])[:-1]), levels


def _at_most(codes: Integers, levels: int, kind: Kind) -> tuple[Integers, int]:
    """Tell no more than `LEVELS` values apart: numbers that lie together are one, and so are the rarest categories."""
    if levels <= LEVELS + 1:
        return codes, levels
    counts = np.bincount(codes, minlength=levels)
    below = np.cumsum(counts[1:]) - counts[1:]
    if kind == "number":
        merged = 1 + below * LEVELS // max(1, counts[1:].sum())
    else:
        order = np.argsort(-counts[1:], kind="stable")
        merged = np.full(levels - 1, LEVELS)
        merged[order[: LEVELS - 1]] = np.arange(1, LEVELS)
    return np.concatenate([[0], merged])[codes], LEVELS + 1


def total_variation(profile: ArrayLike, window: ArrayLike) -> float:
    """Total variation distance of two samples of categories: half the sum of differences of shares.

    The share of rows that would have to change their category to make the samples alike
    (Levin & Peres 2017, Markov Chains and Mixing Times, prop. 4.2). Missing is a category of its own.

    Returns
    -------
    float
        0 to 100 percent; NaN when a sample is empty.

    >>> total_variation(["a", "a", "b", "b"], ["a", "a", "a", None])
    50.0
    """
    return float(count_values(profile, window, "category").deviation)


def kolmogorov_smirnov(profile: ArrayLike, window: ArrayLike) -> float:
    """Kolmogorov-Smirnov distance of two samples of numbers: largest gap of their distribution functions.

    Missing values are left out of it; but when their share differs by more than the largest gap,
    the difference of the shares is the distance.

    Returns
    -------
    float
        0 to 100 percent; NaN when a sample is empty.

    >>> kolmogorov_smirnov([1, 2, 3, 4], [3, 4, 5, 6])
    50.0
    """
    return float(count_values(profile, window, "number").deviation)


def _percent(numerator: Integers, denominator: Integers) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(100 * numerator / denominator)


def _categories(window: Integers, profile: Integers) -> tuple[Floats, Integers, Integers, tuple[Integers, Integers]]:
    # a/n - b/m = (a m - b n) / (n m)
    n, m = window.sum(-1), profile.sum(-1)
    gaps = window * m - profile * n[..., None]
    more = gaps > 0
    return (
        _percent(abs(gaps).sum(-1), 2 * n * m), (window * more).sum(-1), (profile * more).sum(-1), (n, m)
    )  # fmt: skip


def _numbers(window: Integers, profile: Integers) -> tuple[Floats, Integers, Integers, tuple[Integers, Integers]]:
    """Take the difference of the missing shares, or the largest gap among those that are there."""
    n, m = window.sum(-1), profile.sum(-1)
    missing = _percent(abs(window[..., 0] * m - n * profile[0]), n * m)
    there, there_too = n - window[..., 0], m - profile[0]
    below, below_too = window[..., 1:].cumsum(-1), profile[1:].cumsum()
    gaps = abs(below * there_too - there[..., None] * below_too)
    if not gaps.shape[-1]:
        return missing, window[..., 0], np.broadcast_to(profile[0], n.shape), (n, m)
    at = gaps.argmax(-1)
    largest = _percent(np.take_along_axis(gaps, at[..., None], -1)[..., 0], there * there_too)
    by_gap = ~(missing > largest) & ~np.isnan(largest)
    inside = np.where(by_gap, np.take_along_axis(below, at[..., None], -1)[..., 0], window[..., 0])
    inside_too = np.where(by_gap, below_too[at], profile[0])
    rows = np.where(by_gap, there, n), np.where(by_gap, there_too, m)
    return np.fmax(missing, largest), inside, inside_too, rows


_MEASURES = {"category": _categories, "number": _numbers}

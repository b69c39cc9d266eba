"""How far two samples are apart, in percent, and how far they would be by chance alone.

Counts stay integers until the last division, so that equal distances are equal floats, a distance
of exactly 5 % is exactly 5.0, and ties between permutations are real ties.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Kind = Literal["category", "number"]
Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

_CELLS = 4_000_000
"""Cells of a table of counts that are held at once."""


@dataclass(frozen=True)
class Coded:
    """One column of both samples, the window's rows first.

    Parameters
    ----------
    kind : {"category", "number"}
    codes : array of int, shape (rows of both,)
        0 where the value is missing, else 1 + its rank among the distinct values.
    window : int
        How many of the rows belong to the window.
    """

    kind: Kind
    codes: Integers
    window: int

    @property
    def totals(self) -> Integers:
        """Rows of both samples per code."""
        return np.bincount(self.codes, minlength=1)

    def distance(self, counts: Integers) -> Floats:
        """Distance between the rows counted in `counts` (..., codes) and all the others."""
        return _DISTANCES[self.kind](counts, self.totals)

    @property
    def deviation(self) -> float:
        """Distance between window and profile, in percent."""
        return float(self.distance(np.bincount(self.codes[: self.window], minlength=len(self.totals))))


def coded(profile: ArrayLike, window: ArrayLike, kind: Kind) -> Coded:
    """Replace values by the rank of the value among both samples.

    Parameters
    ----------
    profile, window : sequence of str or None, or of float with NaN
        None and NaN are missing values.
    kind : {"category", "number"}
    """
    first = np.asarray(window, dtype=object if kind == "category" else np.float64)
    second = np.asarray(profile, dtype=first.dtype)
    pooled = np.concatenate([first, second])
    missing = (pooled == None) | (pooled != pooled)  # noqa: E711, PLR0124 - elementwise; NaN differs from itself
    codes = np.zeros(len(pooled), dtype=np.int64)
    present: Any = pooled[~missing].astype(str) if kind == "category" else pooled[~missing]
    codes[~missing] = 1 + np.unique(present, return_inverse=True)[1]
    return Coded(kind, codes, len(first))


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
    return coded(profile, window, "category").deviation


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
    return coded(profile, window, "number").deviation


def _percent(numerator: Integers, denominator: Integers) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return 100 * numerator / denominator


def _category_distance(counts: Integers, totals: Integers) -> Floats:
    # c/n - (C-c)/m = (c N - n C) / (n m), with N = n + m
    n, N = counts.sum(-1), totals.sum()
    return _percent(abs(counts * N - n[..., None] * totals).sum(-1), 2 * n * (N - n))


def _number_distance(counts: Integers, totals: Integers) -> Floats:
    # the difference of the missing shares, and the gap among those that are there
    n, N = counts.sum(-1), totals.sum()
    missing = _percent(abs(counts[..., 0] * N - n * totals[0]), n * (N - n))
    n, N = n - counts[..., 0], N - totals[0]
    if N == 0:
        return missing
    gaps = abs(counts[..., 1:].cumsum(-1) * N - n[..., None] * totals[1:].cumsum()).max(-1)
    return np.fmax(missing, _percent(gaps, n * (N - n)))


_DISTANCES = {"category": _category_distance, "number": _number_distance}


def sampling_noise(columns: Mapping[str, Coded], *, resamples: int, significance: float, seed: int) -> dict[str, float]:
    """Find, per column, the deviation that chance alone exceeds too rarely to be believed.

    When nothing changed, the labels "window" and "profile" are exchangeable: pool the rows, draw a
    window of the same size without replacement, measure again. Whole rows are drawn, so that the
    dependence between columns is kept. Each deviation becomes a rank in its own column (columns
    differ in noise by an order of magnitude, so that a maximum of raw deviations would be the
    noisiest column's), and the depth of rank is as large as leaves at most `significance` of the
    resamples exceeding it in any column: single-step minP, Westfall & Young 1993, sec. 2.5. The
    observed window is one of the resamples and ties count against it, which makes the bound exact
    at any number of resamples (Phipson & Smyth 2010).

    Parameters
    ----------
    columns : mapping of str to Coded
        All over the same rows.
    resamples : int
        At least ``columns / significance``.
    significance : float
        Chance that any deviation is above its noise although nothing changed.
    seed : int

    Returns
    -------
    dict of str to float
        Percent per column; a deviation counts when it is larger. Infinite when `resamples` are too
        few for `significance`. Independent of the order of rows and of columns, and the same when
        window and profile change places.
    """
    if not columns:
        return {}
    names = sorted(columns)
    ordered = [columns[name] for name in names]
    chance = _deviations_by_chance(ordered, resamples, seed)
    observed = np.array([column.deviation for column in ordered])
    depth = _depth(np.vstack([chance, observed]), significance)
    if depth == 0:
        return dict.fromkeys(columns, math.inf)
    noise = dict(zip(names, np.sort(chance, axis=0)[-depth], strict=True))
    return {name: float(noise[name]) for name in columns}


def _deviations_by_chance(columns: list[Coded], resamples: int, seed: int) -> Floats:
    """Deviations of random windows, shape (resamples, columns)."""
    rows, window = len(columns[0].codes), columns[0].window
    size = min(window, rows - window)  # the distance is symmetric: draw the smaller side
    order = np.lexsort([column.codes for column in columns])
    totals = [column.totals for column in columns]
    step = max(1, _CELLS // max(rows, *map(len, totals)))
    generator = np.random.default_rng(seed)
    result = np.empty((resamples, len(columns)))
    for first in range(0, resamples, step):
        part = slice(first, min(first + step, resamples))
        draws = np.stack([generator.choice(order, size, False, shuffle=False) for _ in range(part.stop - part.start)])
        for number, column in enumerate(columns):
            counts = _counted(column.codes[draws], len(totals[number]))
            result[part, number] = column.distance(counts)
    return result


def _counted(codes: Integers, levels: int) -> Integers:
    """Count codes row by row: (draws, rows) to (draws, levels)."""
    draws = len(codes)
    cells = codes + levels * np.arange(draws)[:, None]
    return np.bincount(cells.ravel(), minlength=draws * levels).reshape(draws, levels)


def _depth(deviations: Floats, significance: float) -> int:
    """Largest rank that at most `significance` of the rows reach in any column; 1 is the column's largest."""
    ascending = np.sort(deviations, axis=0)
    below = [np.searchsorted(a, d, side="left") for a, d in zip(ascending.T, deviations.T, strict=True)]
    best = np.sort((len(deviations) - np.column_stack(below)).min(axis=1))  # rank among those at least as large
    allowed = min(math.floor(significance * len(deviations) + 1e-9), len(best) - 1)
    return int(best[allowed]) - 1  # one row more than allowed reaches best[allowed]

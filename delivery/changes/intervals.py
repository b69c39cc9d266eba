"""Intervals of differences where no counts by document are at hand."""

from __future__ import annotations

from math import sqrt

from delivery.changes.bootstrap import Difference


def between_intervals(old: tuple[float, float, float], new: tuple[float, float, float]) -> Difference:
    """Combine two estimates with their own 95% intervals, as if they were independent (MOVER).

    Runs scored on the same documents rise and fall together, so that this is wider than the paired
    interval: it misses small changes and seldom cries wolf. Zou & Donner 2008, equation 3.

    Parameters
    ----------
    old, new : (estimate, low, high)

    >>> difference = between_intervals((0.80, 0.77, 0.83), (0.82, 0.78, 0.86))
    >>> round(difference.low, 4), round(difference.high, 4)
    (-0.03, 0.07)
    """
    difference = new[0] - old[0]
    low = difference - sqrt((new[0] - new[1]) ** 2 + (old[2] - old[0]) ** 2)
    high = difference + sqrt((new[2] - new[0]) ** 2 + (old[0] - old[1]) ** 2)
    return Difference(difference, low, high)


def between_shares(old: tuple[int, int], new: tuple[int, int]) -> Difference:
    """Compare two shares of independent cases (Newcombe 1998, method 10).

    Parameters
    ----------
    old, new : (passed, cases)
        At least one case each.

    >>> difference = between_shares((48, 80), (56, 70))  # Newcombe 1998, table II (a), with sides exchanged
    >>> round(difference.difference, 4), round(difference.low, 4), round(difference.high, 4)
    (0.2, 0.0524, 0.3339)
    """
    return between_intervals(_wilson(*old), _wilson(*new))


def _wilson(passed: int, cases: int) -> tuple[float, float, float]:
    from scipy.stats import binomtest

    low, high = binomtest(passed, cases).proportion_ci(0.95, method="wilson")
    return passed / cases, low, high

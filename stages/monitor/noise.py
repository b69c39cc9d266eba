"""How large a deviation becomes by chance alone, at any level, for any number of notes.

Two samples of `n` and `m` notes of one population differ by ``g / sqrt(n m / (n + m))``, where `g` is multinomial
noise, in the limit a Gaussian vector (van der Vaart 1998, Asymptotic Statistics, ch. 17 and 19). The noise of the
profile is in it as well as that of the window: against a profile taken for the truth, the same error would be counted
as drift week after week. Levels of a year of looks are far out in the tail (1e-6): there no permutation has samples,
and a quantile is continued from where there are some.

What is rare, as notes in quarantine are, is no Gaussian: one note in a window of 50 is 2%, and of a year of such
windows a fifth had a false alarm. A share is therefore compared by the exact test of two rates (Przyborowski &
Wilenski 1940, Biometrika 31): of all rare notes, as many fall into the window as coins would.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from stages.monitor.deviation import Counts, Floats, Integers, Kind

_DRAWS = 20_000
_BEYOND = 40
"""Draws above a quantile that can be read off; farther out it is continued."""
_EXACT_LEVELS = 30
"""Values of a number up to which its noise is simulated; for more, that of a continuous one is nearly as small."""
_CELLS = 2_000_000


@dataclass(frozen=True)
class Noise:
    """Deviation by chance of one column, times the root of the effective number of notes.

    Parameters
    ----------
    kind : {"category", "number"}
    draws : array of float or None
        In ascending order; None where the limit has a closed form (Kolmogorov's).
    missing : float
        Share of the rows without a value, of a number; its deviation is a part of the column's.
    variance : float
        Largest of the shares of sets of values that are compared, for one note; at most a quarter.
    """

    kind: Kind
    draws: Floats | None
    missing: float
    variance: float = 0.25

    def quantile(self, level: float) -> float:
        """Return what is exceeded with the probability `level`, in percent times the root of notes.

        Beyond the draws it falls as the noise of one share does, ``exp(-x^2 / 2 sigma^2)`` with the largest `sigma`
        there can be (Borell's inequality: Adler & Taylor 2007, Random Fields and Geometry, thm. 2.1.1).
        """
        from scipy.special import kolmogi, ndtri

        gone = self.missing * (1 - self.missing)
        if self.kind == "number" and gone:
            level /= 2  # the share of missing values and the values that are there are two tests
        if self.draws is None:
            value = 100 * float(kolmogi(level))
        elif not self.draws[-1]:
            value = 0.0
        else:
            above = max(level * len(self.draws), _BEYOND)
            read = float(self.draws[len(self.draws) - math.floor(above)])
            value = math.sqrt(read**2 + 2e4 * self.variance * max(0.0, math.log(above / len(self.draws) / level)))
        if self.kind == "number" and gone:
            value = max(value, -100 * float(ndtri(level / 2)) * math.sqrt(gone))
        return value


def noise_of(column: Counts, seed: int) -> Noise:
    """Find the noise of a column from the shares of its values in window and profile together.

    Parameters
    ----------
    column : Counts
        Of one window.
    seed : int
    """
    pooled = column.window + column.profile
    missing = float(pooled[0] / pooled.sum()) if column.kind == "number" else 0.0
    there = pooled[1:] if column.kind == "number" else pooled
    there = there[there > 0]
    if column.kind == "number" and len(there) > _EXACT_LEVELS:
        return Noise(column.kind, None, missing)
    if len(there) < 2:
        return Noise(column.kind, np.zeros(1), missing)
    draws = _simulated(tuple(there.tolist()), column.kind, seed)
    return Noise(column.kind, draws, missing, _largest_variance(there / there.sum(), column.kind))


def _largest_variance(shares: Floats, kind: Kind) -> float:
    """Return the largest variance of the share of a set: of categories any, of numbers those up to a value."""
    sets = shares.cumsum()[:-1] if kind == "number" else np.array([max(0.5, shares.max())])
    return float((sets * (1 - sets)).max())


def allowed(column: Counts, noise: Noise, level: float) -> Floats:
    """Return for each window the deviation in percent that chance alone exceeds with the probability `level` or less.

    Parameters
    ----------
    column : Counts
    noise : Noise
        As `noise_of` finds it; of a number of two values, both of which all rows have, only their counts are asked.
    level : float
    """
    present = column.window.reshape(-1, column.window.shape[-1]).sum(axis=0) + column.profile
    values = np.flatnonzero(present)
    if column.kind == "number" and len(values) == 2 and values[0]:
        return _allowed_of_share(column, int(values[present[values].argmin()]), level)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(noise.quantile(level) / np.sqrt(effective_notes(column)))


def _allowed_of_share(column: Counts, rare: int, level: float) -> Floats:
    """Return the largest difference of the shares of a rare value that is not beyond chance, on the side it lies."""
    n, m = column.window.sum(-1), column.profile.sum(-1)
    found = column.window[..., rare]
    together = found + column.profile[rare]
    with np.errstate(divide="ignore", invalid="ignore"):
        part = n / (n + m)
        more = found > together * part
        fewest = _coins(level / 2, together, np.where(more, 1 - part, part))
        edge = np.where(more, together - fewest, fewest)
        return np.asarray(100 * abs(edge * m - (together - edge) * n) / (n * m))


def _coins(level: float, coins: Integers, heads: Floats) -> Floats:
    """Return the fewest heads that are not beyond chance: fewer have a probability below `level`."""
    from scipy.special import bdtr, bdtrik  # not scipy.stats, whose import takes more than all the rest

    above = np.ceil(np.nan_to_num(bdtrik(level, coins, heads)))
    one_less = np.maximum(above - 1, 0)
    return np.where(bdtr(one_less, coins, heads) >= level, one_less, above)


@lru_cache(maxsize=64)
def _simulated(counts: tuple[int, ...], kind: Kind, seed: int) -> Floats:
    shares, generator = np.array(counts) / sum(counts), np.random.default_rng(seed)
    result = np.empty(_DRAWS)
    step = max(1, _CELLS // len(shares))
    for first in range(0, _DRAWS, step):
        normal = generator.standard_normal((min(step, _DRAWS - first), len(shares))) * np.sqrt(shares)
        noise = normal - normal.sum(axis=1, keepdims=True) * shares
        apart = abs(noise).sum(axis=1) / 2 if kind == "category" else abs(noise.cumsum(axis=1)).max(axis=1)
        result[first : first + step] = 100 * apart
    return np.sort(result)


def effective_notes(column: Counts) -> Floats:
    """Return the effective number of rows with a value in each window and the profile, ``n m / (n + m)``."""
    rows = column.window.sum(-1), column.profile.sum(-1)
    if column.kind == "number":
        rows = rows[0] - column.window[..., 0], rows[1] - column.profile[..., 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(rows[0] * rows[1] / (rows[0] + rows[1]))

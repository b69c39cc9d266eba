"""Notes drawn with unequal probabilities: what each stands for, and how sure a sum over them is.

Poisson sampling within strata whose notes are counted (Särndal, Swensson and Wretman 1992, ch. 3 and 7).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

Floats = NDArray[np.float64]

LEVEL = 0.95

FEWEST = 5
"""Reviewed notes from which on a stratum stands for itself; of fewer no variance can be told."""


class Spread(NamedTuple):
    """A variance, and the degrees of freedom that it was estimated with."""

    variance: float
    freedom: float


@dataclass(frozen=True)
class Drawn:
    """Notes that were drawn.

    Parameters
    ----------
    strata : int64 array of shape (notes,)
        Number of the stratum of each.
    probabilities : float64 array of shape (notes,)
    weights : float64 array of shape (notes,)
        How many notes each stands for: in each stratum as many as it has.
    """

    strata: NDArray[np.int64]
    probabilities: Floats
    weights: Floats

    @classmethod
    def of(cls, strata: Sequence[str], probabilities: Sequence[float], sizes: Mapping[str, int]) -> Self:
        """Weigh notes by their probabilities, and the notes of each stratum up to its size."""
        pools = _pools(strata, sizes)
        numbers = np.array([pools[name] for name in strata], dtype=np.int64)
        chances = np.array(probabilities, dtype=np.float64)
        weights = 1 / chances
        for number in np.unique(numbers):
            here = numbers == number
            notes = sum(sizes[name] for name, pool in pools.items() if pool == number)
            weights[here] *= notes / horvitz_thompson(np.ones(here.sum()), chances[here])
        return cls(numbers, chances, weights)

    def total(self, values: Floats) -> float:
        """Return the sum over all notes."""
        return float(self.weights @ values)

    def spread(self, influence: Floats) -> Spread:
        """Return the variance of a total, note by note within strata: what stands in one note errs together.

        The degrees of freedom are those of a variance that is as unsure as this one: few where few notes make most of
        it, as where hardly any holds an error.
        """
        values = self.weights * influence
        squares = np.zeros(len(values))
        for number in np.unique(self.strata):
            here = self.strata == number
            count = int(here.sum())
            deviations = values[here] - (values[here].mean() if count > 1 else 0.0)
            squares[here] = (1 - self.probabilities[here]) * deviations**2 * count / max(1, count - 1)
        variance, unsure = float(squares.sum()), float(((squares - squares.mean()) ** 2).sum())
        most = float(max(1, len(values) - len(np.unique(self.strata))))
        return Spread(variance, min(most, 2 * variance**2 / unsure) if unsure > 0 else most)

    def effective(self, sizes: Floats) -> float:
        """Return as how many mentions those that were seen count, weighed as they are (Kish 1965)."""
        squares = float(self.weights**2 @ sizes)
        return self.total(sizes) ** 2 / squares if squares > 0 else 0.0


def _pools(strata: Sequence[str], sizes: Mapping[str, int]) -> dict[str, int]:
    """Put strata into pools: those with fewer than `FEWEST` reviewed notes share one with the next larger one."""
    reviewed = Counter(strata)
    names = sorted((name for name, size in sizes.items() if size), key=lambda name: (reviewed[name], name))
    pools, number, held = {}, 0, 0
    for name in names:
        pools[name], held = number, held + reviewed[name]
        if held >= FEWEST:
            number, held = number + 1, 0
    return {name: min(pool, max(0, number - 1)) for name, pool in pools.items()}


def horvitz_thompson(values: Floats, probabilities: Floats, control: float = 0.0) -> float:
    """Return the sum over all notes from those that were drawn; without bias, whatever the values.

    Parameters
    ----------
    values : float64 array of shape (notes,)
        Of each drawn note; with a control what it differs from the control there.
    probabilities : float64 array of shape (notes,)
        With which each was drawn.
    control : float
        The control's sum over all notes, drawn or not.
    """
    return control + float((values / probabilities).sum())


def symmetric(value: float, spread: Spread) -> tuple[float, float]:
    """Return Student's interval."""
    reach = float(stdtrit(spread.freedom, 0.5 + LEVEL / 2)) * float(np.sqrt(spread.variance))
    return value - reach, value + reach


def wilson(share: float, spread: Spread, most: float) -> tuple[float, float]:
    """Return Wilson's interval (1927) of a share, as if it had been counted in as many cases as its variance says.

    Parameters
    ----------
    share : float
    spread : Spread
    most : float
        Cases that were seen. Where hardly any is wrong the variance is mostly that of the control, or none,
        and would pretend more. So a control gains no more than what clusters cost.
    """
    told = share * (1 - share) / spread.variance if spread.variance > 0 else most
    cases = min(told, most) if 0 < share < 1 else most
    if cases <= 0:
        return 0.0, 1.0
    square = float(stdtrit(spread.freedom, 0.5 + LEVEL / 2)) ** 2 / cases
    middle = (share + square / 2) / (1 + square)
    reach = float(np.sqrt(square * (share * (1 - share) + square / 4))) / (1 + square)
    return (0.0 if share <= 0 else middle - reach), (1.0 if share >= 1 else middle + reach)

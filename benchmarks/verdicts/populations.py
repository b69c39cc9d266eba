"""Imaginary hospitals: the shares of the values of a serving log's columns, and the same with a shift of known size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta, norm, poisson

from stages.monitor.deviation import Counts, Floats, Integers, Kind


@dataclass(frozen=True)
class Population:
    """Shares of a column's values; at 0 of those that are missing.

    Parameters
    ----------
    kind : {"category", "number"}
    shares : array of float, shape (levels,)
    of_model : bool
        Whether the profile has it for documents outside train only: two fifths.
    """

    kind: Kind
    shares: Floats
    of_model: bool = False

    def profile_notes(self, notes: int) -> int:
        """Return how many of so many annotated documents it can be compared with."""
        return round(0.4 * notes) if self.of_model else notes

    def draw(self, generator: np.random.Generator, notes: int, size: int | tuple[int, ...] | None = None) -> Integers:
        """Count the values of so many notes."""
        return generator.multinomial(notes, self.shares, size=size)


def _category(*weights: float) -> Population:
    return Population("category", np.array([0.0, *weights]) / sum(weights))


def _number(weights: Floats, missing: float = 0.0, *, of_model: bool = False) -> Population:
    shares = np.concatenate([[missing], (1 - missing) * weights / weights.sum()])
    return Population("number", shares, of_model)


HOSPITAL: Mapping[str, Population] = {
    "note_type": _category(0.24, 0.2, 0.17, 0.15, 0.14, 0.1),
    "speciality": _category(0.1, *[0.07] * 8, *[0.045] * 5, *[0.04] * 3),
    "sex": _category(0.49, 0.46, 0.05),
    "age_band": _category(0.32, 0.27, 0.22, 0.11, 0.08),
    "tokens": _number(np.diff(norm.cdf(np.arange(39.5, 142.5), 90, 11.4))),
    "unknown_tokens": _number(np.diff(beta.cdf(np.linspace(0, 0.4, 121), 6.2, 45)), of_model=True),
    "diseases": _number(poisson.pmf(np.arange(13), 3.5), of_model=True),
    "treatments": _number(poisson.pmf(np.arange(18), 4.8), of_model=True),
    "confidence": _number(np.diff(beta.cdf(np.linspace(0.5, 1, 201), 25, 4.2)), 0.05, of_model=True),
}
"""Columns in the shapes that the seed's notes have."""

SHIFTED = ("note_type", "tokens", "diseases")
"""Columns of each kind in which a drift is planted: of the input and of the model, of few values and of many."""


def shifted(population: Population, distance: float) -> Population:
    """Return a population whose true deviation is exactly `distance`, a share.

    Of categories, the most frequent ones lose notes to the rest; of numbers, those up to the median to those above.
    """
    if not distance:
        return population
    shares = population.shares.copy()
    if population.kind == "category":
        order = np.argsort(-shares)
        lost = np.cumsum(0.8 * shares[order])
        number = int(np.searchsorted(lost, distance)) + 1
        from_, to = order[:number], order[number:]
        shares[from_] -= distance * shares[from_] / shares[from_].sum()
        shares[to] += distance * population.shares[to] / population.shares[to].sum()
    else:
        there = shares[1:] / shares[1:].sum()
        middle = int(np.searchsorted(there.cumsum(), 0.5)) + 1
        below, above = there[:middle].sum(), there[middle:].sum()
        there[:middle] *= 1 - distance / below
        there[middle:] *= 1 + distance / above
        shares[1:] = (1 - shares[0]) * there
    return Population(population.kind, shares, population.of_model)


def true_deviation(first: Population, second: Population) -> float:
    """Return the deviation of two populations in percent."""
    scaled = [np.round(one.shares * 1e7).astype(np.int64) for one in (first, second)]
    return float(Counts(first.kind, scaled[0], scaled[1]).deviation)


def correlated_rows(generator: np.random.Generator, notes: int, correlation: float) -> dict[str, Integers]:
    """Draw notes whose columns depend on each other; return the code of each value.

    A Gaussian copula with one common factor: every two columns have the same rank correlation, about `correlation`.
    """
    common = np.sqrt(correlation) * generator.standard_normal(notes)
    rows = {}
    for name, population in HOSPITAL.items():
        own = np.sqrt(1 - correlation) * generator.standard_normal(notes)
        ends = population.shares.cumsum()
        rows[name] = np.minimum(np.searchsorted(ends, norm.cdf(common + own)), len(ends) - 1)
    return rows

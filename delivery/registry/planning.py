"""How many test documents a comparison needs, told before anybody annotates them. Pure: no server, no git, no files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from delivery.changes.bootstrap import paired_counts
from delivery.errors import DeliveryError
from delivery.registry.bounds import Bounds
from delivery.registry.comparing import lower_score
from delivery.registry.noninferiority import BoundedDifference
from stages.common.wording import agreeing

CORRELATIONS: Mapping[str, float] = {
    "much alike (.95)": 0.95,
    "another seed (.90)": 0.90,
    "little alike (.70)": 0.70,
}
"""Of what the documents say of two models; between seeds .90, measured on NCBI-disease (decision 43)."""

_DRAWS = 1000
_MOST = 20_000


@dataclass(frozen=True)
class Spread:
    """How much documents differ in what they say of two models.

    Parameters
    ----------
    covariance : array of shape (1 + labels, 1 + labels)
        Of what one document adds to the difference of F1, over all labels and of each.
    named : tuple of float
        Share of the documents that name something: 1, and of each label.
    """

    covariance: NDArray[np.float64]
    named: tuple[float, ...]

    @classmethod
    def expected(cls, counts: pd.DataFrame, correlation: float) -> Spread:
        """Take another model to be as uneven as the champion, and so much alike."""
        covariance = np.atleast_2d(np.cov(_influences(counts), ddof=1))
        return cls(2 * (1 - correlation) * covariance, _named(counts))

    @classmethod
    def measured(cls, old: pd.DataFrame, new: pd.DataFrame) -> Spread:
        """Take that of two models on the documents that both have scored."""
        sides = [side[side["document"].isin(set(old["document"]) & set(new["document"]))] for side in (old, new)]
        return cls(np.atleast_2d(np.cov(_influences(sides[1]) - _influences(sides[0]), ddof=1)), _named(sides[0]))

    @property
    def of_a_document(self) -> float:
        """Standard deviation over documents of the difference over all labels."""
        return float(np.sqrt(self.covariance[0, 0]))


def acceptance_rate(spread: Spread, documents: int, change: float, bounds: Bounds) -> float:
    """Return how often a challenger passes the gates of strict F1, if it differs by that much in every label.

    Never with fewer documents than `minimum_documents`, which are no comparison.
    """
    from scipy.stats import t

    if documents < bounds.minimum_documents:
        return 0.0
    errors = np.sqrt(np.diag(spread.covariance) / documents)
    reach = t.ppf(bounds.confidence, max(1, documents - 1)) * errors
    chance = np.random.default_rng(bounds.seed).standard_normal((_DRAWS, len(errors)))
    drawn = change + chance @ _root(spread.covariance).T / sqrt(documents)
    enough = [share * documents >= bounds.minimum_documents for share in spread.named]
    return float(np.mean([_passes(row, reach, enough, bounds) for row in drawn]))


def documents_needed(spread: Spread, change: float, bounds: Bounds, rate: float = 0.8) -> int | None:
    """Return from how many documents on such a challenger passes so often; None: beyond what is looked at."""
    fewest = bounds.minimum_documents
    if acceptance_rate(spread, _MOST, change, bounds) < rate:
        return None
    low, high = fewest - 1, _MOST
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if acceptance_rate(spread, middle, change, bounds) >= rate else (middle, high)
    return high


def plan(counts: pd.DataFrame, measured: Mapping[str, pd.DataFrame], bounds: Bounds) -> pd.DataFrame:
    """Say what the champion's test documents can tell, and how many would do.

    Parameters
    ----------
    counts : DataFrame
        ``document, label, tp, fp, fn`` of the champion.
    measured : mapping of str to DataFrame
        The same of models that scored some of these documents, by what to call them.
    bounds : Bounds

    Returns
    -------
    DataFrame
        One row for each kind of challenger.

    Raises
    ------
    DeliveryError
        When these documents do not differ, as where there is one, or no error in any: a standard error of 0 would
        promise that any number of documents does.
    """
    here = counts["document"].nunique()
    if here < 2 or not Spread.expected(counts, 0.0).of_a_document > 0:
        said = agreeing(here, "test document/documents says/say nothing of how much documents differ")
        raise DeliveryError(f"{said}: annotate more, with mentions that the model gets wrong")
    spreads = {name: Spread.expected(counts, value) for name, value in CORRELATIONS.items()}
    spreads |= {name: Spread.measured(counts, other) for name, other in measured.items()}
    rows = [
        (
            name,
            100 * spread.of_a_document / sqrt(here),
            acceptance_rate(spread, here, 0.01, bounds),
            1 - acceptance_rate(spread, here, -bounds.margin, bounds),
            documents_needed(spread, 0.01, bounds),
            documents_needed(spread, 0.02, bounds),
        )
        for name, spread in spreads.items()
    ]
    columns = ["challenger", "error", "gain_accepted", "loss_refused", "documents_one_point", "documents_two_points"]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[-2:], "Int64"))


def plan_in_words(table: pd.DataFrame, bounds: Bounds) -> Iterator[str]:
    """Yield the lines of a plan."""
    heads = "standard error", "+1 point passes", f"-{100 * bounds.margin:g} refused", "+1 passes in 80%", "+2 in 80%"
    yield "  ".join([f"{'challenger':<24}", *(f"{head:>17}" for head in heads)])
    for name, error, gain, loss, *needed in table.itertuples(index=False):
        cells = f"{error:.2f} points", f"{gain:.0%}", f"{loss:.0%}", *map(_from_documents, needed)
        yield "  ".join([f"{name:<24}", *(f"{cell:>17}" for cell in cells)])


def _from_documents(number: object) -> str:
    return f"beyond {_MOST:,}" if number is pd.NA else f"{number:,} documents"


def _passes(drawn: NDArray, reach: NDArray, enough: list[bool], bounds: Bounds) -> bool:
    return not any(
        lower_score(BoundedDifference(value, value - far, value + far), bounds, of_label=place > 0, enough=many)
        for place, (value, far, many) in enumerate(zip(drawn, reach, enough, strict=True))
    )


def _influences(counts: pd.DataFrame) -> NDArray[np.float64]:
    """Return what each document adds to F1, over all labels and of each (the linear part of a ratio)."""
    labels = (None, *sorted(set(counts["label"])))
    return np.array([_influence(paired_counts(counts, counts, label=label)[0]) for label in labels])


def _influence(counts: NDArray) -> NDArray[np.float64]:
    weights = 2 * counts[:, 0] + counts[:, 1] + counts[:, 2]
    score = 2 * counts[:, 0].sum() / max(1, weights.sum())
    return (2 * counts[:, 0] - score * weights) / max(weights.mean(), 1e-9)


def _named(counts: pd.DataFrame) -> tuple[float, ...]:
    names = counts[counts["tp"] + counts["fn"] > 0].groupby("label")["document"].nunique()
    documents = counts["document"].nunique()
    return (1.0, *(float(names.get(label, 0)) / documents for label in sorted(set(counts["label"]))))


def _root(covariance: NDArray) -> NDArray[np.float64]:
    """Return a square root; a covariance may be singular, as with one label."""
    values, vectors = np.linalg.eigh(covariance)
    root: NDArray[np.float64] = vectors * np.sqrt(np.maximum(values, 0))
    return root

"""Is one run better than another beyond noise? Paired by test document, with an interval.

The tables are `metrics/documents.csv` of two revisions, or the same columns from anywhere else:
``document, label, tp, fp, fn``, strict counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from delivery.errors import DeliveryError

Metric = Literal["f1", "precision", "recall"]
Judgement = Literal["better", "worse", "within noise"]

LEVEL = 0.95
_COUNTS = ["tp", "fp", "fn"]
_CHUNK = 2**22  # drawn documents held at once: memory stays flat, whatever the number of documents


@dataclass(frozen=True)
class Difference:
    """New minus old, with its 95% interval."""

    difference: float
    low: float
    high: float


def paired_difference(
    old: pd.DataFrame,
    new: pd.DataFrame,
    *,
    label: str | None = None,
    metric: Metric = "f1",
    resamples: int = 2000,
    seed: int = 1,
) -> Difference:
    """Compare two runs on the documents that both have scored.

    Documents are drawn with replacement, the same ones for both runs, and the difference of the
    micro-averaged score is taken each time; its percentiles are the interval. The document is the
    sampling unit since mentions of one document are not independent (Efron & Tibshirani 1993,
    ch. 13; for NLP, Berg-Kirkpatrick, Burkett & Klein 2012; Dror et al. 2018).

    With few documents these percentiles are too narrow: they leave out 0 for luck alone in up to 8.5%
    of cases. So the interval is drawn out to 0 unless a second test agrees: exchanging the two runs in
    random documents must bring about so large a difference in less than 5% of cases (approximate
    randomization, Noreen 1989; Yeh 2000), which is exact whatever the number of documents.

    Parameters
    ----------
    old, new : DataFrame
        Columns ``document, label, tp, fp, fn``, counts of strict matches.
    label : str, optional
        Only mentions of this label; otherwise of all labels that both tables have.
    metric : {"f1", "precision", "recall"}
    resamples : int
    seed : int
        Of the resampling.

    Returns
    -------
    Difference
        Between -1 and 1.

    Raises
    ------
    DeliveryError
        When the tables have no document or no label in common, or not these columns.
    """
    counts = paired_counts(old, new, label=label)
    generator = np.random.default_rng(seed)
    drawn = _resampled(np.hstack(counts), metric, resamples, generator)
    difference = _difference(counts, metric, drawn[:, 1] - drawn[:, 0])
    reach = np.quantile(np.abs(_exchanged(counts, metric, resamples, generator)), LEVEL, method="higher")
    if abs(difference.difference) > reach:
        return difference
    return Difference(difference.difference, min(difference.low, 0.0), max(difference.high, 0.0))


def unpaired_difference(
    old: pd.DataFrame,
    new: pd.DataFrame,
    *,
    label: str | None = None,
    metric: Metric = "f1",
    resamples: int = 2000,
    seed: int = 1,
) -> Difference:
    """Compare two runs that were scored on different documents: each side is drawn on its own.

    Wider than the paired interval, and the documents themselves may be easier: a change of the data
    shows here as well as one of the model. Parameters as in `paired_difference`.

    Raises
    ------
    DeliveryError
        When the tables have no label in common, or not these columns.
    """
    sides = unpaired_counts(old, new, label=label)
    generator = np.random.default_rng(seed)
    before, after = (_resampled(side, metric, resamples, generator)[:, 0] for side in sides)
    return _difference(sides, metric, after - before)


def verdict(difference: Difference, direction: Literal["higher", "lower"]) -> Judgement:
    """Say what a difference means for a metric of that direction; an interval that holds 0 is noise.

    >>> verdict(Difference(0.02, 0.01, 0.03), "higher"), verdict(Difference(0.02, 0.0, 0.04), "higher")
    ('better', 'within noise')
    """
    if difference.low <= 0 <= difference.high:
        return "within noise"
    return "better" if (difference.difference > 0) == (direction == "higher") else "worse"


def paired_counts(
    old: pd.DataFrame, new: pd.DataFrame, *, label: str | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the counts of the common documents, one row each, in the same order.

    Returns
    -------
    old, new : int64 arrays of shape (n_documents, 3)
        Columns tp, fp, fn, summed over `label`, or over the labels that both tables have.

    Raises
    ------
    DeliveryError
        As `paired_difference`.
    """
    sides = [_by_document(table, label, old, new) for table in (old, new)]
    common = sides[0].index.intersection(sides[1].index)
    if common.empty:
        raise DeliveryError(
            "the two runs have no test document in common, so that their difference has no paired interval: "
            "score both models on the same documents"
        )
    before, after = (side.loc[common].to_numpy(np.int64) for side in sides)
    return before, after


def unpaired_counts(
    old: pd.DataFrame, new: pd.DataFrame, *, label: str | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the counts of each side's own documents, one row each.

    Returns
    -------
    old, new : int64 arrays of shape (n_documents, 3)
        Columns and labels as in `paired_counts`.

    Raises
    ------
    DeliveryError
        As `unpaired_difference`.
    """
    before, after = (_by_document(table, label, old, new).to_numpy(np.int64) for table in (old, new))
    return before, after


def _by_document(table: pd.DataFrame, label: str | None, old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    missing = {"document", "label", *_COUNTS} - (set(old.columns) & set(new.columns))
    if missing:
        raise DeliveryError(
            f"a table of documents lacks {', '.join(sorted(missing))}: "
            "it must be metrics/documents.csv as the stage evaluate writes it"
        )
    labels = set(old["label"]) & set(new["label"])
    labels = labels if label is None else labels & {label}
    if not labels:
        raise DeliveryError(
            f"no {label or 'label'} in both tables of documents, so there is nothing to compare: "
            "evaluate both models on data with the same labels"
        )
    return table[table["label"].isin(labels)].groupby("document", sort=True)[_COUNTS].sum()


def _resampled(table: NDArray[np.int64], metric: Metric, resamples: int, generator: np.random.Generator) -> NDArray:
    """Score each run (three columns of `table`) on documents drawn with replacement: one row per resample."""
    size = len(table)
    scores = []
    step = max(1, _CHUNK // size)
    for start in range(0, resamples, step):
        # How often each document is drawn, as float: the product is then one call of BLAS, and exact.
        drawn = generator.multinomial(size, np.full(size, 1 / size), size=min(step, resamples - start))
        totals = drawn.astype(np.float64) @ table
        scores.append(score_of(totals.reshape(len(totals), -1, 3), metric))
    return np.concatenate(scores)


def _exchanged(
    counts: tuple[NDArray[np.int64], NDArray[np.int64]], metric: Metric, resamples: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Return the differences when each document is given to either run by the toss of a coin."""
    gain = counts[1] - counts[0]
    scores = []
    step = max(1, _CHUNK // len(gain))
    for start in range(0, resamples, step):
        coins = generator.integers(2, size=(min(step, resamples - start), len(gain))).astype(np.float64)
        moved = coins @ gain
        scores.append(score_of(counts[1].sum(0) - moved, metric) - score_of(counts[0].sum(0) + moved, metric))
    return np.concatenate(scores)


def _difference(sides: tuple[NDArray, NDArray], metric: Metric, drawn: NDArray) -> Difference:
    before, after = (score_of(side.sum(0), metric) for side in sides)
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Difference(float(after - before), float(low), float(high))


def score_of(counts: NDArray, metric: Metric) -> NDArray[np.float64]:
    """Score rows of (tp, fp, fn); 0 where nothing was there to find, as `stages.common.scoring.Counts`."""
    tp, fp, fn = counts[..., 0], counts[..., 1], counts[..., 2]
    denominator = {"f1": tp + (fp + fn) / 2, "precision": tp + fp, "recall": tp + fn}[metric]
    return np.where(denominator > 0, tp / np.maximum(denominator, 0.5), 0.0)

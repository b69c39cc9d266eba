"""Agreement in figures: entity-level F1 and Cohen's kappa on tokens, with intervals over documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from annotation.agreement.panel import Panel
from stages.common.documents import Document, Token
from stages.common.scoring import lenient_counts, of_label, strict_counts
from stages.prepare.segmentation import segment

ALL = "all"
MEASURES = ("strict", "lenient", "kappa")
_COUNTERS = {"strict": strict_counts, "lenient": lenient_counts}


class Figure(NamedTuple):
    """A value with its 95% interval; None where there is nothing to agree on."""

    value: float | None
    low: float | None
    high: float | None


def agreement(panel: Panel, *, resamples: int, seed: int) -> dict[str, Any]:
    """Compute agreement, pairwise and mean over pairs, of all labels and of each.

    Entity-level F1 takes neither side for the truth: it is the same from both (Hripcsak & Rothschild
    2005, who show that kappa tends to it where the tokens in no mention are many). Kappa is over
    tokens, by label and ``O``; of one label, against all others. Intervals: documents drawn with
    replacement, the same for all pairs.

    Parameters
    ----------
    panel : Panel
    resamples, seed : int
        Of the bootstrap.

    Returns
    -------
    dict
        ``{label: {measure: {"mean": Figure, "pairs": {"a, b": Figure}}}}`` for `ALL` and the labels
        that occur; measures are `MEASURES`.
    """
    shared = panel.shared
    generator = np.random.default_rng(seed)
    draws = generator.multinomial(len(shared), np.full(len(shared), 1 / len(shared)), size=resamples)
    weights = np.vstack([np.ones(len(shared), dtype=np.int64), draws])  # the first row is what was seen
    labels = _occurring(shared)
    tags = {id: _tags(versions, labels) for id, versions in shared.items()}
    scores: dict[str, Any] = {}
    for label in (ALL, *labels):
        scores[label] = {}
        for measure in MEASURES:
            rows = {}
            for pair in panel.pairs:
                if measure == "kappa":
                    values = kappa_of(np.tensordot(weights, _confusions(tags, pair, label, labels), 1))
                else:
                    values = _f1_of(weights @ _counts(shared, pair, label, measure))
                rows[", ".join(pair)] = values
            figures = {name: _figure(values) for name, values in rows.items()}
            scores[label][measure] = {"mean": _figure(_mean(list(rows.values()))), "pairs": figures}
    return scores


def kappa_of(confusions: NDArray[np.int64]) -> NDArray[np.float64]:
    """Cohen's kappa (1960) of confusion matrices; NaN where chance alone gives full agreement.

    As `sklearn.metrics.cohen_kappa_score`, for many matrices at once.

    Parameters
    ----------
    confusions : array of shape (..., labels, labels)
    """
    total = confusions.sum((-2, -1)).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        seen = np.trace(confusions, axis1=-2, axis2=-1) / total
        chance = (confusions.sum(-1) * confusions.sum(-2)).sum(-1) / total**2
        return np.where(chance < 1, (seen - chance) / (1 - chance), np.nan)


def token_labels(document: Document, tokens: Sequence[Token], labels: Sequence[str]) -> NDArray[np.int64]:
    """Return the label of each token: 0 in no mention, else its place in `labels` from 1."""
    numbers = np.zeros(len(tokens), dtype=np.int64)
    starts = np.array([token.start for token in tokens], dtype=np.int64)
    ends = np.array([token.end for token in tokens], dtype=np.int64)
    for mention in document.mentions:
        first, stop = np.searchsorted(ends, mention.start, "right"), np.searchsorted(starts, mention.end, "left")
        numbers[first:stop] = 1 + labels.index(mention.label)
    return numbers


def _occurring(shared: Mapping[str, Mapping[str, Document]]) -> list[str]:
    documents = [document for versions in shared.values() for document in versions.values()]
    return sorted({mention.label for document in documents for mention in document.mentions})


def _tags(versions: Mapping[str, Document], labels: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    text = next(iter(versions.values())).text
    tokens = [token for sentence in segment(text) for token in sentence]
    return {annotator: token_labels(document, tokens, labels) for annotator, document in versions.items()}


def _confusions(
    tags: Mapping[str, Mapping[str, NDArray[np.int64]]], pair: tuple[str, str], label: str, labels: Sequence[str]
) -> NDArray[np.int64]:
    """Return a confusion matrix for each document; zeros where one of the two has not annotated it."""
    k = 1 + len(labels)
    matrices = np.zeros((len(tags), k, k), dtype=np.int64)
    for place, annotated in enumerate(tags.values()):
        if annotated.keys() >= set(pair):
            one, other = (annotated[name] for name in pair)
            if label != ALL:
                one, other = (side == 1 + labels.index(label) for side in (one, other))
            matrices[place] = np.bincount(one * k + other, minlength=k * k).reshape(k, k)
    return matrices


def _counts(
    shared: Mapping[str, Mapping[str, Document]], pair: tuple[str, str], label: str, measure: str
) -> NDArray[np.int64]:
    """Return tp, fp, fn for each document; zeros where one of the two has not annotated it."""
    rows = np.zeros((len(shared), 3), dtype=np.int64)
    for place, versions in enumerate(shared.values()):
        if versions.keys() >= set(pair):
            sides = (versions[name].mentions for name in pair)
            one, other = (side if label == ALL else of_label(side, label) for side in sides)
            counts = _COUNTERS[measure](one, other)
            rows[place] = counts.tp, counts.fp, counts.fn
    return rows


def _f1_of(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """F1 of rows of tp, fp, fn; NaN where neither side marked anything."""
    marked = 2 * counts[:, 0] + counts[:, 1] + counts[:, 2]
    return np.where(marked > 0, 2 * counts[:, 0] / np.maximum(marked, 1), np.nan)


def _mean(rows: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Mean over the pairs for which there is a value; NaN where there is none."""
    table = np.stack(rows)
    known = ~np.isnan(table)
    return np.where(known.any(0), np.where(known, table, 0).sum(0) / np.maximum(known.sum(0), 1), np.nan)


def _figure(values: NDArray[np.float64]) -> Figure:
    """Take the first value as what was seen, the others as resamples."""
    if np.isnan(values[0]):
        return Figure(None, None, None)
    drawn = values[1:][~np.isnan(values[1:])]
    low, high = np.quantile(drawn, [0.025, 0.975]) if len(drawn) else (values[0], values[0])
    return Figure(float(values[0]), float(low), float(high))

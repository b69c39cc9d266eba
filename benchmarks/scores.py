"""Strict and lenient scores, micro and by label, with intervals: the same scorer for every contestant."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from stages.common.scoring import Counts, Span, bootstrap_f1, lenient_counts, of_label, strict_counts
from stages.evaluate.params import EvaluateParams

Mentions = Mapping[str, Sequence[Span]]
_Counter = Callable[[Iterable[Span], Iterable[Span]], Counts]


def scored(gold: Mentions, predicted: Mentions, params: EvaluateParams) -> dict[str, Any]:
    """Score mentions by their character offsets.

    Parameters
    ----------
    gold : mapping of document to spans
        Every gold mention; what no tag sequence can express counts as missed.
    predicted : mapping of document to spans
    params : EvaluateParams
        Bootstrap of the F1 intervals, over documents.

    Returns
    -------
    dict
        ``{"strict": {"micro": …, "labels": {name: …}}, "lenient": …}``; labels that occur.
    """
    labels = sorted({span[2] for spans in (*gold.values(), *predicted.values()) for span in spans})
    return {
        kind: {
            "micro": _measures(gold, predicted, count, params),
            "labels": {label: _measures(gold, predicted, count, params, label) for label in labels},
        }
        for kind, count in (("strict", strict_counts), ("lenient", lenient_counts))
    }


def _measures(
    gold: Mentions, predicted: Mentions, count: _Counter, params: EvaluateParams, label: str | None = None
) -> dict[str, Any]:
    counts = []
    for document, right in gold.items():
        marked = predicted.get(document, ())
        pair = (right, marked) if label is None else (of_label(right, label), of_label(marked, label))
        counts.append(count(*pair))
    total = sum(counts, Counts())
    interval = bootstrap_f1(counts, resamples=params.resamples, seed=params.seed)
    return {"precision": total.precision, "recall": total.recall, "f1": total.f1, "f1_interval": list(interval)}

"""The numbers of `metrics/evaluation.json`, and the counts that others can compute them from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pandas as pd

from stages.common.errors import BeHealthyError
from stages.common.rare_values import without_rare
from stages.common.scoring import (
    Counts,
    Span,
    bootstrap_f1,
    lenient_counts,
    of_label,
    overlapping_pairs,
    strict_counts,
)
from stages.evaluate.accepted import Accepted
from stages.evaluate.curves import expected_calibration_error, reliability
from stages.evaluate.error_analysis import KINDS, errors_of
from stages.evaluate.matching import ComparedDocument, judged
from stages.evaluate.params import EvaluateParams

Compared = Sequence[ComparedDocument]
_Counter = Callable[[Iterable[Span], Iterable[Span]], Counts]


def evaluation(
    test: Compared,
    training: Iterable[str],
    acceptance: Accepted,
    temperature: float | None,
    labels: Sequence[str],
    params: EvaluateParams,
) -> dict[str, Any]:
    """Score the test documents.

    Precision, recall and F1 are 0 where there was nothing to find, as in `Counts`; the number of
    mentions beside them tells this case from a bad one. What has no worst value to fall back to
    is None (`calibration.ece` without predictions).

    Parameters
    ----------
    test : sequence of ComparedDocument
    training : iterable of str
        Mention texts of the training split: they are *seen*.
    acceptance : Accepted
    temperature : float or None
        Of the model, where its family has one.
    labels : sequence of str
        Scored one by one, in this order.
    params : EvaluateParams
        Bootstrap of the F1 intervals.

    Returns
    -------
    dict
        Not rounded.

    Raises
    ------
    BeHealthyError
        When there is no test document.
    """
    if not test:
        raise BeHealthyError(
            "split test has no document, so there is nothing to judge the model by: raise prepare.test in params.yaml"
        )
    calibration = {"ece": expected_calibration_error(reliability(*judged(test)))}
    if temperature is not None:
        calibration["temperature"] = temperature
    scores = {
        "strict": {
            "micro": _with_interval(_counts(test, strict_counts), params),
            **{label: _with_interval(_counts(test, strict_counts, label), params) for label in labels},
        },
        "lenient": {"micro": _ratios(sum(_counts(test, lenient_counts), Counts()))},
        **_seen_and_unseen(test, training),
        "calibration": calibration,
        "acceptance": acceptance.as_dict(),
        **_errors_and_suggestions(test),
        "documents": len(test),
        "mentions": sum(len(document.gold) for document in test),
    }
    note_types = by_note_type(test, params)
    if len(note_types):
        scores["note_types"] = note_types.set_index("note_type").to_dict("index")
    return scores


def _errors_and_suggestions(test: Compared) -> dict[str, dict[str, float]]:
    """Count errors by kind, and suggestions: how many, how many touch a gold mention, how many of the missed."""
    errors = [errors_of(document.gold, document.predicted) for document in test]
    missed = [[e.gold for e in of_document if e.kind == "missed" and e.gold] for of_document in errors]
    suggested = [document.suggested for document in test]
    shown = sum(len(overlapping_pairs(*pair)) for pair in zip(missed, suggested, strict=True))
    useful = sum(len(overlapping_pairs(document.gold, document.suggested)) for document in test)
    number = sum(map(len, suggested))
    return {
        "errors": {kind: sum(e.kind == kind for of_document in errors for e in of_document) for kind in KINDS},
        "suggestions": {
            "number": number,
            "precision": useful / max(1, number),
            "missed_shown": shown / max(1, sum(map(len, missed))),
        },
    }


def document_counts(
    test: Compared, names: Iterable[str], labels: Iterable[str], accepted: Iterable[set[Span]] | None = None
) -> pd.DataFrame:
    """Count strict matches of every document and label; the sums are those of `evaluation`.

    Parameters
    ----------
    test : sequence of ComparedDocument
    names : iterable of str
        What each document is called in the table: `public_name` of `DOCUMENTS` where it goes to git,
        since identifiers name patients.
    labels : iterable of str
        Mentions of others are not counted.
    accepted : iterable of set of Span, optional
        Of each document, what needs no person; spans that are not predicted there are not counted.

    Returns
    -------
    DataFrame
        Columns ``document``, ``label``, ``tp``, ``fp``, ``fn``, and with `accepted` also ``accepted`` and ``right``:
        how many of the predicted mentions are accepted, and of these right. Sorted by the first two; documents
        without mentions have zero rows.
    """
    taken = None if accepted is None else list(accepted)
    documents = list(zip(names, test, [None] * len(test) if taken is None else taken, strict=True))
    rows = [(name, label, *_counted(document, label, spans)) for label in labels for name, document, spans in documents]
    columns = ["document", "label", "tp", "fp", "fn", *(() if taken is None else ("accepted", "right"))]
    return pd.DataFrame(sorted(rows), columns=columns)


def _counted(document: ComparedDocument, label: str, accepted: set[Span] | None) -> tuple[int, ...]:
    gold, predicted = of_label(document.gold, label), of_label(document.predicted, label)
    counts = strict_counts(gold, predicted)
    if accepted is None:
        return counts.tp, counts.fp, counts.fn
    taken = accepted & set(predicted)
    return counts.tp, counts.fp, counts.fn, len(taken), len(taken & set(gold))


def by_note_type(test: Compared, params: EvaluateParams) -> pd.DataFrame:
    """Score each type of note, the rare ones together; documents of unknown type count in none.

    The table goes to git and to MLflow, and a type that few documents have may name a person.

    Returns
    -------
    DataFrame
        Columns ``note_type``, ``f1``, ``f1_low``, ``f1_high``, ``mentions``; sorted, no rows
        where no document tells its type.
    """
    rows = []
    (types,) = without_rare(document.note_type or None for document in test)
    for name in sorted({name for name in types if name is not None}):
        part = [document for document, type_ in zip(test, types, strict=True) if type_ == name]
        scores = _with_interval(_counts(part, strict_counts), params)
        mentions = sum(len(document.gold) for document in part)
        rows.append((name, scores["f1"], scores["f1_low"], scores["f1_high"], mentions))
    return pd.DataFrame(rows, columns=["note_type", "f1", "f1_low", "f1_high", "mentions"])


def normalised(mention: str) -> str:
    """Return the form in which mention texts are compared: case and white space do not matter."""
    return " ".join(mention.casefold().split())


def _seen_and_unseen(test: Compared, training: Iterable[str]) -> dict[str, dict[str, float]]:
    known = {normalised(text) for text in training}
    counts = {"seen": Counts(), "unseen": Counts()}
    for document in test:
        for span in document.gold:
            kind = "seen" if normalised(document.text[span[0] : span[1]]) in known else "unseen"
            is_hit = span in document.predicted
            counts[kind] += Counts(tp=int(is_hit), fn=int(not is_hit))
    return {kind: {"recall": part.recall, "mentions": part.tp + part.fn} for kind, part in counts.items()}


def _counts(documents: Compared, count: _Counter, label: str | None = None) -> list[Counts]:
    if label is None:
        return [count(document.gold, document.predicted) for document in documents]
    return [count(of_label(document.gold, label), of_label(document.predicted, label)) for document in documents]


def _ratios(counts: Counts) -> dict[str, float]:
    return {"precision": counts.precision, "recall": counts.recall, "f1": counts.f1}


def _with_interval(per_document: list[Counts], params: EvaluateParams) -> dict[str, float]:
    low, high = bootstrap_f1(per_document, resamples=params.resamples, seed=params.seed)
    return {**_ratios(sum(per_document, Counts())), "f1_low": low, "f1_high": high}

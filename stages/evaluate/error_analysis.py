"""Which mentions went wrong, and how.

Within one document, exact matches (both ends and the label) are set aside. What remains is paired
by overlap, each gold and each predicted mention at most once, from left to right: first mentions
of the same label, then those of different labels. One error is one pair, or one mention alone:

boundary
    A pair of the same label with different ends; or a mention left over that shares characters
    with one of the same label (the second half of a mention that was predicted in two).
label
    A pair of different labels, the ends equal or not; or a mention left over that shares
    characters with mentions of another label only.
missed
    A gold mention that no predicted mention touches.
spurious
    A predicted mention that touches no gold mention.

So each mention that is no exact match is in exactly one error: the errors with a gold mention are
the false negatives of the strict score, those with a predicted one its false positives. The kinds
are those of SemEval-2013 task 9 (Segura-Bedmar et al. 2013) as `nervaluate` counts them: *partial*
is boundary; *incorrect* is label.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd
import pyarrow as pa

from stages.common.scoring import Span, of_label, overlapping_pairs
from stages.evaluate.matching import ComparedDocument

KINDS = ("boundary", "label", "missed", "spurious")
NONE = "none"

ERRORS = pa.schema(
    [
        pa.field("split", pa.string(), nullable=False),
        pa.field("document", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        *[
            field
            for side in ("gold", "predicted")
            for field in (
                pa.field(f"{side}_start", pa.int32()),
                pa.field(f"{side}_end", pa.int32()),
                pa.field(f"{side}_label", pa.string()),
                pa.field(f"{side}_text", pa.string()),
            )
        ],
        pa.field("confidence", pa.float32()),
        pa.field("sentence", pa.string(), nullable=False),
        pa.field("sentence_start", pa.int32(), nullable=False),  # offset of `sentence` in the document
    ]
)
"""One row per error; the columns of a side are null where it has no mention."""


class MentionError(NamedTuple):
    """One error; at least one of the sides is there."""

    kind: str
    gold: Span | None
    predicted: Span | None

    @property
    def start(self) -> int:
        """First character of the error."""
        return min(side[0] for side in (self.gold, self.predicted) if side)

    @property
    def end(self) -> int:
        """Character after the last one."""
        return max(side[1] for side in (self.gold, self.predicted) if side)


def errors_of(gold: Iterable[Span], predicted: Iterable[Span]) -> list[MentionError]:
    """List the errors of one document as the module defines them, in order of their offsets.

    >>> errors_of([(0, 9, "Disease")], [(4, 9, "Disease"), (20, 27, "Treatment")])
    [MentionError(kind='boundary', gold=(0, 9, 'Disease'), predicted=(4, 9, 'Disease')), \
MentionError(kind='spurious', gold=None, predicted=(20, 27, 'Treatment'))]
    """
    right, marked = set(gold), set(predicted)
    ours, theirs = right - marked, marked - right
    errors = []
    for label in sorted({span[2] for span in ours}):
        for pair in overlapping_pairs(of_label(ours, label), of_label(theirs, label)):
            errors.append(MentionError("boundary", *pair))
    ours -= {error.gold for error in errors if error.gold}
    theirs -= {error.predicted for error in errors if error.predicted}
    # Of one label no two overlap any more, or they would have been paired.
    for pair in overlapping_pairs(ours, theirs):
        errors.append(MentionError("label", *pair))
        ours.remove(pair[0])
        theirs.remove(pair[1])
    errors += [MentionError(_kind_alone(span, marked, "missed"), span, None) for span in ours]
    errors += [MentionError(_kind_alone(span, right, "spurious"), None, span) for span in theirs]
    return sorted(errors, key=lambda error: (error.start, error.end, error.kind))


def _kind_alone(span: Span, others: Collection[Span], untouched: str) -> str:
    labels = {other[2] for other in others if other[0] < span[1] and span[0] < other[1]}
    return untouched if not labels else "boundary" if span[2] in labels else "label"


def confusion(compared: Sequence[ComparedDocument], labels: Sequence[str]) -> pd.DataFrame:
    """Say for each mention which class it has and which was predicted.

    Mentions are paired by overlap as in `errors_of`, so that this is about the class and not about
    the ends: an exact or a boundary pair is on the diagonal. A mention without partner is `NONE`
    on the other side. Classes are in the order of `labels`.

    Returns
    -------
    DataFrame
        Columns ``actual``, ``predicted``; a row per pair or lone mention, sorted.
    """
    rows = []
    for document in compared:
        rows += [(span[2], span[2]) for span in document.gold if span in document.predicted]
        for _, gold, predicted in errors_of(document.gold, document.predicted):
            rows.append((gold[2] if gold else NONE, predicted[2] if predicted else NONE))
    order = {name: place for place, name in enumerate((*labels, NONE))}
    rows.sort(key=lambda row: (order[row[0]], order[row[1]]))
    return pd.DataFrame(rows, columns=["actual", "predicted"])


def error_table(compared: Mapping[str, Sequence[ComparedDocument]], tokens: pd.DataFrame) -> pd.DataFrame:
    """List the errors with the sentences that they are in.

    Parameters
    ----------
    compared : mapping of str to sequence of ComparedDocument
        By split.
    tokens : DataFrame
        Columns ``document``, ``sentence``, ``start``, ``end``.

    Returns
    -------
    DataFrame
        Columns of `ERRORS`. It contains clinical text and must not enter git.
    """
    bounds = tokens.groupby(["document", "sentence"], sort=False).agg(start=("start", "min"), end=("end", "max"))
    sentences: dict[str, list[tuple[int, int]]] = {}
    for document, start, end in zip(bounds.index.get_level_values(0), bounds["start"], bounds["end"], strict=True):
        sentences.setdefault(document, []).append((int(start), int(end)))
    rows = [
        (split, document.name, *_row(error, document, sentences.get(document.name, [])))
        for split, documents in compared.items()
        for document in documents
        for error in errors_of(document.gold, document.predicted)
    ]
    return pd.DataFrame(rows, columns=ERRORS.names, dtype=object)


def _row(error: MentionError, document: ComparedDocument, sentences: list[tuple[int, int]]) -> tuple:
    touched = [(start, end) for start, end in sentences if start < error.end and error.start < end]
    start = min([error.start, *(start for start, _ in touched)])
    end = max([error.end, *(end for _, end in touched)])
    sides = [
        part
        for side in (error.gold, error.predicted)
        for part in ((*side, document.text[side[0] : side[1]]) if side else (None,) * 4)
    ]
    confidence = document.predicted[error.predicted] if error.predicted else None
    return error.kind, *sides, confidence, document.text[start:end], start

"""Gold and predicted mentions side by side, one document at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.common.annotated import Annotated, batch_of
from stages.common.scoring import Span


@dataclass(frozen=True)
class ComparedDocument:
    """A document as annotated and as predicted.

    Parameters
    ----------
    name : str
    text : str
    note_type : str or None
    gold : tuple of Span
        Every annotated mention in order, also those that no tag sequence can express.
    predicted : dict of Span to float
        Predicted mentions in order, with their confidence.
    suggested : tuple of Span
        What the model holds possible beside them.
    context : str or None
        What it shares with its neighbours where all are blocks of one file.
    """

    name: str
    text: str
    note_type: str | None
    gold: tuple[Span, ...]
    predicted: dict[Span, float]
    suggested: tuple[Span, ...] = ()
    context: str | None = None


def match_documents(
    documents: pd.DataFrame,
    mentions: pd.DataFrame,
    predictions: pd.DataFrame,
    suggestions: pd.DataFrame | None = None,
    *,
    annotated: Annotated | None = None,
) -> list[ComparedDocument]:
    """Bring gold and predicted mentions together by their characters.

    Parameters
    ----------
    documents : DataFrame
        The documents to compare, in order; rows of the other tables that belong to none of them
        are ignored.
    mentions : DataFrame
        Gold mentions. `aligned` is not looked at: a mention that the tagger cannot express is
        one that it misses.
    predictions, suggestions : DataFrame
        With `confidence`. Without `suggestions`, nothing is suggested.
    annotated : mapping of str to sequence of str, optional
        As `stages.common.annotated.read_annotated` returns it. A prediction or suggestion of a label that
        nobody looked for in its document is neither right nor wrong, and is left out.

    Returns
    -------
    list of ComparedDocument
        One per document, also where neither side has a mention.
    """
    names = documents["document"].tolist()
    columns = ["document", "text", "note_type", "context"]
    known = documents.reindex(columns=columns)
    silent = _Silence(annotated or {})
    gold, suggested = (_spans(names, table) for table in (mentions, suggestions))
    confidences: dict[str, dict[Span, float]] = {name: {} for name in names}
    for document, *span, confidence in _rows(predictions, ["document", "start", "end", "label", "confidence"]):
        if document in confidences and not silent.about(span[2], document):
            confidences[document][tuple(span)] = confidence
    return [
        ComparedDocument(
            name,
            text,
            note_type or None,
            gold[name],
            dict(sorted(confidences[name].items())),
            tuple(span for span in suggested[name] if not silent.about(span[2], name)),
            context,
        )
        for name, text, note_type, context in _rows(known, columns)
    ]


class _Silence:
    """Tells whether a document says nothing of a label, as nobody looked for it there."""

    def __init__(self, annotated: Annotated) -> None:
        self._annotated = annotated

    def about(self, label: str, document: str) -> bool:
        labels = self._annotated.get(batch_of(document))
        return labels is not None and label not in labels


def _spans(names: Iterable[str], table: pd.DataFrame | None) -> dict[str, tuple[Span, ...]]:
    spans: dict[str, set[Span]] = {name: set() for name in names}
    for document, *span in _rows(table, ["document", "start", "end", "label"]) if table is not None else ():
        if document in spans:
            spans[document].add(tuple(span))
    return {name: tuple(sorted(of_document)) for name, of_document in spans.items()}


def _rows(frame: pd.DataFrame, columns: list[str]) -> Iterable[tuple]:
    lists = [frame[name].where(frame[name].notna(), None).tolist() for name in columns]
    return zip(*lists, strict=True)


def judged(compared: Sequence[ComparedDocument]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the confidence of every prediction, and whether it is exactly a gold mention."""
    pairs = [
        (confidence, span in gold)
        for document, gold in ((document, set(document.gold)) for document in compared)
        for span, confidence in document.predicted.items()
    ]
    confidence, right = zip(*pairs, strict=True) if pairs else ((), ())
    return np.array(confidence, dtype=np.float64), np.array(right, dtype=np.bool_)

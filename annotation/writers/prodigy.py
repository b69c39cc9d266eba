"""`prodigy`: examples for Prodigy, with tokens, so that every mention can be shown and corrected in `ner.manual`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from annotation.writers.lines import json_lines
from annotation.writers.pieces import Piece, pieces_of
from annotation.writers.tokens import spans_over
from stages.common.documents import Document


def encode(documents: Sequence[Document], predictions: bool, confidences: Sequence[Sequence[float]] | None) -> bytes:
    """Return an example a line: accepted ones, or with predictions such as nobody has answered yet."""
    return json_lines(
        _example(document, predictions, confidences[number] if confidences else None)
        for number, document in enumerate(documents)
    )


def _example(document: Document, predictions: bool, confidences: Sequence[float] | None) -> dict[str, Any]:
    pieces = pieces_of(document)
    spans = [
        {"start": mention.start, "end": mention.end, "token_start": first, "token_end": last - 1, "label": label}
        for mention, (first, last, label) in zip(
            document.mentions, spans_over([piece.token for piece in pieces], document.mentions), strict=True
        )
    ]
    if confidences is not None:
        spans = [{**span, "score": score} for span, score in zip(spans, confidences, strict=True)]
    meta: dict[str, Any] = dict(document.metadata)
    if document.seconds is not None:
        meta["seconds"] = document.seconds
    example = {"id": document.id, "text": document.text, "tokens": _tokens(document, pieces), "spans": spans}
    return {**example, **({"meta": meta} if meta else {}), **({} if predictions else {"answer": "accept"})}


def _tokens(document: Document, pieces: Sequence[Piece]) -> list[dict[str, Any]]:
    return [
        {"text": document.text[start:end], "start": start, "end": end, "id": number, "ws": space}
        for number, ((start, end), space) in enumerate(pieces)
    ]

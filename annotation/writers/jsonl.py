"""`jsonl`: the project's own format; holds everything but the sentences of a document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from annotation.writers.lines import json_lines
from stages.common.documents import Document


def encode(documents: Sequence[Document], predictions: bool, confidences: object) -> bytes:
    """Return an object a line; predictions look like annotations, confidences have no place."""
    return json_lines(map(_entry, documents))


def _entry(document: Document) -> dict[str, Any]:
    mentions = [
        {"start": start, "end": end, "label": label, "text": document.text[start:end]}
        for start, end, label in document.mentions
    ]
    entry: dict[str, Any] = {"id": document.id, "text": document.text, "mentions": mentions}
    if document.metadata:
        entry["metadata"] = document.metadata
    if document.seconds is not None:
        entry["seconds"] = document.seconds
    return entry

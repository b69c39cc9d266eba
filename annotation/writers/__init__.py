"""Annotation formats: one writer each."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from stages.common.documents import Document
from stages.common.errors import AnnotationError
from stages.common.files import write_text


def _write_jsonl(
    documents: Sequence[Document], path: Path, *, predictions: bool, confidences: Sequence[Sequence[float]] | None
) -> None:
    lines = []
    for document in documents:
        mentions = [mention._asdict() for mention in document.mentions]
        row = {"id": document.id, "text": document.text, "mentions": mentions}
        metadata = {"metadata": document.metadata} if document.metadata else {}
        lines.append(json.dumps({**row, **metadata}, ensure_ascii=False) + "\n")
    write_text(path, "".join(lines))


WRITERS: dict[str, Callable[..., None]] = {"jsonl": _write_jsonl}


def write(
    documents: Sequence[Document],
    path: Path,
    format: str,
    *,
    predictions: bool = False,
    confidences: Sequence[Sequence[float]] | None = None,
) -> None:
    """Write documents in a format."""
    if format not in WRITERS:
        raise AnnotationError("the format is unknown", f"Use one of {', '.join(WRITERS)}", path.name)
    WRITERS[format](documents, path, predictions=predictions, confidences=confidences)

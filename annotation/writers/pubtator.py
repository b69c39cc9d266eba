"""`pubtator`: a title and an abstract of one line each; holds identifiers, texts and mentions."""

from __future__ import annotations

from collections.abc import Sequence

from stages.common.documents import Document
from stages.common.errors import AnnotationError

_REMEDY = "Write another format: brat, bioc and jsonl hold any note"


def encode(documents: Sequence[Document], predictions: bool, confidences: object) -> bytes:
    """Return a block a document; a text without a line end is a title, read back with an empty abstract.

    Raises
    ------
    AnnotationError
        When a text has more than two lines or a line end other than LF, or an identifier has ``|``.
    """
    return "\n".join(map(_block, documents)).encode("utf-8")


def _block(document: Document) -> str:
    title, _, abstract = document.text.partition("\n")
    if "\n" in abstract or "\r" in document.text:
        raise AnnotationError("has more than a title and an abstract line", _REMEDY, document=document.id)
    if "|" in document.id:
        raise AnnotationError("has | in its identifier", _REMEDY, document=document.id)
    lines = [f"{document.id}|t|{title}", f"{document.id}|a|{abstract}"]
    for start, end, label in document.mentions:
        quote = " ".join(document.text[start:end].split())
        lines.append(f"{document.id}\t{start}\t{end}\t{quote}\t{label}")
    return "\n".join(lines) + "\n"

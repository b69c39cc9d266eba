"""`brat`: a folder of texts and their standoff annotations; holds identifiers, texts and mentions."""

from __future__ import annotations

import re
from collections.abc import Sequence

from stages.common.documents import Document
from stages.common.errors import AnnotationError
from stages.prepare.formats.source import COMPANIONS

_LINE = re.compile(r"[^\r\n]+")
_NAME = re.compile(r"[^\x00/\\.][^\x00/\\]*")


def encode(documents: Sequence[Document], predictions: bool, confidences: object) -> dict[str, bytes]:
    """Return the files ``ID.txt`` and ``ID.ann``.

    Raises
    ------
    AnnotationError
        When an identifier cannot be the name of a file, or a label has white space in it.
    """
    files: dict[str, bytes] = {}
    for document in documents:
        if not all(map(_NAME.fullmatch, document.id.split("/"))) or document.id.split("/")[-1].lower() in COMPANIONS:
            raise AnnotationError(
                "has an identifier that cannot be the name of a file", "Write another format", document=document.id
            )
        # The mark is dropped in reading: a text that begins with one needs a second.
        mark = "\ufeff" if document.text.startswith("\ufeff") else ""
        files[f"{document.id}.txt"] = (mark + document.text).encode("utf-8")
        files[f"{document.id}.ann"] = "".join(_lines(document)).encode("utf-8")
    return files


def _lines(document: Document) -> list[str]:
    lines = []
    for number, (start, end, label) in enumerate(document.mentions, 1):
        if len(label.split()) != 1:
            raise AnnotationError("has a label with white space in it", "Rename the label", document=document.id)
        parts = [match.span() for match in _LINE.finditer(document.text, start, end)]  # brat cuts at line ends
        offsets = ";".join(f"{first} {last}" for first, last in parts)
        quote = " ".join(document.text[first:last] for first, last in parts)
        lines.append(f"T{number}\t{label} {offsets}\t{quote}\n")
    return lines

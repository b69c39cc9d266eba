"""Annotation formats: one reader each, from an export to documents, or an error that says where and what to do.

Labels stay as in the source. Every `Document` holds the export's text to the character, with
mentions in order, inside the text and without overlap.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from stages.common.documents import Document
from stages.common.errors import AnnotationError
from stages.prepare.formats import brat, iob, jsonl, pubtator, token_lines

READERS: dict[str, Callable[[Path], list[Document]]] = {
    "token-lines": token_lines.read,
    "iob": iob.read,
    "pubtator": pubtator.read,
    "brat": brat.read,
    "jsonl": jsonl.read,
}


def read(path: Path, format: str) -> list[Document]:
    """Read an export.

    Parameters
    ----------
    path : Path
        The exported file, or the folder that holds it; both give the same documents.
    format : str
        A key of `READERS`.

    Returns
    -------
    list of Document
        At least one, with identifiers unique in the export.

    Raises
    ------
    AnnotationError
        When any part of the export cannot be read as it stands.
    """
    if format not in READERS:
        raise AnnotationError("the format is unknown", f"Use one of {', '.join(READERS)}", path.name)
    return READERS[format](path)

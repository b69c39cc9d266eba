"""Annotation formats: one reader each, from an export to documents, or an error that says where and what to do.

Labels stay as in the source. Every `Document` holds the export's text to the character, with
mentions in order, inside the text and, where their labels mean something, without overlap.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from stages.common.documents import Document
from stages.common.errors import AnnotationError
from stages.prepare.formats import (
    bioc,
    brat,
    docbin,
    doccano,
    huggingface,
    iob,
    jsonl,
    label_studio,
    prodigy,
    pubtator,
    token_lines,
)
from stages.prepare.formats.faults import collected
from stages.prepare.formats.rules import REFUSING, Rules, reading_by

READERS: dict[str, Callable[[Path], list[Document]]] = {
    "token-lines": token_lines.read,
    "iob": iob.read,
    "pubtator": pubtator.read,
    "brat": brat.read,
    "jsonl": jsonl.read,
    "label-studio": label_studio.read,
    "doccano": doccano.read,
    "prodigy": prodigy.read,
    "spacy": docbin.read,
    "huggingface": huggingface.read,
    "bioc": bioc.read,
}

READERS_BY_ANNOTATOR: dict[str, Callable[[Path], dict[str, list[Document]]]] = {
    "label-studio": label_studio.read_by_annotator,
    "doccano": doccano.read_by_annotator,
    "prodigy": prodigy.read_by_annotator,
}


def read(path: Path, format: str, rules: Rules = REFUSING) -> list[Document]:
    """Read an export.

    Parameters
    ----------
    path : Path
        The exported file, or the folder that holds it; both give the same documents.
    format : str
        A key of `READERS`.
    rules : Rules
        What the labels mean, and what is done with overlaps and mentions in several parts.

    Returns
    -------
    list of Document
        At least one, with identifiers unique in the export.

    Raises
    ------
    AnnotationError
        When any part of the export cannot be read as it stands; also when a document of it was
        annotated more than once. Of several faults, a `SeveralFaultsError` that names the first of them.
    """
    if format not in READERS:
        raise AnnotationError("the format is unknown", f"Use one of {', '.join(READERS)}", path.name)
    with collected(), reading_by(rules):
        documents = READERS[format](path)
    return documents


def read_by_annotator(path: Path, format: str, rules: Rules = REFUSING) -> dict[str, list[Document]]:
    """Read an export that says who annotated what.

    Parameters
    ----------
    path : Path
    format : str
        A key of `READERS_BY_ANNOTATOR`.
    rules : Rules
        As for `read`.

    Returns
    -------
    dict of str to list of Document
        The documents of each annotator, identifiers unique for each; a document that several have
        annotated has the same identifier and text with all of them.

    Raises
    ------
    AnnotationError
        As `read`, but for documents that several have annotated; also when the format does not
        tell annotators apart.
    """
    if format not in READERS_BY_ANNOTATOR:
        raise AnnotationError(
            "the format does not say who annotated", f"Use one of {', '.join(READERS_BY_ANNOTATOR)}", path.name
        )
    with collected(), reading_by(rules):
        documents = READERS_BY_ANNOTATOR[format](path)
    return documents

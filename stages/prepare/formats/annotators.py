"""Exports in which several people may have annotated one document."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from stages.common.documents import Document
from stages.common.errors import AnnotationError
from stages.prepare.formats.faults import any_noted, note
from stages.prepare.formats.objects import Place


class Annotated(NamedTuple):
    """One person's annotation of one document, and where it stands in the export."""

    annotator: str
    document: Document
    place: Place
    final: bool = False
    """Marked in the tool as the truth: it stands for the document, whatever else there is."""


def single(annotated: Iterable[Annotated], export: str) -> list[Document]:
    """Return the one annotation of each document: the only one, or the only one marked as final.

    Raises
    ------
    AnnotationError
        When a document has several, or two documents share an identifier.
    """
    documents: list[Document] = []
    for versions in _by_document(annotated, export).values():
        final = [item for item in versions if item.final]
        if len(versions) > 1 and len(final) != 1:
            note(
                versions[1].place.refuse(
                    f"is annotated {len(versions)} times",
                    "Adjudicate first, with python -m annotation.agreement, and add the result",
                )
            )
        documents.append((final or versions)[0].document)
    return documents


def by_annotator(annotated: Iterable[Annotated], export: str) -> dict[str, list[Document]]:
    """Return the documents of each annotator, in the order of the export; annotators in order of their names.

    Raises
    ------
    AnnotationError
        When one annotator has annotated a document twice, or two documents share an identifier.
    """
    documents: dict[str, list[Document]] = {}
    for versions in _by_document(annotated, export).values():
        seen: set[str] = set()
        for item in versions:
            if item.annotator in seen:
                note(
                    item.place.refuse(
                        "is annotated a second time by the same annotator",
                        "Delete the one that does not hold in the tool",
                    )
                )
            seen.add(item.annotator)
            documents.setdefault(item.annotator, []).append(item.document)
    return dict(sorted(documents.items()))


def _by_document(annotated: Iterable[Annotated], export: str) -> dict[str, list[Annotated]]:
    versions_of: dict[str, list[Annotated]] = {}
    for item in annotated:
        others = versions_of.setdefault(item.document.id, [])
        if others and others[0].document.text != item.document.text:
            note(
                item.place.refuse(
                    "a second document with another text has this identifier", "Give every document its own"
                )
            )
        others.append(item)
    if not versions_of and not any_noted():
        raise AnnotationError(
            "holds no annotated document", "Export again when something is annotated, with its annotations", export
        )
    return versions_of

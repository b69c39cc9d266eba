"""`jsonl`: a JSON object a line, the project's own format."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stages.common.documents import METADATA, Document
from stages.prepare.formats.faults import noting
from stages.prepare.formats.marks import Mark, make_document
from stages.prepare.formats.objects import (
    Place,
    id_and_text,
    lines_of,
    mark_of,
    metadata_of,
    object_in,
    objects_in,
    refuse_keys,
    seconds_of,
)

_KEYS = {"id", "text", "mentions", "metadata", "seconds"}
_MENTION_KEYS = {"start", "end", "label", "text"}


def read(path: Path) -> list[Document]:
    """Read a file, or a folder of files, with one document a line.

    ``{"id": str, "text": str, "mentions": [{"start", "end", "label", "text"?}], "metadata"?: {…},
    "seconds"?: number}``. Offsets count Unicode code points. `metadata` takes the keys of
    `stages.common.documents.METADATA`; null means not given. `seconds` is the measured time that a
    person took to annotate the text from nothing. Blank lines are skipped.

    Raises
    ------
    AnnotationError
        On JSON that does not parse, missing, unknown or repeated keys, values of the wrong type,
        a second document of the same identifier.
    """
    return _read(path, annotated=True)


def read_notes(path: Path) -> list[Document]:
    """Read notes that nobody has annotated: the same format without ``mentions`` and ``seconds``.

    Raises
    ------
    AnnotationError
        As `read`, and when a note carries annotations.
    """
    return _read(path, annotated=False)


def _read(path: Path, *, annotated: bool) -> list[Document]:
    documents: list[Document] = []
    seen: dict[str, str] = {}
    for place, entry in lines_of(path):
        with noting:
            document = _document(entry, place, annotated)
            if document.id in seen:
                raise place.within(document.id).refuse(
                    f"this identifier was used before, in {seen[document.id]}", "Give every document its own"
                )
            seen[document.id] = f"{place.file} line {place.line}"
            documents.append(document)
    return documents


def _document(entry: dict[str, Any], place: Place, annotated: bool) -> Document:
    if "label" in entry or "entities" in entry:
        raise place.refuse("looks like an export of doccano", "Read it with the format doccano")
    refuse_keys(entry, _KEYS, place)
    id, text, place = id_and_text(entry, place)
    if annotated and "mentions" not in entry:
        raise place.refuse('has no "mentions"', 'Give "mentions", an empty list where there are none')
    if not annotated and ("mentions" in entry or "seconds" in entry):
        raise place.refuse("carries annotations", "Add annotated notes with python -m annotation.add")
    marks = list(_marks(entry, place)) if annotated else []
    return make_document(
        text,
        marks,
        id=id,
        file=place.file,
        line=place.line,
        metadata=_metadata(entry, place),
        seconds=seconds_of(entry.get("seconds"), place),
    )


def _marks(entry: dict[str, Any], place: Place) -> Iterator[Mark]:
    for mention in objects_in(entry, "mentions", place):
        with noting:
            refuse_keys(mention, _MENTION_KEYS, place)
            yield mark_of(mention.get("start"), mention.get("end"), mention.get("label"), mention.get("text"), place)


def _metadata(entry: dict[str, Any], place: Place) -> dict[str, str]:
    given = object_in(entry, "metadata", place)
    refuse_keys(given, set(METADATA), place)
    return metadata_of(given, place)

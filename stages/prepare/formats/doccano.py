"""`doccano`: the JSONL export of a sequence labelling project of doccano.

Its offsets count UTF-16 code units, as JavaScript does: seen in version 1.8 in its own interface.
They differ from ours from the first character beyond the basic plane (an emoji) on.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from stages.common.documents import Document
from stages.prepare.formats.annotators import Annotated, by_annotator, single
from stages.prepare.formats.faults import noting
from stages.prepare.formats.marks import Mark, make_document
from stages.prepare.formats.objects import (
    Place,
    id_and_text,
    lines_of,
    list_in,
    mark_of,
    metadata_of,
    objects_in,
    string_in,
)
from stages.prepare.formats.units import character_offset, unit_offsets

SUFFIXES = (".jsonl",)


def read(path: Path) -> list[Document]:
    """Read a file, or a folder of files, with one document a line.

    ``{"id", "text", "label": [[start, end, label], …]}``, or, of a project with relations,
    ``{"id", "text", "entities": [{"start_offset", "end_offset", "label"}, …], "relations": …}``. Keys
    of `METADATA` beside them are the metadata; whatever else the examples were imported with
    is ignored, and so are relations and comments.

    The project must not count grapheme clusters as one character (a setting of doccano that is off
    by default): the export does not say so, and offsets would be read wrong.

    Raises
    ------
    AnnotationError
        On values of the wrong type, on offsets inside a character, and on a document that several
        annotators have annotated.
    """
    return single(_annotated(path), path.name)


def read_by_annotator(path: Path) -> dict[str, list[Document]]:
    """Read the same by annotator: the key ``annotator`` of a line, or else the name of its file.

    doccano writes a file for each member of a project that does not share its annotations, with
    every example in it: export the approved ones only, or those that a member has not reached yet
    will look like documents without mentions.
    """
    return by_annotator(_annotated(path), path.name)


def _annotated(path: Path) -> Iterator[Annotated]:
    for place, entry in lines_of(path):
        with noting:
            yield _of_example(entry, place)


def _of_example(entry: dict[str, Any], place: Place) -> Annotated:
    id, text, place = id_and_text(entry, place)
    annotator = string_in(entry, "annotator", place, "an annotator who") or PurePosixPath(place.file).stem
    document = make_document(
        text,
        list(_marks(entry, text, place)),
        id=id,
        file=place.file,
        line=place.line,
        metadata=metadata_of(entry, place),
    )
    return Annotated(annotator, document, place)


def _marks(entry: dict[str, Any], text: str, place: Place) -> Iterator[Mark]:
    offsets = unit_offsets(text)
    for span in _spans(entry, place):
        with noting:
            mark = mark_of(*span, None, place)
            start, end = (character_offset(offsets, unit) for unit in (mark.start, mark.end))
            if start is None or end is None:
                raise place.refuse(
                    f"has a mention {mark.start}-{mark.end} that begins or ends inside a character",
                    "Count offsets in UTF-16 code units, as doccano does, and export again",
                )
            yield mark._replace(start=start, end=end)


def _spans(entry: dict[str, Any], place: Place) -> Iterator[tuple[Any, Any, Any]]:
    given = [key for key in ("label", "entities") if key in entry]
    if len(given) != 1:
        raise place.refuse(
            'has none or both of "label" and "entities"',
            "Export a project of sequence labelling as JSONL; write an empty list where there are no mentions",
        )
    if given == ["entities"]:
        for entity in objects_in(entry, "entities", place):
            yield entity.get("start_offset"), entity.get("end_offset"), entity.get("label")
        return
    for triple in list_in(entry, "label", place):
        if not isinstance(triple, list) or len(triple) != 3:
            raise place.refuse("has a label that is not a list of three", "Write [start, end, label]")
        yield triple[0], triple[1], triple[2]

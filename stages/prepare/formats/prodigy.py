"""`prodigy`: the JSONL that Prodigy's `db-out` writes; its offsets count characters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stages.common.documents import Document
from stages.prepare.formats.annotators import Annotated, by_annotator, single
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
    seconds_of,
    string_in,
)

SUFFIXES = (".jsonl",)
_ANSWERS = ("accept", "reject", "ignore")


def read(path: Path) -> list[Document]:
    """Read a file, or a folder of files, with one example a line; rejected and ignored ones are left out.

    ``{"text", "spans": [{"start", "end", "label"}, …], "answer"}``. The identifier is ``id``, or
    else ``_input_hash``, which is the same for every annotation of one text. Keys of `METADATA`
    and ``seconds`` are read from ``meta``.

    Raises
    ------
    AnnotationError
        On an example without an answer, values of the wrong type, and a text annotated twice.
    """
    return single(_annotated(path), path.name)


def read_by_annotator(path: Path) -> dict[str, list[Document]]:
    """Read the same by ``_annotator_id`` (or else ``_session_id``, or the name of the file)."""
    return by_annotator(_annotated(path), path.name)


def _annotated(path: Path) -> Iterator[Annotated]:
    for place, entry in lines_of(path):
        with noting:
            answer = entry.get("answer")
            if answer not in _ANSWERS:
                raise place.refuse(
                    "has no answer, so nobody has annotated it", "Export the dataset with prodigy db-out, not its input"
                )
            if answer == "accept":
                yield _of_example(entry, place)


def _of_example(entry: dict[str, Any], place: Place) -> Annotated:
    id, text, place = id_and_text(entry, place, key="id" if "id" in entry else "_input_hash")
    named = (string_in(entry, key, place, "an annotator who") for key in ("_annotator_id", "_session_id"))
    annotator = next(filter(None, named), place.file)
    meta = object_in(entry, "meta", place)
    document = make_document(
        text,
        list(_marks(entry, place)),
        id=id,
        file=place.file,
        line=place.line,
        metadata=metadata_of(meta, place),
        seconds=seconds_of(meta.get("seconds"), place),
    )
    return Annotated(annotator, document, place)


def _marks(entry: dict[str, Any], place: Place) -> Iterator[Mark]:
    if "spans" not in entry:
        raise place.refuse('has no "spans"', 'Write "spans": [] where there are none')
    for span in objects_in(entry, "spans", place):
        with noting:
            if not span.get("label"):
                raise place.refuse("has a span without a label", "Give it a label in Prodigy, or delete it")
            yield mark_of(span.get("start"), span.get("end"), span["label"], span.get("text"), place)

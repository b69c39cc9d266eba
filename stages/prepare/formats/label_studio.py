"""`label-studio`: the native JSON export of Label Studio.

Its offsets count code points, as ours do: seen in version 1.23 with emoji beyond the basic plane,
combining characters and CRLF, both shown from a prediction and marked by hand in its interface.
"""

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
    flag_in,
    id_and_text,
    mark_of,
    metadata_of,
    object_in,
    objects_in,
    parse_json,
    seconds_of,
    string_in,
)
from stages.prepare.formats.source import data_files, read_text

SUFFIXES = (".json",)
_OTHER_SPANS = {"hypertextlabels", "paragraphlabels", "timeserieslabels"}


def read(path: Path) -> list[Document]:
    """Read a JSON export, or a folder of them: one document a task.

    The text is ``data.text``, the identifier ``data.document`` or else the task's number; keys of
    `METADATA` in ``data`` are the metadata. Of the results, the labelled spans of a ``<Text>``
    are read; choices, relations and the like are ignored, and so are predictions and drafts.
    Annotations that were skipped (cancelled) are left out, and tasks without any other. Of several
    annotations the one marked as ground truth counts.

    ``lead_time`` is the document's measured seconds, unless the annotation began from a prediction or
    from another annotation: that is time to review, not time to annotate from nothing.

    Raises
    ------
    AnnotationError
        When the file is no native export, on values of the wrong type, and on a task with several
        annotations of which none or more than one is ground truth.
    """
    return single(_annotated(path), path.name)


def read_by_annotator(path: Path) -> dict[str, list[Document]]:
    """Read the same, every annotation under its annotator's e-mail address or number."""
    return by_annotator(_annotated(path), path.name)


def _annotated(path: Path) -> Iterator[Annotated]:
    for file in data_files(path, SUFFIXES):
        place = Place(file.name)
        tasks = parse_json(read_text(file), place)
        if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
            raise place.refuse("is not a list of tasks", "Export from Label Studio as JSON")
        for task in tasks:
            with noting:
                yield from _of_task(task, place)


def _of_task(task: dict[str, Any], place: Place) -> Iterator[Annotated]:
    data = task.get("data")
    if not isinstance(data, dict) or "annotations" not in task:
        raise place.refuse(
            "has a task without data or annotations", "Export from Label Studio as JSON, not as JSON-MIN or CSV"
        )
    named = data if data.get("document") is not None else {"document": task.get("id"), "text": data.get("text")}
    id, text, place = id_and_text(named, place, key="document")
    metadata = metadata_of(data, place)
    for annotation in objects_in(task, "annotations", place):
        with noting:
            if flag_in(annotation, "was_cancelled", place):
                continue
            document = make_document(
                text,
                list(_marks(annotation, place)),
                id=id,
                file=place.file,
                metadata=metadata,
                seconds=_seconds(annotation, place),
            )
            final = flag_in(annotation, "ground_truth", place)
            yield Annotated(_annotator(annotation, place), document, place, final=final)


def _seconds(annotation: dict[str, Any], place: Place) -> float | None:
    seconds = seconds_of(annotation.get("lead_time"), place)
    # `prediction` says nothing: it is a copy of what the task had, whether or not the annotator began from it.
    began_from = (annotation.get(key) for key in ("parent_prediction", "parent_annotation"))
    return None if any(began_from) else seconds


def _annotator(annotation: dict[str, Any], place: Place) -> str:
    """Return who annotated; an export of the SDK or of a snapshot has an object in place of the number."""
    by = annotation.get("completed_by")
    if isinstance(by, dict):
        by = string_in(by, "email", place) or by.get("id")
    if by is None:
        return "unknown"
    if isinstance(by, bool) or not isinstance(by, str | int):
        raise place.refuse("has an annotation whose completed_by is no user", "Export it again")
    return str(by)


def _marks(annotation: dict[str, Any], place: Place) -> Iterator[Mark]:
    for result in objects_in(annotation, "result", place):
        with noting:
            kind = string_in(result, "type", place)
            if kind is None or kind in _OTHER_SPANS:
                of_type = f"spans of type {kind}, whose offsets are not characters of a text"
                raise place.refuse(
                    f"has {of_type if kind else 'a result without a type'}",
                    "Label a <Text>, as annotation/label_studio/config.xml does, and export again",
                )
            if kind == "labels":
                yield from _of_span(object_in(result, "value", place), place)


def _of_span(value: dict[str, Any], place: Place) -> Iterator[Mark]:
    if not isinstance(value.get("labels"), list) or not value["labels"]:
        raise place.refuse("has a labelled span without a label", "Give it one in Label Studio, or delete it")
    for label in value["labels"]:
        yield mark_of(value.get("start"), value.get("end"), label, value.get("text"), place)

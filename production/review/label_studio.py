"""Label Studio instead of the desk: tasks out of the queue into it, and what people annotated there as reviews.

A tool holds the notes that it was given, and whoever annotated is the reviewer. A mention that was left as it was
is accepted, one that was moved or relabelled is changed, one that was deleted is rejected, and what was marked beside
them was missed. Suggestions have labels that end in ``?``, as disputes have
(`annotation/label_studio/adjudication.xml`): relabelled, they are right; left as they are, or deleted, they are not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from annotation.agreement.adjudication import DISPUTED
from annotation.writers import label_studio
from production.database.engine import reading
from production.database.review_tables import REVIEW_TASKS
from production.review.decisions import ACCEPT, CHANGE, MISSED, REJECT, Decision
from production.review.documents import known_metadata
from production.review.handing_in import hand_in
from production.review.keys import document_of, reviewer_of
from production.review.tasks import SUGGESTION, ReviewError, Shown, Task, read_task
from stages.common.documents import Document, Mention
from stages.common.errors import AnnotationError
from stages.prepare.formats.objects import Place, flag_in, mark_of, object_in, objects_in, parse_json, string_in
from stages.prepare.formats.offsets import inked
from stages.prepare.formats.source import data_files, read_text
from stages.train.assertion.rules import ASSERTIONS, PRESENT

if TYPE_CHECKING:
    from sqlalchemy import Engine

TOOL = "label-studio"
"""Who holds what it was given."""


MOST = 2**63 - 1
"""Numbers beyond it are in no database."""


class Region(NamedTuple):
    """A span that was marked in the tool."""

    name: str
    start: int
    end: int
    label: str
    assertion: str | None


class Imported(NamedTuple):
    """What became of an export: reviews written, tasks that were handed in before or skipped, and what is wrong."""

    written: int
    before: int
    skipped: int
    faults: list[str]


def encode(tasks: Sequence[Task], key: str) -> bytes:
    """Return tasks as Label Studio imports them: with their numbers, and what was found as predictions."""
    documents = [_document(task, key) for task in tasks]
    confidences = [[span.confidence for span in task.spans] for task in tasks]
    encoded = json.loads(label_studio.encode(documents, True, confidences))
    for entry, task in zip(encoded, tasks, strict=True):
        entry["data"]["task"] = task.task_id
        for result, span in zip(entry["predictions"][0]["result"], task.spans, strict=True):
            result["id"] = _name(span)
    return (json.dumps(encoded, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode("utf-8")


def _document(task: Task, key: str) -> Document:
    mentions = [
        Mention(span.start, span.end, span.label + (DISPUTED if span.kind == SUGGESTION else "")) for span in task.spans
    ]
    name = document_of(key, task.note_id, task.text_hash)
    return Document(name, task.text, tuple(mentions), metadata=known_metadata(task.metadata))


def _name(span: Shown) -> str:
    return f"{span.kind}-{span.number}"


def take_in(engine: Engine, path: Path, key: str, holder: str, now: datetime) -> Imported:
    """Hand in what was annotated, task by task: what is wrong with one keeps no other from being written.

    Raises
    ------
    AnnotationError
        When the file is no export of Label Studio.
    """
    written = before = skipped = 0
    faults: list[str] = []
    for entry, place in _entries(path):
        try:
            task_id, annotation = _number(entry, place), _annotation(entry, place)
            if annotation is None:
                skipped += 1
            elif _is_done(engine, task_id):
                before += 1
            else:
                _hand_in(engine, entry, annotation, place, (key, holder, now))
                written += 1
        except (AnnotationError, ReviewError) as error:
            faults.append(str(error))
    return Imported(written, before, skipped, faults)


def _entries(path: Path) -> Iterator[tuple[Mapping[str, Any], Place]]:
    for file in data_files(path, (".json",)):
        place = Place(file.name)
        entries = parse_json(read_text(file), place)
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise place.refuse("is not a list of tasks", "Export from Label Studio as JSON")
        yield from ((entry, place) for entry in entries)


def _number(entry: Mapping[str, Any], place: Place) -> int:
    number = object_in(entry, "data", place).get("task")
    if type(number) is not int or abs(number) > MOST:
        raise place.refuse(
            "has a task without the number of a task here", "Import tasks of python -m production.review export-tasks"
        )
    return number


def _annotation(entry: Mapping[str, Any], place: Place) -> Mapping[str, Any] | None:
    """Return the annotation that counts; None where the task was skipped or not begun."""
    whole = [one for one in objects_in(entry, "annotations", place) if not flag_in(one, "was_cancelled", place)]
    final = [one for one in whole if flag_in(one, "ground_truth", place)]
    if len(whole) > 1 and len(final) != 1:
        raise place.within(f"task-{_number(entry, place)}").refuse(
            f"is annotated {len(whole)} times", "Mark the one that holds as ground truth in Label Studio"
        )
    return next(iter(final or whole), None)


def _is_done(engine: Engine, task_id: int) -> bool:
    done = REVIEW_TASKS.c.task_id == task_id, REVIEW_TASKS.c.done_at.is_not(None)
    with reading(engine) as connection:
        return connection.execute(sa.select(REVIEW_TASKS.c.task_id).where(*done)).first() is not None


def _hand_in(
    engine: Engine,
    entry: Mapping[str, Any],
    annotation: Mapping[str, Any],
    place: Place,
    by: tuple[str, str, datetime],
) -> None:
    key, holder, now = by
    task_id = _number(entry, place)
    with reading(engine) as connection:
        task = read_task(connection, task_id)
    if object_in(entry, "data", place).get("text") != task.text:
        raise ReviewError(f"task {task_id}: its text is not the one that was exported")
    place = place.within(f"task-{task_id}")
    decisions = decisions_of(task, list(_regions(annotation, task.text, place)))
    reviewer = reviewer_of(key, _annotator(annotation, place))
    hand_in(engine, task_id, reviewer, decisions, _seconds(annotation, task_id), now, holder=holder)


def _seconds(annotation: Mapping[str, Any], task_id: int) -> float:
    seconds: float | None = annotation.get("lead_time")
    if not seconds:
        raise ReviewError(f"task {task_id}: lead_time is missing, which says how long the note was looked at")
    return seconds


def _annotator(annotation: Mapping[str, Any], place: Place) -> str:
    """Return who annotated: an address is a name as at the desk, a number is one of the tool's."""
    by = annotation.get("completed_by")
    if isinstance(by, dict):
        by = string_in(by, "email", place) or by.get("id")
    if isinstance(by, bool) or not isinstance(by, str | int) or not str(by).strip():
        raise place.refuse("has an annotation whose completed_by is no user", "Export it again")
    return by if isinstance(by, str) and not by.isdigit() else f"{TOOL} {by}"


def _regions(annotation: Mapping[str, Any], text: str, place: Place) -> Iterator[Region]:
    results = objects_in(annotation, "result", place)
    told = {str(one.get("id")): _assertion(one, place) for one in results if one.get("type") == "choices"}
    for result in results:
        if result.get("type") != "labels":
            continue
        value = object_in(result, "value", place)
        labels = value.get("labels")
        if not isinstance(labels, list) or len(labels) != 1:
            raise place.refuse("has a span without a label, or with several", "Give each span one label")
        mark = mark_of(value.get("start"), value.get("end"), labels[0], value.get("text"), place)
        if mark.quote is not None and inked(mark.quote) != inked(text[mark.start : mark.end]):
            raise place.refuse(
                f"has a span {mark.start}-{mark.end} that quotes another text than the note has there",
                "Export it again, with offsets in characters",
            )
        name = str(result.get("id"))
        yield Region(name, mark.start, mark.end, mark.label, told.get(name))


def _assertion(result: Mapping[str, Any], place: Place) -> str | None:
    choices = object_in(result, "value", place).get("choices")
    chosen = choices[0] if isinstance(choices, list) and choices else None
    return chosen if chosen in ASSERTIONS else None


def decisions_of(task: Task, regions: Sequence[Region]) -> list[Decision]:
    """Return what regions say of a task's spans: by their names, or by what they are where a tool renamed them."""
    left = list(regions)
    decisions = []
    for span in task.spans:
        region = _region_of(span, left)
        if region is not None:
            left.remove(region)
        decisions.append(_decision(span, region))
    for one in left:
        decisions.append(Decision(MISSED, None, MISSED, one.start, one.end, one.label, one.assertion or PRESENT))
    return decisions


def _region_of(span: Shown, regions: Sequence[Region]) -> Region | None:
    named = [one for one in regions if one.name == _name(span)]
    same = [one for one in regions if (one.start, one.end) == (span.start, span.end)]
    same = [one for one in same if one.label.removesuffix(DISPUTED) == span.label]
    return next(iter(named or same), None)


def _decision(span: Shown, region: Region | None) -> Decision:
    if region is None or (span.kind == SUGGESTION and region.label.endswith(DISPUTED)):
        return Decision(span.kind, span.number, REJECT)
    right = region.start, region.end, region.label, region.assertion or span.assertion
    return Decision(span.kind, span.number, ACCEPT if right == span.right else CHANGE, *right)

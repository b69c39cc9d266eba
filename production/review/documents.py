"""Reviewed notes as documents: under names that say nothing of them, with what is right in them and who said so."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from annotation.writers import label_studio
from production.database.schema import NOTE_TEXTS
from production.review.keys import document_of
from production.review.reading import STEP, Review
from stages.common.documents import METADATA, Document, Mention
from stages.common.errors import AnnotationError
from stages.prepare.formats.objects import Place, metadata_of
from stages.prepare.formats.source import refuse_controls

if TYPE_CHECKING:
    from sqlalchemy import Connection


class Reading(NamedTuple):
    """A note as one person read it.

    Parameters
    ----------
    document : Document
        Its seconds are those of a review: it began from what the model had found.
    reviewer : str
        Pseudonym.
    assertions : tuple of str
        What each mention says of the patient.
    """

    document: Document
    reviewer: str
    assertions: tuple[str, ...]


def readings_of(connection: Connection, key: str, reviews: Sequence[Review]) -> list[Reading]:
    """Return reviews with their notes; those whose text no annotation batch can hold are left out."""
    readings = []
    for low in range(0, len(reviews), STEP):
        some = reviews[low : low + STEP]
        texts = _texts(connection, {one.note_id for one in some})
        for one in some:
            text = texts[one.note_id, one.text_hash]
            if can_be_annotated(text):
                readings.append(_reading(key, one, text))
    return readings


def can_be_annotated(text: str) -> bool:
    """Tell whether `annotation.add` takes a text: control characters are refused there."""
    try:
        refuse_controls(text, file="")
    except AnnotationError:
        return False
    return True


def _texts(connection: Connection, notes: Iterable[int]) -> dict[tuple[int, str], str]:
    query = sa.select(NOTE_TEXTS.c.note_id, NOTE_TEXTS.c.text_hash, NOTE_TEXTS.c.text)
    return {(row[0], row[1]): row[2] for row in connection.execute(query.where(NOTE_TEXTS.c.note_id.in_(list(notes))))}


def _reading(key: str, review: Review, text: str) -> Reading:
    right = review.right
    mentions = tuple(Mention(one.start or 0, one.end or 0, str(one.label)) for one in right)
    document = Document(
        document_of(key, review.note_id, review.text_hash),
        text,
        mentions,
        metadata=known_metadata(review.metadata or {}),
        seconds=review.seconds or None,
    )
    return Reading(document, review.reviewer, tuple(str(one.assertion) for one in right))


def known_metadata(told: Mapping[str, Any]) -> dict[str, str]:
    """Return what a batch can say of a note, of what came with it."""
    known: dict[str, str] = {}
    for name in METADATA:
        try:
            known |= metadata_of({name: told.get(name)}, Place("metadata"))
        except AnnotationError:
            continue  # no short printable string
    return known


def label_studio_json(readings: Sequence[Reading]) -> bytes:
    """Return readings as an export of Label Studio; a note that several people read has an annotation of each.

    That format has room for all of it: who read, for how long, and what a mention says of the patient. The time
    stands as `lead_time` of an annotation that began from a prediction, so that nobody takes it for the time of
    annotating from nothing.
    """
    encoded = json.loads(label_studio.encode([one.document for one in readings], False, None))
    tasks: dict[str, dict[str, Any]] = {}
    for task, reading in zip(encoded, readings, strict=True):
        (annotation,) = task["annotations"]
        annotation |= {"completed_by": reading.reviewer, "parent_prediction": 1}
        annotation["result"] += [
            _choice(result, assertion)
            for result, assertion in zip(annotation["result"], reading.assertions, strict=True)
        ]
        known = tasks.setdefault(reading.document.id, {**task, "annotations": []})
        known["annotations"].append(annotation)
    return (json.dumps(list(tasks.values()), ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode("utf-8")


def _choice(result: Mapping[str, Any], assertion: str) -> dict[str, Any]:
    """Return what a region says of the patient, as a choice of that region."""
    span = {name: result["value"][name] for name in ("start", "end", "text")}
    named = {"id": result["id"], "from_name": "assertion", "to_name": label_studio.TO, "type": "choices"}
    return {**named, "value": {**span, "choices": [assertion]}}

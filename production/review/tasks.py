"""What a person is given: a note with all that the model found in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from production.database.review_tables import REVIEW_TASKS
from production.database.schema import MENTIONS, MODEL_VERSIONS, NOTE_TEXTS, NOTES
from production.review.keys import same_result
from stages.common.errors import RefusedError
from stages.monitor.times import as_utc
from stages.train.assertion.rules import ASSERTIONS

if TYPE_CHECKING:
    from sqlalchemy import Connection

MENTION, SUGGESTION = "mention", "suggestion"


class ReviewError(RefusedError):
    """A review, or a claim of a note, that cannot be taken as it stands."""


class GoneError(ReviewError):
    """The note is not, or no longer, in the hands of who decides on it."""


class Shown(NamedTuple):
    """A mention or suggestion that a person is to decide on.

    Parameters
    ----------
    kind : {"mention", "suggestion"}
    number : int
        Among those of its kind.
    start, end : int
        Characters of the text.
    label : str
    confidence : float
    accepted : bool
    assertion : str
        What it says of the patient.
    """

    kind: str
    number: int
    start: int
    end: int
    label: str
    confidence: float
    accepted: bool
    assertion: str

    @property
    def right(self) -> tuple[int, int, str, str]:
        """Return what is right if it is accepted as it stands."""
        return self.start, self.end, self.label, self.assertion


@dataclass(frozen=True)
class Task:
    """A note that a person is to look at.

    Parameters
    ----------
    task_id : int
    stream : {"audit", "work"}
    place : int
        2 for a second reading.
    stratum : str
    note_id : int
    text_hash, model_version : str
    source, source_id : str
        What the note is called where it comes from.
    text : str
    metadata : mapping of str to object
    spans : tuple of Shown
        Mentions first.
    labels : tuple of str
        That a span may have.
    until : datetime, optional
        In UTC: so long it is kept for who asked for it.
    done : bool
        Whether it was handed in.
    """

    task_id: int
    stream: str
    place: int
    stratum: str
    note_id: int
    text_hash: str
    model_version: str
    source: str
    source_id: str
    text: str
    metadata: Mapping[str, Any]
    spans: tuple[Shown, ...]
    labels: tuple[str, ...]
    until: datetime | None
    done: bool = False

    def of_kind(self, kind: str) -> tuple[Shown, ...]:
        """Return the mentions, or the suggestions."""
        return tuple(span for span in self.spans if span.kind == kind)

    def as_json(self) -> dict[str, Any]:
        """Return what the desk shows, with the note's text: clinical text."""
        shown = {
            kind: [{name: value for name, value in span._asdict().items() if name != "kind"} for span in spans]
            for kind, spans in (("mentions", self.of_kind(MENTION)), ("suggestions", self.of_kind(SUGGESTION)))
        }
        return {
            "task": self.task_id,
            "source": self.source,
            "source_id": self.source_id,
            "until": self.until.isoformat(timespec="seconds") if self.until else None,
            "text": self.text,
            "metadata": dict(self.metadata),
            **shown,
            "labels": list(self.labels),
            "assertions": list(ASSERTIONS),
        }


def read_task(connection: Connection, task_id: int) -> Task:
    """Return a task with its note.

    Raises
    ------
    ReviewError
        When there is none of this number.
    """
    same_text = NOTE_TEXTS.c.note_id == REVIEW_TASKS.c.note_id, NOTE_TEXTS.c.text_hash == REVIEW_TASKS.c.text_hash
    query = (
        sa.select(REVIEW_TASKS, NOTE_TEXTS.c.text, NOTE_TEXTS.c.metadata.label("told"), NOTES.c.source)
        .add_columns(NOTES.c.source_id, MODEL_VERSIONS.c.labels)
        .join(NOTE_TEXTS, sa.and_(*same_text))
        .join(NOTES, NOTES.c.note_id == REVIEW_TASKS.c.note_id)
        .join(MODEL_VERSIONS, MODEL_VERSIONS.c.model_version == REVIEW_TASKS.c.model_version)
        .where(REVIEW_TASKS.c.task_id == task_id)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise ReviewError(f"there is no task {task_id}: `next` names the one that you have")
    return Task(
        row.task_id,
        row.stream,
        row.place,
        row.stratum,
        row.note_id,
        row.text_hash,
        row.model_version,
        row.source,
        row.source_id,
        row.text,
        row.told,
        _spans(connection, task_id),
        tuple(row.labels),
        as_utc(row.claimed_until) if row.claimed_until else None,
        row.done_at is not None,
    )


def _spans(connection: Connection, task_id: int) -> tuple[Shown, ...]:
    query = (
        sa.select(*(MENTIONS.c[name] for name in Shown._fields))
        .join(REVIEW_TASKS, sa.and_(*same_result(MENTIONS, REVIEW_TASKS)))
        .where(REVIEW_TASKS.c.task_id == task_id)
        .order_by(MENTIONS.c.kind, MENTIONS.c.number)
    )
    return tuple(Shown(*row) for row in connection.execute(query))

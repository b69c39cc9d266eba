"""Reviews as they stand: of every task the newest correction, with what it says is right."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from production.database.review_tables import REVIEW_SPANS, REVIEW_TASKS, REVIEWS
from production.database.schema import MENTIONS, NOTE_TEXTS
from production.review.decisions import REJECT, Decision
from production.review.tasks import Shown
from stages.monitor.times import as_utc

if TYPE_CHECKING:
    from sqlalchemy import Connection

STEP = 500
"""Reviews that are read at once."""


@dataclass(frozen=True)
class Review:
    """What was said of a note last, and by whom it was read.

    Parameters
    ----------
    review_id, task_id, plan_id, note_id : int
    text_hash, model_version : str
    stream : {"audit", "work"}
    place : int
    stratum : str
    probability : float
    reviewer : str
        Who handed the note in; corrections may be another's.
    at : datetime
        When it was handed in first, in UTC.
    seconds : float
        Of reading it first.
    changed_at : datetime
        When the newest correction was handed in.
    decisions : tuple of Decision
    shown : tuple of Shown
    metadata : mapping of str to object
    """

    review_id: int
    task_id: int
    plan_id: int
    note_id: int
    text_hash: str
    model_version: str
    stream: str
    place: int
    stratum: str
    probability: float
    reviewer: str
    at: datetime
    seconds: float
    changed_at: datetime
    decisions: tuple[Decision, ...] = ()
    shown: tuple[Shown, ...] = ()
    metadata: Mapping[str, Any] | None = None

    @property
    def right(self) -> list[Decision]:
        """Return what is in the note, in order of the offsets."""
        return sorted((one for one in self.decisions if one.decision != REJECT), key=lambda one: one.start or 0)

    @property
    def key(self) -> tuple[int, str, str]:
        """Return the result that it is about."""
        return self.note_id, self.text_hash, self.model_version


_TASK = ("task_id", "plan_id", "note_id", "text_hash", "model_version", "stream", "place", "stratum", "probability")


def read_reviews(
    connection: Connection,
    *conditions: sa.ColumnElement[bool],
    corrected: bool = True,
    plans: Container[int] | None = None,
) -> Iterator[Review]:
    """Yield reviews in the order in which they were handed in.

    Parameters
    ----------
    connection : Connection
    *conditions
        Of `REVIEW_TASKS`, and of `REVIEWS` as they were handed in first.
    corrected : bool
        Take the newest correction of each; otherwise what was handed in first.
    plans : container of int, optional
        Only those of tasks of these plans.
    """
    query = (
        sa.select(REVIEWS.c.review_id, *(REVIEW_TASKS.c[name] for name in _TASK))
        .add_columns(REVIEWS.c.reviewer, REVIEWS.c.at, REVIEWS.c.seconds)
        .join(REVIEW_TASKS, REVIEW_TASKS.c.task_id == REVIEWS.c.task_id)
        .where(REVIEWS.c.corrects.is_(None), *conditions)
        .order_by(REVIEWS.c.at, REVIEWS.c.review_id)
    )
    rows = [_review(row) for row in connection.execute(query) if plans is None or row.plan_id in plans]
    newest = _newest(connection) if corrected else {}
    for low in range(0, len(rows), STEP):
        yield from _with_spans(
            connection, [replace(one, **newest.get(one.task_id, {})) for one in rows[low : low + STEP]]
        )


def _review(row: sa.Row[Any]) -> Review:
    named = {**row._mapping}
    return Review(**{**named, "at": as_utc(row.at), "changed_at": as_utc(row.at)})


def _newest(connection: Connection) -> dict[int, dict[str, Any]]:
    """Return the newest correction by task: each corrects the one before, so it is the last that was written."""
    query = sa.select(REVIEWS.c.task_id, REVIEWS.c.review_id, REVIEWS.c.at).where(REVIEWS.c.corrects.is_not(None))
    rows = connection.execute(query.order_by(REVIEWS.c.review_id))
    return {row.task_id: {"review_id": row.review_id, "changed_at": as_utc(row.at)} for row in rows}


def _with_spans(connection: Connection, reviews: Sequence[Review]) -> Iterator[Review]:
    decisions: dict[int, list[Decision]] = defaultdict(list)
    columns = (REVIEW_SPANS.c[name] for name in Decision._fields)
    spans = sa.select(REVIEW_SPANS.c.review_id, *columns).order_by(REVIEW_SPANS.c.review_id, REVIEW_SPANS.c.number)
    wanted = REVIEW_SPANS.c.review_id.in_([one.review_id for one in reviews])
    for review_id, *span in connection.execute(spans.where(wanted)):
        decisions[review_id].append(Decision(*span))
    shown, told = _shown(connection, reviews), _metadata(connection, reviews)
    for one in reviews:
        of_text = told[one.note_id, one.text_hash]
        yield replace(one, decisions=tuple(decisions[one.review_id]), shown=tuple(shown[one.key]), metadata=of_text)


def _shown(connection: Connection, reviews: Sequence[Review]) -> dict[tuple[Any, ...], list[Shown]]:
    found: dict[tuple[Any, ...], list[Shown]] = defaultdict(list)
    key = MENTIONS.c.note_id, MENTIONS.c.text_hash, MENTIONS.c.model_version
    query = sa.select(*key, *(MENTIONS.c[name] for name in Shown._fields))
    query = query.where(MENTIONS.c.note_id.in_({one.note_id for one in reviews}))
    for row in connection.execute(query.order_by(*key, MENTIONS.c.kind, MENTIONS.c.number)):
        found[tuple(row[:3])].append(Shown(*row[3:]))
    return found


def _metadata(connection: Connection, reviews: Sequence[Review]) -> dict[tuple[int, str], Mapping[str, Any]]:
    query = sa.select(NOTE_TEXTS.c.note_id, NOTE_TEXTS.c.text_hash, NOTE_TEXTS.c.metadata)
    query = query.where(NOTE_TEXTS.c.note_id.in_({one.note_id for one in reviews}))
    return {(row[0], row[1]): row[2] for row in connection.execute(query)}

"""Reviews are written once, by who holds the note; a correction is another review."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from production.database.engine import writing
from production.database.review_tables import REVIEW_DRAFTS, REVIEW_SPANS, REVIEW_TASKS, REVIEWS
from production.database.schema import NOTES
from production.review.decisions import Decision, checked
from production.review.keys import same_result
from production.review.tasks import GoneError, ReviewError, read_task

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_OTHER = REVIEW_TASKS.alias("other")


def hand_in(
    engine: Engine,
    task_id: int,
    reviewer: str,
    spans: Sequence[Decision],
    seconds: float,
    now: datetime,
    *,
    holder: str | None = None,
) -> int:
    """Write a review of a whole note; return its number.

    A claim that has lapsed still counts as long as nobody else has taken the note.

    Parameters
    ----------
    engine : Engine
    task_id : int
    reviewer : str
        Pseudonym of who read the note.
    spans : sequence of Decision
        As `production.review.decisions.checked` wants them.
    seconds : float
        Of looking, pauses left out.
    now : datetime
    holder : str, optional
        Who claimed it for the reviewer: a tool; by default the reviewer.

    Raises
    ------
    ReviewError
        When the note is in other hands or done, or something is wrong with the decisions. Nothing is written then.
    """
    with writing(engine) as connection:
        _refuse_others(connection, task_id, reviewer, holder or reviewer)
        whole = checked(read_task(connection, task_id), spans, seconds)
        done = sa.update(REVIEW_TASKS).where(REVIEW_TASKS.c.task_id == task_id)
        connection.execute(done.values(reviewer=reviewer, done_at=now))
        connection.execute(sa.delete(REVIEW_DRAFTS).where(REVIEW_DRAFTS.c.task_id == task_id))
        return _write(connection, task_id, reviewer, whole, seconds, now)


def correct(
    engine: Engine, review_id: int, reviewer: str, spans: Sequence[Decision], seconds: float, now: datetime
) -> int:
    """Write what is right instead of a review, as another one; return its number. The old one stays as it is.

    Parameters
    ----------
    engine : Engine
    review_id : int
        Of the review that is wrong: the newest of its task.
    reviewer : str
        Pseudonym of who corrects: the same person, or one who decides between two readings.
    spans, seconds, now
        As for `hand_in`.

    Raises
    ------
    ReviewError
        When there is no such review, it was corrected before, or something is wrong with the decisions.
    """
    with writing(engine) as connection:
        task_id = connection.execute(
            sa.select(REVIEWS.c.task_id).where(REVIEWS.c.review_id == review_id).with_for_update()
        ).scalar()
        if task_id is None:
            raise ReviewError(f"there is no review {review_id}")
        later = sa.select(REVIEWS.c.review_id).where(REVIEWS.c.corrects == review_id)
        if (newer := connection.execute(later).scalar()) is not None:
            raise ReviewError(f"review {review_id} was corrected by review {newer}: correct that one")
        whole = checked(read_task(connection, task_id), spans, seconds)
        return _write(connection, task_id, reviewer, whole, seconds, now, corrects=review_id)


def _refuse_others(connection: Connection, task_id: int, reviewer: str, holder: str) -> None:
    """Refuse whoever does not hold a task; locks its note first, as claims do, and then the task."""
    found = sa.select(REVIEW_TASKS).where(REVIEW_TASKS.c.task_id == task_id)
    of_task = REVIEW_TASKS.c.task_id == task_id, REVIEW_TASKS.c.note_id == NOTES.c.note_id
    note = sa.select(NOTES.c.note_id).where(*of_task)
    connection.execute(note.with_for_update(of=NOTES, key_share=True))
    task = connection.execute(found.with_for_update()).one_or_none()
    if task is None:
        raise GoneError(f"there is no task {task_id}: `next` names the one that you have")
    if task.done_at is not None:
        raise GoneError(
            f"task {task_id} was handed in before{'' if task.reviewer == reviewer else ', by another reviewer'}:"
            f" correct review {_newest(connection, task_id)} if something is wrong in it"
        )
    if task.reviewer != holder:
        raise GoneError(
            f"task {task_id} is {'in nobody' if task.reviewer is None else 'in another person'}'s hands:"
            " the claim had lapsed, or was never made; ask for the next one"
        )
    _refuse_second_reading(connection, task, reviewer)


def _newest(connection: Connection, task_id: int) -> int | None:
    newest: int | None = connection.execute(
        sa.select(sa.func.max(REVIEWS.c.review_id)).where(REVIEWS.c.task_id == task_id)
    ).scalar()
    return newest


def _refuse_second_reading(connection: Connection, task: Any, reviewer: str) -> None:
    read = _OTHER.c.reviewer == reviewer, _OTHER.c.done_at.is_not(None), _OTHER.c.task_id != task.task_id
    same = sa.select(_OTHER.c.task_id).join(REVIEW_TASKS, sa.and_(*same_result(_OTHER, REVIEW_TASKS)))
    if connection.execute(same.where(REVIEW_TASKS.c.task_id == task.task_id, *read)).first():
        raise ReviewError(f"task {task.task_id}: this reviewer has read the note before; it needs another one")


def _write(
    connection: Connection,
    task_id: int,
    reviewer: str,
    spans: Sequence[Decision],
    seconds: float,
    now: datetime,
    corrects: int | None = None,
) -> int:
    values = {"task_id": task_id, "reviewer": reviewer, "at": now, "seconds": float(seconds), "corrects": corrects}
    written = connection.execute(sa.insert(REVIEWS).values(values))
    review_id = int(written.inserted_primary_key[0])  # type: ignore[index]
    rows = [{"review_id": review_id, "number": number, **span._asdict()} for number, span in enumerate(spans)]
    if rows:
        connection.execute(sa.insert(REVIEW_SPANS), rows)
    return review_id

"""Who has which note: one transaction a claim, and never two people over one note at once.

Audits come before work: they are a few minutes a week, and work has no end; if it came first, the sample that
every promise stands on would wait behind it. Work is taken in the order in which it was planned.

What is claimed is the note, whatever tasks it has: on PostgreSQL its row in `notes` is locked, rows that others have
locked are skipped, and what was chosen is looked at again under the lock; who hands in or wants more time waits for
the lock. SQLite has one writer at a time.

Who has begun a note (`production.review.drafts`) gets it again after the claim has lapsed, where nobody took it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from production.database.champion import at_work
from production.database.engine import writing
from production.database.review_tables import REVIEW_DRAFTS, REVIEW_TASKS
from production.database.schema import MODEL_VERSIONS, NOTES, RESULTS
from production.review.keys import same_result
from production.review.params import ReviewParams
from production.review.sampling import WORK
from production.review.tasks import GoneError, Task, read_task

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

AUDIT, WORKING = "audit", "work"
_LEFT = "left"
_KINDS = {AUDIT: (AUDIT,), WORKING: (_LEFT, WORKING), None: (AUDIT, _LEFT, WORKING)}
"""By what is asked for: a note that an earlier version's audit has left is work, if it has something to decide."""
_OTHER = REVIEW_TASKS.alias("other")
_LOCK = 4712  # of reviewers


def next_task(
    engine: Engine,
    reviewer: str,
    now: datetime,
    params: ReviewParams,
    stream: str | None = None,
    *,
    last: Collection[int] = (),
) -> Task | None:
    """Claim a note for a reviewer; who has one gets the same again, and more time for it.

    Parameters
    ----------
    engine : Engine
    reviewer : str
        Pseudonym, as `production.review.keys.reviewer_of` makes it.
    now : datetime
    params : ReviewParams
    stream : {"audit", "work"}, optional
        Only of this one; by default audits first.
    last : collection of int
        Tasks that are taken only where there is no other: those that the reviewer has just given back.

    Returns
    -------
    Task or None
        None where nothing is open that this reviewer may have.
    """
    with writing(engine) as connection:
        _one_at_a_time(connection, reviewer)
        task_id = _in_hand(connection, reviewer, now)
        for left_out in (last, ()):
            if task_id is None:
                task_id = _open_task(connection, reviewer, now, stream, left_out)
        return None if task_id is None else _take(connection, task_id, reviewer, now, params)


def further_tasks(
    engine: Engine, reviewer: str, now: datetime, params: ReviewParams, count: int, stream: str | None = None
) -> list[Task]:
    """Claim so many notes that a reviewer does not have yet, all or none: for a tool that shows them itself."""
    tasks: list[Task] = []
    with writing(engine) as connection:
        _one_at_a_time(connection, reviewer)
        while len(tasks) < count:
            task_id = _open_task(connection, reviewer, now, stream)
            if task_id is None:
                break
            tasks.append(_take(connection, task_id, reviewer, now, params))
    return tasks


def give_back(engine: Engine, task_id: int, reviewer: str) -> None:
    """Let another have a note.

    Raises
    ------
    GoneError
        When the reviewer does not hold it.
    """
    mine = REVIEW_TASKS.c.task_id == task_id, REVIEW_TASKS.c.reviewer == reviewer, REVIEW_TASKS.c.done_at.is_(None)
    with writing(engine) as connection:
        given = sa.update(REVIEW_TASKS).where(*mine).values(reviewer=None, claimed_until=None)
        if not connection.execute(given).rowcount:
            raise GoneError(f"task {task_id} is not yours to give back")
        draft = REVIEW_DRAFTS.c.task_id == task_id, REVIEW_DRAFTS.c.reviewer == reviewer
        connection.execute(sa.delete(REVIEW_DRAFTS).where(*draft))


def keep(connection: Connection, task_id: int, reviewer: str, now: datetime, params: ReviewParams) -> datetime:
    """Let a reviewer who is at a note have it longer; return until when.

    Raises
    ------
    GoneError
        When the claim has lapsed and another has the note, or it is handed in.
    """
    tasks = REVIEW_TASKS.c
    mine = sa.select(tasks.task_id).join(NOTES, NOTES.c.note_id == tasks.note_id)
    mine = mine.where(tasks.task_id == task_id, tasks.reviewer == reviewer, tasks.done_at.is_(None))
    if _locked(connection, mine.where(~_elsewhere(reviewer, now)), skip=False) is None:
        raise GoneError(
            f"task {task_id} is not yours any more: it was handed in, given back, or taken by another person after"
            f" {params.claim_minutes:g} minutes without a decision"
        )
    return _extend(connection, task_id, reviewer, now, params)


def _in_hand(connection: Connection, reviewer: str, now: datetime) -> int | None:
    """Return the task that a reviewer has, or has begun and nobody has taken since."""
    held = _locked(connection, _held(reviewer, now), skip=False)
    return held if held is not None else _locked(connection, _begun(reviewer, now), skip=True)


def _one_at_a_time(connection: Connection, reviewer: str) -> None:
    """Let a reviewer who asks twice at once be answered one after the other."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_LOCK}, hashtext(:name))"), {"name": reviewer})


def _held(reviewer: str, now: datetime) -> sa.Select[Any]:
    tasks = REVIEW_TASKS.c
    held = tasks.reviewer == reviewer, tasks.done_at.is_(None), tasks.claimed_until > now
    return sa.select(tasks.task_id).join(NOTES, NOTES.c.note_id == tasks.note_id).where(*held)


def _begun(reviewer: str, now: datetime) -> sa.Select[Any]:
    tasks, drafts = REVIEW_TASKS.c, REVIEW_DRAFTS.c
    drafted = sa.exists().where(drafts.task_id == tasks.task_id, drafts.reviewer == reviewer)
    mine = sa.select(tasks.task_id).join(NOTES, NOTES.c.note_id == tasks.note_id)
    return mine.where(tasks.reviewer == reviewer, tasks.done_at.is_(None), drafted, ~_elsewhere(reviewer, now))


def _open_task(
    connection: Connection, reviewer: str, now: datetime, stream: str | None, left_out: Collection[int] = ()
) -> int | None:
    """Return a task that is free for a reviewer, and lock its note."""
    version = at_work(connection).version
    for kind in _KINDS[stream]:
        free = _free(reviewer, now, kind, version)
        found = _locked(connection, free.where(REVIEW_TASKS.c.task_id.not_in(left_out)), skip=True)
        if found is not None:
            return found
    return None


def _locked(connection: Connection, query: sa.Select[Any], *, skip: bool) -> int | None:
    """Return the first task that is found, also when its note is locked and nobody else can take it."""
    first = query.order_by(REVIEW_TASKS.c.task_id).limit(1)
    first = first.with_for_update(of=NOTES, key_share=True, skip_locked=skip)
    while (found := connection.execute(first).scalar()) is not None:
        if connection.execute(query.where(REVIEW_TASKS.c.task_id == found)).scalar() is not None:
            return int(found)
    return None


def _free(reviewer: str, now: datetime, kind: str, version: str) -> sa.Select[Any]:
    tasks = REVIEW_TASKS.c
    return (
        sa.select(tasks.task_id)
        .join(NOTES, NOTES.c.note_id == tasks.note_id)
        .where(tasks.stream == (WORKING if kind == WORKING else AUDIT), tasks.done_at.is_(None))
        .where(sa.or_(tasks.claimed_until.is_(None), tasks.claimed_until <= now))
        .where(~_elsewhere(reviewer, now), _still_wanted(kind, version))
    )


def _elsewhere(reviewer: str, now: datetime) -> sa.Exists:
    """Return that another task of the note is in somebody's hands, or was this reviewer's for the same result."""
    held = sa.and_(_OTHER.c.done_at.is_(None), _OTHER.c.claimed_until > now)
    read = sa.and_(_OTHER.c.done_at.is_not(None), _OTHER.c.reviewer == reviewer, *same_result(_OTHER, REVIEW_TASKS))
    same_note = _OTHER.c.note_id == REVIEW_TASKS.c.note_id, _OTHER.c.task_id != REVIEW_TASKS.c.task_id
    return sa.exists().where(*same_note, sa.or_(held, read))


def _still_wanted(kind: str, version: str) -> sa.ColumnElement[bool]:
    """Return that reading the note still says something: of the champion, or of a result that is current."""
    if kind == AUDIT:
        return REVIEW_TASKS.c.model_version == version
    if kind == _LEFT:
        to_decide = REVIEW_TASKS.c.place == 1, REVIEW_TASKS.c.stratum.in_(WORK)
        return sa.and_(REVIEW_TASKS.c.model_version != version, *to_decide, _is_current())
    return _is_current()


def _is_current() -> sa.ColumnElement[bool]:
    newer, later, own = RESULTS.alias("newer"), MODEL_VERSIONS.alias("later"), MODEL_VERSIONS.alias("own")
    replaced = (
        sa.exists()
        .where(newer.c.note_id == REVIEW_TASKS.c.note_id, newer.c.text_hash == REVIEW_TASKS.c.text_hash)
        .where(~newer.c.shadow, later.c.model_version == newer.c.model_version)
        .where(own.c.model_version == REVIEW_TASKS.c.model_version, later.c.champion_since > own.c.champion_since)
    )
    return sa.and_(NOTES.c.current_hash == REVIEW_TASKS.c.text_hash, ~replaced)


def _take(connection: Connection, task_id: int, reviewer: str, now: datetime, params: ReviewParams) -> Task:
    _extend(connection, task_id, reviewer, now, params)
    return read_task(connection, task_id)


def _extend(connection: Connection, task_id: int, reviewer: str, now: datetime, params: ReviewParams) -> datetime:
    until = now + timedelta(minutes=params.claim_minutes)
    taken = sa.update(REVIEW_TASKS).where(REVIEW_TASKS.c.task_id == task_id)
    connection.execute(taken.values(reviewer=reviewer, claimed_until=until))
    return until

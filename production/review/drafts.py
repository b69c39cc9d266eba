"""What a person has decided so far: kept until the note is handed in or given back, so that nothing is lost.

A draft is of the form that `production.review.decisions.parse` reads, with answers missing. It has numbers, offsets and
labels, and no word of the note. Whoever keeps one has the note for longer.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from production.database.engine import reading, writing
from production.database.review_tables import REVIEW_DRAFTS
from production.review.claiming import keep
from production.review.decisions import LONGEST, parse
from production.review.params import ReviewParams
from production.review.tasks import GoneError, ReviewError, Task
from stages.train.assertion.rules import ASSERTIONS

if TYPE_CHECKING:
    from sqlalchemy import Engine


class Draft(NamedTuple):
    """What was decided so far, and how often it was kept before."""

    version: int = 0
    decisions: Mapping[str, Any] = {}


def read_draft(engine: Engine, task_id: int, reviewer: str) -> Draft:
    """Return the draft of a reviewer, an empty one where there is none."""
    query = sa.select(REVIEW_DRAFTS.c.version, REVIEW_DRAFTS.c.decisions).where(*_own(task_id, reviewer))
    with reading(engine) as connection:
        found = connection.execute(query).one_or_none()
    return Draft(*found) if found else Draft()


def keep_draft(
    engine: Engine, task: Task, reviewer: str, draft: Draft, now: datetime, params: ReviewParams
) -> tuple[Draft, datetime]:
    """Keep decisions in place of those of a version; return the new version, and until when the note is kept.

    Parameters
    ----------
    engine : Engine
    task : Task
    reviewer : str
        Pseudonym.
    draft : Draft
        The decisions, with the version that they follow.
    now : datetime
    params : ReviewParams

    Raises
    ------
    GoneError
        When the note is no longer the reviewer's, or another window has kept a draft since.
    ReviewError
        When it is no draft.
    """
    _refuse_words(task, draft)
    with writing(engine) as connection:
        until = keep(connection, task.task_id, reviewer, now, params)
        own = _own(task.task_id, reviewer)
        version = connection.execute(sa.select(REVIEW_DRAFTS.c.version).where(*own)).scalar() or 0
        if version != draft.version:
            raise GoneError(f"task {task.task_id} is open in another window, too, and was decided on there since")
        values = {"version": version + 1, "at": now, "decisions": dict(draft.decisions)}
        if version:
            connection.execute(sa.update(REVIEW_DRAFTS).where(*own).values(values))
        else:
            key = {"task_id": task.task_id, "reviewer": reviewer}
            connection.execute(sa.insert(REVIEW_DRAFTS).values({**key, **values}))
    return Draft(version + 1, draft.decisions), until


def _refuse_words(task: Task, draft: Draft) -> None:
    """Refuse what is no draft: a word of the note would be in a second place."""
    decisions, seconds = parse(draft.decisions)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= LONGEST:
        raise ReviewError(f"task {task.task_id}: seconds are no number from 0 to {LONGEST:,.0f}")
    for one in decisions:
        if one.label not in (None, *task.labels) or one.assertion not in (None, *ASSERTIONS):
            raise ReviewError(f"task {task.task_id}, {one.where}: no such label or assertion")


def _own(task_id: int, reviewer: str) -> tuple[sa.ColumnElement[bool], ...]:
    return REVIEW_DRAFTS.c.task_id == task_id, REVIEW_DRAFTS.c.reviewer == reviewer

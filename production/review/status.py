"""How far the reviews are: open, claimed and done, and the minutes that the audit took."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from production.database.engine import reading
from production.database.review_tables import REVIEW_PLANS, REVIEW_TASKS, REVIEWS
from stages.monitor.times import as_utc

if TYPE_CHECKING:
    from sqlalchemy import Engine

WEEK = timedelta(days=7)


class Count(NamedTuple):
    """Tasks of a stream and stratum."""

    stream: str
    stratum: str
    open: int
    claimed: int
    done: int


class Status(NamedTuple):
    """Where the reviews are.

    Parameters
    ----------
    counts : list of Count
    planned_until : datetime or None
        Results that were written before are planned; None where there is no plan.
    minutes : float
        That audits took in the last week.
    waiting : float
        Minutes that the open audits are expected to take.
    """

    counts: list[Count]
    planned_until: datetime | None
    minutes: float
    waiting: float

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON types."""
        until = self.planned_until.isoformat(timespec="seconds") if self.planned_until else None
        return {**self._asdict(), "counts": [one._asdict() for one in self.counts], "planned_until": until}


class Week(NamedTuple):
    """What was read in a week.

    Parameters
    ----------
    monday : str
        With which it begins, in UTC.
    stream : str
    notes : int
        That were handed in.
    minutes : float
        Corrections with them.
    """

    monday: str
    stream: str
    notes: int
    minutes: float


def weekly(engine: Engine, since: datetime) -> list[Week]:
    """Return what was read in each week since a moment, by stream."""
    query = sa.select(REVIEWS.c.at, REVIEWS.c.seconds, REVIEWS.c.corrects, REVIEW_TASKS.c.stream)
    notes: Counter[tuple[str, str]] = Counter()
    seconds: Counter[tuple[str, str]] = Counter()
    with reading(engine) as connection:
        for at, took, corrects, stream in connection.execute(query.join(REVIEW_TASKS).where(REVIEWS.c.at >= since)):
            day = as_utc(at).date()
            week = (day - timedelta(days=day.weekday())).isoformat(), stream
            notes[week] += corrects is None
            seconds[week] += took
    return [Week(*week, notes[week], seconds[week] / 60) for week in sorted(notes)]


def status_of(engine: Engine, now: datetime) -> Status:
    """Count."""
    tasks = REVIEW_TASKS.c
    done, held = tasks.done_at.is_not(None), sa.and_(tasks.done_at.is_(None), tasks.claimed_until > now)
    free = sa.and_(tasks.done_at.is_(None), sa.or_(tasks.claimed_until.is_(None), tasks.claimed_until <= now))
    counts = sa.select(tasks.stream, tasks.stratum, *(_number(one) for one in (free, held, done)))
    counts = counts.group_by(tasks.stream, tasks.stratum).order_by(tasks.stream, tasks.stratum)
    took = sa.select(sa.func.coalesce(sa.func.sum(REVIEWS.c.seconds), 0.0)).join(REVIEW_TASKS)
    took = took.where(tasks.stream == "audit", REVIEWS.c.at > now - WEEK)
    waiting = sa.select(sa.func.coalesce(sa.func.sum(tasks.seconds), 0.0)).where(tasks.stream == "audit", ~done)
    with reading(engine) as connection:
        until = connection.execute(sa.select(sa.func.max(REVIEW_PLANS.c.until))).scalar()
        return Status(
            [Count(*row) for row in connection.execute(counts)],
            as_utc(until) if until else None,
            connection.execute(took).scalar_one() / 60,
            connection.execute(waiting).scalar_one() / 60,
        )


class Done(NamedTuple):
    """What one person has handed in."""

    notes: int
    minutes: float


def done_by(engine: Engine, reviewer: str, since: datetime) -> Done:
    """Count what a reviewer has handed in since a moment, corrections left out."""
    own = REVIEWS.c.reviewer == reviewer, REVIEWS.c.at >= since, REVIEWS.c.corrects.is_(None)
    query = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(REVIEWS.c.seconds), 0.0)).where(*own)
    with reading(engine) as connection:
        notes, seconds = connection.execute(query).one()
    return Done(notes, seconds / 60)


def _number(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.sum(sa.case((condition, 1), else_=0))

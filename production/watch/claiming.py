"""Which message is sent next, by whom, and what became of it: short transactions, alike on both databases.

Whoever takes a message moves its time ahead: nobody else sees it as due until then, and if the taker dies, it is due
again then. Messages of one topic reach a channel in their order, so that nothing is over before it began.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, exists, or_, select, update

from production.database.engine import reading, writing
from production.database.watch_tables import OUTBOX
from production.watch.params import WatchParams
from stages.monitor.times import as_utc

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Engine, Row

INTERRUPTED = "the sender ended before it was known"
_LONGEST_EXPONENT = 40


@dataclass(frozen=True)
class Claimed:
    """A message that nobody else sends now."""

    message_id: str
    channel: str
    topic: str
    content: dict[str, Any]
    attempts: int


@dataclass(frozen=True)
class Undelivered:
    """A message that did not reach its channel yet.

    Parameters
    ----------
    message_id, channel, topic : str
    since : datetime
        When it was written.
    attempts : int
    fault : str, optional
        Of the last one.
    given_up : bool
        Nobody tries again by himself.
    """

    message_id: str
    channel: str
    topic: str
    since: datetime
    attempts: int
    fault: str | None
    given_up: bool


def is_given_up(now: datetime, params: WatchParams) -> ColumnElement[bool]:
    """Return the condition that a message failed too often and is not on its way right now.

    One that a later one of its topic has overtaken is no longer missed.
    """
    failed = (OUTBOX.c.delivered_at.is_(None), OUTBOX.c.attempts >= params.give_up_attempts)
    return and_(*failed, OUTBOX.c.next_at <= as_utc(now), ~is_overtaken())


def is_overtaken() -> ColumnElement[bool]:
    """Return the condition that a later message of the same topic reached the channel: this one is no longer missed."""
    later = OUTBOX.alias()
    return exists().where(
        later.c.channel == OUTBOX.c.channel,
        later.c.topic == OUTBOX.c.topic,
        later.c.decided_by > OUTBOX.c.decided_by,
        later.c.delivered_at.is_not(None),
    )


def due_channels(engine: Engine, now: datetime, params: WatchParams) -> list[str]:
    """Return the channels for which there is something to send."""
    with reading(engine) as connection:
        return list(connection.scalars(select(OUTBOX.c.channel).where(_is_due(now, params)).distinct()))


def claim(engine: Engine, channel: str, now: datetime, lease: float, params: WatchParams) -> Claimed | None:
    """Take the next message of a channel for so many seconds; None where none is due."""
    query = select(OUTBOX).where(OUTBOX.c.channel == channel, _is_due(now, params)).order_by(OUTBOX.c.decided_by)
    with writing(engine) as connection:
        for row in connection.execute(query.limit(10)).all():  # another sender may have taken the first ones
            taken = update(OUTBOX).where(
                OUTBOX.c.message_id == row.message_id,
                OUTBOX.c.attempts == row.attempts,
                OUTBOX.c.delivered_at.is_(None),
            )
            until = as_utc(now) + timedelta(seconds=lease)
            values = {"attempts": row.attempts + 1, "next_at": until, "fault": INTERRUPTED}
            if connection.execute(taken.values(values)).rowcount:
                return Claimed(row.message_id, row.channel, row.topic, json.loads(row.body), row.attempts + 1)
    return None


def settle(engine: Engine, claimed: Claimed, fault: str | None, now: datetime, params: WatchParams) -> None:
    """Write what became of a message."""
    row = update(OUTBOX).where(OUTBOX.c.message_id == claimed.message_id, OUTBOX.c.delivered_at.is_(None))
    if fault is None:
        change = row.values(delivered_at=as_utc(now), fault=None)
    else:  # unless another sender has it meanwhile
        at = as_utc(now) + timedelta(seconds=pause(claimed.attempts, params))
        change = row.where(OUTBOX.c.attempts == claimed.attempts).values(fault=fault, next_at=at)
    with writing(engine) as connection:
        connection.execute(change)


def pause(attempts: int, params: WatchParams) -> float:
    """Return the seconds until the next attempt, doubled each time up to the longest; 0 after the last one."""
    if attempts >= params.give_up_attempts:
        return 0.0
    return min(params.retry_seconds * 2.0 ** min(attempts - 1, _LONGEST_EXPONENT), params.longest_retry_seconds)


def undelivered(engine: Engine, now: datetime, params: WatchParams) -> list[Undelivered]:
    """Return what was tried and has not reached its channel, the oldest first."""
    query = select(OUTBOX, is_given_up(now, params).label("given_up"))
    query = query.where(OUTBOX.c.delivered_at.is_(None), OUTBOX.c.attempts > 0, ~is_overtaken())
    with reading(engine) as connection:
        return [_undelivered(row) for row in connection.execute(query.order_by(OUTBOX.c.decided_by))]


def try_again(engine: Engine, now: datetime, params: WatchParams) -> int:
    """Let messages that were given up be sent after all; return how many."""
    change = update(OUTBOX).where(is_given_up(now, params))
    with writing(engine) as connection:
        return connection.execute(change.values(attempts=0, next_at=as_utc(now))).rowcount


def _is_due(now: datetime, params: WatchParams) -> ColumnElement[bool]:
    earlier = OUTBOX.alias()
    waits = exists().where(
        earlier.c.channel == OUTBOX.c.channel,
        earlier.c.topic == OUTBOX.c.topic,
        earlier.c.decided_by < OUTBOX.c.decided_by,
        earlier.c.delivered_at.is_(None),
        or_(earlier.c.attempts < params.give_up_attempts, earlier.c.next_at > as_utc(now)),
    )
    own = (
        OUTBOX.c.delivered_at.is_(None),
        OUTBOX.c.next_at <= as_utc(now),
        OUTBOX.c.attempts < params.give_up_attempts,
    )
    return and_(*own, ~waits)


def _undelivered(row: Row[Any]) -> Undelivered:
    return Undelivered(
        row.message_id, row.channel, row.topic, as_utc(row.created_at), row.attempts, row.fault, bool(row.given_up)
    )

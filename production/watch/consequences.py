"""What follows from a finding, written in the transaction that wrote the finding: decisions, alerts, messages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import select

from production.database.watch_tables import DECISIONS
from production.watch.alerts import News, tell
from production.watch.chain import lock
from production.watch.channels import Channels
from production.watch.finding import Finding
from production.watch.params import WatchParams
from production.watch.triggering import start

if TYPE_CHECKING:
    from sqlalchemy import Connection

KINDS = ("trigger", "held", "alert", "over")


@dataclass(frozen=True)
class Consequences:
    """Numbers of the decisions that followed; None where there was none of that kind.

    Parameters
    ----------
    trigger : int, optional
        A retraining is started.
    held : int, optional
        One would have been, and was not: the decision says why.
    alert : int, optional
        People are told.
    over : int, optional
        They are told that it is over.
    messages : tuple of str
        Ids of what is to be sent; empty where it had followed before.
    """

    trigger: int | None = None
    held: int | None = None
    alert: int | None = None
    over: int | None = None
    messages: tuple[str, ...] = ()


def follow(
    connection: Connection,
    finding: Finding,
    decided_by: int,
    now: datetime,
    params: WatchParams,
    channels: Channels,
) -> Consequences:
    """Write what follows from a finding; nothing where it has followed before.

    Parameters
    ----------
    connection : Connection
        In the transaction that wrote the finding: all of it is there, or nothing.
    finding : Finding
    decided_by : int
        The number of the finding's decision.
    now : datetime
    params : WatchParams
    channels : Channels
        As `load_channels` returns them: the names of those who are told.
    """
    lock(connection)
    if earlier := _earlier(connection, decided_by):
        return _consequences(earlier)
    started = start(connection, finding, decided_by, now, params)
    sentence = started.sentence if started else ""
    told = tell(connection, News(finding, decided_by, now, params.remind_days, channels.telling, sentence))
    numbers = {}
    messages: tuple[str, ...] = ()
    if started:
        numbers["trigger" if started.message else "held"] = started.number
        messages = (started.message,) if started.message else ()
    if told:
        numbers[told.kind] = told.number
        messages = (*messages, *told.messages)
    return _consequences(numbers, messages)


def _consequences(numbers: Mapping[str, int], messages: tuple[str, ...] = ()) -> Consequences:
    trigger, held, alert, over = (numbers.get(kind) for kind in KINDS)
    return Consequences(trigger, held, alert, over, messages)


def _earlier(connection: Connection, decided_by: int) -> dict[str, int]:
    """Return the decisions that have followed already: they were written after it, and name it."""
    query = select(DECISIONS.c.number, DECISIONS.c.kind, DECISIONS.c.body).where(
        DECISIONS.c.kind.in_(KINDS), DECISIONS.c.number > decided_by
    )
    rows = connection.execute(query.order_by(DECISIONS.c.number)).all()
    return {row.kind: row.number for row in rows if json.loads(row.body).get("finding") == decided_by}

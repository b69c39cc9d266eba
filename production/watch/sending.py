"""Takes due messages to their channels: at least once each, whatever ends it; a channel that hangs holds up no other.

A fault moves a message ahead by a pause that doubles. The pauses are in rows, since they have to outlive the process.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from production.database.engine import folder_of, kind_of, reading, writing
from production.database.watch_tables import OUTBOX
from production.watch.alerts import News, open_alert, tell
from production.watch.chain import lock
from production.watch.channels import Channels
from production.watch.claiming import Claimed, claim, due_channels, is_given_up, settle
from production.watch.deliver import Request, deliver_apart
from production.watch.finding import Finding
from production.watch.names import TRIGGER
from production.watch.params import WatchParams
from stages.common.wording import agreeing
from stages.monitor.times import as_utc

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

UNDELIVERED = "undelivered"
"""The topic."""
LEASE_MARGIN = 30.0
"""Seconds for which a message stays claimed beyond the end of the process that sends it."""
CHANNELS_AT_ONCE = 16

Clock = Callable[[], datetime]
Deliver = Callable[[Request, float, threading.Event], str | None]


@dataclass(frozen=True)
class Sent:
    """What became of the messages that were due."""

    delivered: int = 0
    failed: int = 0

    def __add__(self, other: Sent) -> Sent:
        return Sent(self.delivered + other.delivered, self.failed + other.failed)


@dataclass(frozen=True)
class Sender:
    """What sending takes.

    Parameters
    ----------
    engine : Engine
    params : WatchParams
    channels : Channels
        Who is told when messages do not arrive.
    now : callable
        The clock.
    stopping : threading.Event
        Set: no further message is taken.
    deliver : callable
        Takes one message to its channel within some seconds; returns the fault.
    """

    engine: Engine
    params: WatchParams
    channels: Channels
    now: Clock
    stopping: threading.Event
    deliver: Deliver = deliver_apart

    def send_channel(self, channel: str) -> Sent:
        """Send what is due for one channel, one message after the other."""
        sent = Sent()
        seconds = self._seconds(channel)
        while not self.stopping.is_set():
            found = claim(self.engine, channel, self.now(), seconds + LEASE_MARGIN, self.params)
            if found is None:
                break
            fault = self.deliver(self._request(found), seconds, self.stopping)
            settle(self.engine, found, fault, self.now(), self.params)
            sent += Sent(failed=1) if fault else Sent(delivered=1)
        return sent

    def _seconds(self, channel: str) -> float:
        runs_here = channel == TRIGGER and self.params.trigger.kind == "command"
        return self.params.send_seconds + (self.params.trigger.seconds if runs_here else 0.0)

    def _request(self, found: Claimed) -> Request:
        folder = folder_of(self.engine.url).resolve()
        return Request(
            found.channel, found.message_id, found.content, self.params.trigger.model_dump(), folder.as_posix()
        )


def send_due(
    engine: Engine,
    params: WatchParams,
    channels: Channels,
    now: Clock,
    *,
    stopping: threading.Event | None = None,
    deliver: Deliver = deliver_apart,
) -> Sent:
    """Send all that is due now, each channel by itself, and wait until it is done."""
    sender = Sender(engine, params, channels, now, stopping or threading.Event(), deliver)
    tell_of_undelivered(engine, now(), params, channels)
    with ThreadPoolExecutor(CHANNELS_AT_ONCE) as pool:
        done = sum(pool.map(sender.send_channel, due_channels(engine, now(), params)), Sent())
    tell_of_undelivered(engine, now(), params, channels)
    return done


def run_sender(
    engine: Engine,
    params: WatchParams,
    channels: Channels,
    now: Clock,
    stopping: threading.Event,
    *,
    deliver: Deliver = deliver_apart,
    report: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
) -> Sent:
    """Send what becomes due, until `stopping` is set; messages on their way are finished first.

    A database that does not answer is said to `report`, and asked again.
    """
    sender = Sender(engine, params, channels, now, stopping, deliver)
    done, busy = Sent(), dict[str, Future[Sent]]()
    with ThreadPoolExecutor(CHANNELS_AT_ONCE) as pool:
        while not stopping.is_set():
            try:
                done += _finished(busy)
                tell_of_undelivered(engine, now(), params, channels)
                for channel in due_channels(engine, now(), params):
                    if channel not in busy:
                        busy[channel] = pool.submit(sender.send_channel, channel)
            except DBAPIError as error:
                report(f"ALERT: the database does not answer ({kind_of(error)}); messages wait")
            stopping.wait(params.poll_seconds)
    return done + _finished(busy)


def tell_of_undelivered(engine: Engine, now: datetime, params: WatchParams, channels: Channels) -> None:
    """Open an alert where messages were given up, on the channels that work, and close it where none is left."""
    with reading(engine) as connection:
        if bool(_given_up(connection, now, params)) == (open_alert(connection, UNDELIVERED) is not None):
            return
    with writing(engine) as connection:
        lock(connection)  # another sender may be about to tell the same
        counts = _given_up(connection, now, params)
        telling = tuple(name for name in channels.telling if name not in counts)
        news = News(_finding(counts, now), 0, now, params.remind_days, telling)
        tell(connection, news)


def _given_up(connection: Connection, now: datetime, params: WatchParams) -> dict[str, int]:
    query = select(OUTBOX.c.channel, func.count()).where(is_given_up(now, params))
    return {row[0]: row[1] for row in connection.execute(query.group_by(OUTBOX.c.channel))}


def _finding(counts: dict[str, int], now: datetime) -> Finding:
    reasons = tuple(
        f"{agreeing(number, 'message/messages was/were')} not delivered to {channel}"
        for channel, number in sorted(counts.items())
    )
    decision = "unknown" if counts else "none"
    time = as_utc(now)
    figures: dict[str, Any] = {}
    return Finding(UNDELIVERED, decision, reasons, "any", time.isoformat(), time, time, False, figures)


def _finished(busy: dict[str, Future[Sent]]) -> Sent:
    """Return what the channels did that are done, and forget them."""
    ended = [name for name, future in busy.items() if future.done()]
    return sum((busy.pop(name).result() for name in ended), Sent())

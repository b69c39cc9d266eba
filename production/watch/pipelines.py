"""What pipelines tell people, as alerts: one is open at most of each, it is told once, and told to be over."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from production.database.engine import reading, writing
from production.watch.alerts import News, Told, open_alert, tell, told_of
from production.watch.chain import lock
from production.watch.channels import Channels
from production.watch.finding import Finding
from production.watch.names import PIPELINES
from production.watch.params import WatchParams
from stages.monitor.times import as_time, as_utc

if TYPE_CHECKING:
    from sqlalchemy import Engine

PAUSE = 3600
"""Seconds within which the same failure is the same message, where no database counts it."""
SECONDS = 30.0
"""What sending one may take."""
_TIME = re.compile(r"__(?P<at>\d{4}-\d\d-\d\dT[\d:.+-]+)")
"""As in `scheduled__2026-11-30T02:00:00+00:00` and `asset_triggered__2026-11-30T02:00:00+00:00_x1Y2`."""


def tell_failed(
    engine: Engine, pipeline: str, task: str, run: str, now: datetime, params: WatchParams, channels: Channels
) -> Told | None:
    """Open the alert of a pipeline, or repeat it where it is due; None where people know."""
    return _tell(engine, failure(pipeline, task, run, now), now, params, channels)


def tell_passed(
    engine: Engine, pipeline: str, run: str, now: datetime, params: WatchParams, channels: Channels
) -> Told | None:
    """Close the alert of a pipeline; None where none is open that this run ends, which is found without a lock."""
    with reading(engine) as connection:
        alert = open_alert(connection, pipeline)
        if alert is None or _is_of_later_run([body["period"] for body in told_of(connection, alert)], run, now):
            return None
    return _tell(engine, _finding(pipeline, "none", f"run {run} went through", run, now), now, params, channels)


def _is_of_later_run(told: Sequence[str], run: str, now: datetime) -> bool:
    """Tell whether people were told of a run that came after this one: an old one that is cleared does not end that.

    Airflow writes a run's time into its name; of one without, nothing is known. A time to come would never be over.
    """
    at, others = _time_of(run), map(_time_of, told)
    return at is not None and any(other is not None and at < other <= as_utc(now) for other in others)


def _time_of(run: str) -> datetime | None:
    found = _TIME.search(run)
    try:
        return as_time(found["at"]) if found else None
    except (ValueError, OverflowError):
        return None


def failure(pipeline: str, task: str, run: str, now: datetime) -> Finding:
    """Return what is found where a task failed."""
    return _finding(pipeline, "unknown", f"task {task} of run {run} failed", run, now)


def tell_without_database(finding: Finding, channels: Channels) -> list[str]:
    """Send an alert at once, where no outbox can be reached; return the channels that it did not reach.

    Nobody counts what was sent: a receiver drops what comes again within an hour by its id.
    """
    import threading

    from production.watch.deliver import Request, deliver_apart

    hour = int(finding.until.timestamp()) // PAUSE
    message_id = hashlib.sha256(f"{finding.topic}\n{hour}".encode()).hexdigest()
    lines = [
        f"What: {finding.topic} failed",
        *(f"- {reason}" for reason in finding.reasons),
        "The database did not answer: this was sent without being kept.",
        f"Where to look: docs/runbook.md, section {finding.topic}",
        f"Message {message_id}",
    ]
    text = "\n".join(lines)
    content = {"title": f"BeHealthy: {finding.topic} failed", "text": text, "topic": finding.topic, "purpose": "opened"}
    requests = [Request(channel, message_id, content, {}, ".") for channel in channels.telling]
    return [one.channel for one in requests if deliver_apart(one, SECONDS, threading.Event()) is not None]


def _tell(engine: Engine, finding: Finding, now: datetime, params: WatchParams, channels: Channels) -> Told | None:
    with writing(engine) as connection:
        lock(connection)  # another task may be about to tell the same
        return tell(connection, News(finding, 0, now, params.remind_days, channels.telling))


def _finding(pipeline: str, decision: str, reason: str, run: str, now: datetime) -> Finding:
    if pipeline not in PIPELINES:
        raise ValueError(pipeline)
    time = as_utc(now)
    return Finding(pipeline, decision, (reason,), "any", run[:60], time, time, False, {})

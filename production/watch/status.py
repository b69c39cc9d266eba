"""How the watch stands: what was decided last, whether the next decision is overdue, what is open or undelivered."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, select

from production.database.engine import reading
from production.database.watch_tables import ALERTS, OUTBOX, WATCH_WINDOWS
from production.watch.claiming import is_overtaken
from production.watch.keeping import Champion, champion, windows
from production.watch.params import WatchParams
from production.watch.periods import SETTLED, Period, periods, running
from stages.common.errors import BeHealthyError
from stages.common.wording import counted, decision_in_words
from stages.monitor.times import as_utc

LATE = timedelta(days=1)
"""After a window could be judged until its decision is overdue; after a message was written until it should be sent."""


def status(engine: Engine, params: WatchParams, now: datetime, last: int) -> dict[str, Any]:
    """Return what a person or a dead man's switch has to know.

    Returns
    -------
    dict
        `attention`: whether a person has to look. `age_seconds`: of the last decision, None where there is none.
        `overdue`: names of windows that should have been judged a day ago. `ahead`: whether the champion is at
        work since a time that is to come, so that nothing is judged. `due`: when the window of these days can be
        judged, None where none is due at a time. `windows`, `alerts`, `undelivered`.
    """
    at_work = _at_work(engine)
    late = [period.name for period in overdue(engine, at_work, params, now)] if at_work else []
    ahead = at_work is not None and at_work.is_ahead(now)
    with reading(engine) as connection:
        alerts = connection.execute(select(ALERTS).where(ALERTS.c.closed_at.is_(None)).order_by(ALERTS.c.alert_id))
        opened = [{name: row[name] for name in ("topic", "decision", "opened_at")} for row in alerts.mappings()]
        waiting = select(OUTBOX.c.channel, OUTBOX.c.created_at, OUTBOX.c.attempts, OUTBOX.c.fault)
        undelivered = waiting.where(OUTBOX.c.delivered_at.is_(None), ~is_overtaken()).order_by(OUTBOX.c.created_at)
        unsent = [dict(row) for row in connection.execute(undelivered).mappings()]
        newest = select(WATCH_WINDOWS.c.until).order_by(WATCH_WINDOWS.c.until.desc()).limit(1)
        end = connection.execute(newest).scalar()
    stuck = [one for one in unsent if one["attempts"] or as_utc(one["created_at"]) + LATE <= now]  # or nobody sends
    return {
        "attention": bool(late or opened or stuck or ahead),
        "age_seconds": None if end is None else (now - as_utc(end)).total_seconds(),
        "overdue": late,
        "ahead": ahead,
        "due": _due(at_work, params, now),
        "windows": list(windows(engine, last)),
        "alerts": opened,
        "undelivered": unsent,
    }


def due(engine: Engine, params: WatchParams, now: datetime) -> datetime | None:
    """Return when the window of these days can be judged; None where none is due at a time, or nothing is at work."""
    return _due(_at_work(engine), params, now)


def _due(at_work: Champion | None, params: WatchParams, now: datetime) -> datetime | None:
    scheme = params.window
    if at_work is None or at_work.is_ahead(now) or scheme not in ("day", "week"):
        return None
    return running("day" if scheme == "day" else "week", at_work.start, now).until + SETTLED


def _at_work(engine: Engine) -> Champion | None:
    try:
        return champion(engine)
    except BeHealthyError:
        return None


def overdue(engine: Engine, at_work: Champion, params: WatchParams, now: datetime) -> list[Period]:
    """Return windows that should have been judged; of those of a number of rows, none is due at a time."""
    scheme = params.window
    if scheme not in ("day", "week"):
        return []
    columns = WATCH_WINDOWS.c
    query = select(columns.since).where(columns.scheme == scheme, columns.model_version == at_work.version)
    with reading(engine) as connection:
        judged = {as_utc(since) for (since,) in connection.execute(query)}
    over = periods("day" if scheme == "day" else "week", at_work.start, now - LATE + SETTLED)
    return [period for period in over if period.since not in judged]


def show(found: Mapping[str, Any], *, as_json: bool) -> None:
    """Print it."""
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False, default=_as_text))
        return
    for one in found["windows"]:
        acts = "" if one["acts"] else " (not acted on)"
        notes = f"({counted(one['notes'], 'note')})"
        print(f"{one['name']}: {decision_in_words(one['decision'])} {notes}{acts}")
    if found["age_seconds"] is None:
        when = f"at {found['due']:%Y-%m-%d %H:%M} UTC" if found["due"] else "when the first one is over"
        print(f"watch: no window was judged yet: `python -m production.watch run`, {when}")
    else:
        print(f"watch: the last window that was judged ended {found['age_seconds'] / 86_400:.1f} days ago")
    _list("OVERDUE", [f"{name}: `python -m production.watch run`" for name in found["overdue"]])
    if found["ahead"]:
        print("CLOCK: the champion is at work since a time that is to come; nothing is judged until then")
    _list("ALERT", [_alert(one) for one in found["alerts"]])
    _list("NOT DELIVERED", [_unsent(one) for one in found["undelivered"] if one["attempts"]])
    _list("WAITS", [f"to {one['channel']}: `watch send`" for one in found["undelivered"] if not one["attempts"]])
    if not found["attention"]:
        print("watch: nothing is overdue, no alert is open, and nothing failed to be sent")


def _alert(one: Mapping[str, Any]) -> str:
    since = f"open since {as_utc(one['opened_at']):%Y-%m-%d %H:%M} UTC"
    said = f"{one['topic']}: {decision_in_words(one['decision'])}"
    return f"{said}: {since}; what to do: docs/runbook.md, section {one['topic']}"


def _list(what: str, lines: Sequence[str]) -> None:
    for line in lines:
        print(f"{what}: {line}")


def _unsent(one: Mapping[str, Any]) -> str:
    fault = f", the last time {one['fault']}" if one["fault"] else ""
    return f"to {one['channel']}: tried {counted(one['attempts'], 'time')}{fault}: docs/runbook.md, section undelivered"


def _as_text(value: object) -> str:
    return as_utc(value).isoformat() if isinstance(value, datetime) else str(value)

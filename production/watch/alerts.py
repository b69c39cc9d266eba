"""Alerts: one open at most of a topic; told when it opens, gets worse, stays for long, and is over."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from production.database.watch_tables import ALERTS, DECISIONS
from production.watch.chain import append_link
from production.watch.finding import Finding
from production.watch.outbox import Envelope, put
from production.watch.wording import content, shortened, title
from stages.monitor.decision import SEVERITIES
from stages.monitor.times import as_utc

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

QUIET = frozenset({"none", "watch"})
"""What ends an alert about a drift: with `retrain` it is still there, and too few notes are no all-clear."""


@dataclass(frozen=True)
class Told:
    """What was decided to tell.

    Parameters
    ----------
    kind : {"alert", "over"}
    number : int
        Of the decision.
    messages : tuple of str
        Their ids.
    """

    kind: str
    number: int
    messages: tuple[str, ...]


@dataclass(frozen=True)
class News:
    """A finding, and all that telling of it takes.

    Parameters
    ----------
    finding : Finding
    decided_by : int
        The number of the finding's own decision; 0 where it has none.
    now : datetime
    remind_days : float
    channels : tuple of str
        That are told.
    started : str
        A sentence about the retraining.
    """

    finding: Finding
    decided_by: int
    now: datetime
    remind_days: float
    channels: tuple[str, ...]
    started: str = ""


def tell(connection: Connection, news: News) -> Told | None:
    """Open, repeat or close the alert of a finding's topic; None where nobody has to be told."""
    alert = open_alert(connection, news.finding.topic)
    if not news.finding.alerting:
        return _close(connection, news, alert) if alert and _closes(connection, news, alert) else None
    if alert is None:
        return _open(connection, news)
    purpose = _again(connection, news, alert)
    return _repeat(connection, news, alert, purpose) if purpose else None


def open_alert(connection: Connection, topic: str) -> Row[Any] | None:
    """Return the open alert of a topic."""
    return connection.execute(select(ALERTS).where(ALERTS.c.topic == topic, ALERTS.c.closed_at.is_(None))).first()


def _closes(connection: Connection, news: News, alert: Row[Any]) -> bool:
    """Tell whether an alert is over: it was quiet; it can be told again; another model is at work."""
    if news.decided_by and news.decided_by <= alert.opened_by:
        return False
    another = news.finding.model_version != alert.model_version
    return news.finding.decision in QUIET or another or _told_since(connection, alert) == {"unknown"}


def _again(connection: Connection, news: News, alert: Row[Any]) -> str | None:
    """Say what for people are told once more; what is unknown hides no drift from them, nor a drift what is unknown."""
    decision, told = news.finding.decision, _told_since(connection, alert)
    if _is_below(alert.decision, decision):
        return "worse"
    worse = decision == "unknown" or all(_is_below(one, decision) for one in told - {"unknown"})
    if worse and decision not in told:
        return "changed"
    due = as_utc(alert.last_at) + timedelta(days=news.remind_days)
    return "reminder" if as_utc(news.now) >= due else None


def _is_below(one: str, other: str) -> bool:
    return SEVERITIES.index(one) < SEVERITIES.index(other)


def _told_since(connection: Connection, alert: Row[Any]) -> set[str]:
    """Return the decisions that people were told of a topic since its alert opened."""
    return {alert.decision, *(body["decision"] for body in told_of(connection, alert))}


def told_of(connection: Connection, alert: Row[Any]) -> list[dict[str, Any]]:
    """Return what people were told of a topic since its alert opened, as the log of decisions has it."""
    later = DECISIONS.c.kind == "alert", DECISIONS.c.number >= alert.opened_by
    bodies = [json.loads(body) for body in connection.scalars(select(DECISIONS.c.body).where(*later))]
    return [body for body in bodies if body["topic"] == alert.topic]


def _open(connection: Connection, news: News) -> Told:
    told = _send(connection, news, "opened", news.now)
    about = {"topic": news.finding.topic, "model_version": news.finding.model_version}
    row = {**about, "decision": news.finding.decision, "opened_by": told.number}
    connection.execute(insert(ALERTS), {**row, "opened_at": as_utc(news.now), "last_at": as_utc(news.now)})
    return told


def _repeat(connection: Connection, news: News, alert: Row[Any], purpose: str) -> Told:
    told = _send(connection, news, purpose, alert.opened_at)
    worst = max(alert.decision, news.finding.decision, key=SEVERITIES.index)
    change = update(ALERTS).where(ALERTS.c.alert_id == alert.alert_id)
    connection.execute(change.values(decision=worst, last_at=as_utc(news.now)))
    return told


def _close(connection: Connection, news: News, alert: Row[Any]) -> Told:
    told = _send(connection, news, "over", alert.opened_at)
    change = update(ALERTS).where(ALERTS.c.alert_id == alert.alert_id)
    connection.execute(change.values(closed_at=as_utc(news.now), closed_by=told.number))
    return told


def _send(connection: Connection, news: News, purpose: str, opened: datetime) -> Told:
    finding, kind = news.finding, "over" if purpose == "over" else "alert"
    body = {
        "finding": news.decided_by,
        "topic": finding.topic,
        "decision": finding.decision,
        "purpose": purpose,
        "model_version": finding.model_version,
        "period": finding.period,
        "reasons": shortened(finding.reasons),
        "channels": list(news.channels),
    }
    link = append_link(connection, kind, body, news.now)
    since = f"{as_utc(opened):%Y-%m-%d %H:%M} UTC"
    ids = [_message(connection, news, Envelope(link, one, purpose, finding.topic), since) for one in news.channels]
    return Told(kind, link.number, tuple(ids))


def _message(connection: Connection, news: News, envelope: Envelope, since: str) -> str:
    body = {
        "title": title(news.finding, envelope.purpose),
        "text": content(news.finding, envelope, since, news.started),
    }
    return put(connection, envelope, body, news.now)

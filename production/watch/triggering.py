"""Whether a finding starts a retraining: one at a time, and not again within the cool-down."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from production.database.schema import MODEL_VERSIONS
from production.database.watch_tables import DECISIONS
from production.watch.chain import append, append_link
from production.watch.finding import Finding
from production.watch.names import TRIGGER
from production.watch.outbox import Envelope, put
from production.watch.params import WatchParams
from production.watch.wording import shortened
from stages.monitor.times import as_utc

if TYPE_CHECKING:
    from sqlalchemy import Connection

STARTING = frozenset({"retrain", "retrain_and_alert"})


@dataclass(frozen=True)
class Started:
    """Whether a retraining was started.

    Parameters
    ----------
    number : int
        Of the decision.
    message : str, optional
        Id of the message that starts it.
    why_not : str
    """

    number: int
    message: str | None = None
    why_not: str = ""

    @property
    def sentence(self) -> str:
        """Say it to people."""
        if self.message:
            return f"A retraining was started (decision {self.number})."
        return f"No retraining was started: {self.why_not}."


def start(
    connection: Connection, finding: Finding, decided_by: int, now: datetime, params: WatchParams
) -> Started | None:
    """Decide to start a retraining, or why not; None where the finding asks for none."""
    if finding.decision not in STARTING or not finding.acts:
        return None
    about = {
        "finding": decided_by,
        "topic": finding.topic,
        "decision": finding.decision,
        "model_version": finding.model_version,
        "period": finding.period,
    }
    if why := forbidden(connection, now, params):
        return Started(append(connection, "held", {**about, "why": why}, now), why_not=why)
    body = {**about, "reasons": shortened(finding.reasons), "by": params.trigger.kind}
    link = append_link(connection, "trigger", body, now)
    reason = f"{finding.topic}: {finding.decision}; " + "; ".join(shortened(finding.reasons))
    content = {"reason": reason[:1000], "model_version": finding.model_version, "period": finding.period}
    return Started(link.number, put(connection, Envelope(link, TRIGGER, "start", finding.topic), content, now))


def forbidden(connection: Connection, now: datetime, params: WatchParams) -> str:
    """Say why no retraining may be started now; empty where one may."""
    if params.trigger.kind == "none":
        return "watch.trigger is none"
    last = last_started(connection)
    if last is None:
        return ""
    cool = last + timedelta(days=params.cooldown_days)
    if as_utc(now) < cool:
        return f"the last one was started at {_date(last)}, and the cool-down lasts until {_date(cool)}"
    end = last + timedelta(days=params.retraining_days)
    if as_utc(now) < end and not _champion_since(connection, last):
        return f"that of {_date(last)} is not finished: no new champion yet; another one may be started at {_date(end)}"
    return ""


def last_started(connection: Connection) -> datetime | None:
    """Return when a retraining was started last."""
    query = select(DECISIONS.c.at).where(DECISIONS.c.kind == "trigger").order_by(DECISIONS.c.number.desc()).limit(1)
    at = connection.scalar(query)
    return None if at is None else as_utc(at)


def _champion_since(connection: Connection, time: datetime) -> bool:
    newest = connection.scalar(select(func.max(MODEL_VERSIONS.c.champion_since)))
    return newest is not None and as_utc(newest) > time


def _date(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"

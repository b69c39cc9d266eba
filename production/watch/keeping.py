"""What the watch remembers, in the database: which windows were judged, against what, and since when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import takewhile

from sqlalchemy import Connection, Engine, func, insert, select

from production.database.champion import at_work
from production.database.engine import reading, writing
from production.database.watch_tables import WATCH_REFERENCES, WATCH_RESETS, WATCH_WINDOWS
from production.watch.alerts import News, Told, open_alert, tell
from production.watch.chain import append
from production.watch.channels import Channels
from production.watch.consequences import Consequences, follow
from production.watch.finding import Finding
from production.watch.judging import CHANGED, DRIFT, LEARNED, Judged, Reference
from production.watch.params import WatchParams
from production.watch.periods import SETTLED, Period
from stages.common.errors import BeHealthyError
from stages.monitor.times import as_utc


@dataclass(frozen=True)
class Champion:
    """The version at work.

    Parameters
    ----------
    version : str
    labels : tuple of str
    since : datetime
        Of its promotion.
    start : datetime
        Since when its windows add up: its promotion, or the last reset.
    """

    version: str
    labels: tuple[str, ...]
    since: datetime
    start: datetime

    def is_ahead(self, now: datetime) -> bool:
        """Tell whether it begins in time to come: some clock is wrong, and until then nothing would be judged."""
        return self.start > now + SETTLED


def champion(engine: Engine) -> Champion:
    """Return the version at work.

    Raises
    ------
    DatabaseError
        When there was none yet.
    """
    with reading(engine) as connection:
        return _champion(connection)


def _champion(connection: Connection) -> Champion:
    version, labels, since = at_work(connection)
    reset = select(WATCH_RESETS.c.at).where(WATCH_RESETS.c.model_version == version)
    begun = connection.execute(reset.order_by(WATCH_RESETS.c.reset_id.desc()).limit(1)).scalar()
    return Champion(version, labels, since, since if begun is None else max(since, as_utc(begun)))


def judged_before(engine: Engine, scheme: str, now_at_work: Champion) -> list[Period]:
    """Return the windows of a reign that were judged, in their order."""
    columns = WATCH_WINDOWS.c
    query = select(columns.name, columns.since, columns.until, columns.first_log_id, columns.last_log_id)
    mine = query.where(columns.scheme == scheme, columns.model_version == now_at_work.version)
    with reading(engine) as connection:
        rows = connection.execute(mine.where(columns.since >= now_at_work.start).order_by(columns.window_id))
        return [Period(name, as_utc(since), as_utc(until), *ends) for name, since, until, *ends in rows]


def changed_since(engine: Engine, scheme: str, now_at_work: Champion) -> datetime | None:
    """Return when the newest windows began that are all far from the same reference; None where the last is not."""
    columns = WATCH_WINDOWS.c
    mine = columns.scheme == scheme, columns.model_version == now_at_work.version, columns.since >= now_at_work.start
    query = select(columns.since, columns.decision, columns.reference).where(*mine).order_by(columns.window_id.desc())
    with reading(engine) as connection:
        far = list(takewhile(lambda row: row.decision in CHANGED, connection.execute(query)))
    same = [row.since for row in far if row.reference == far[0].reference]
    return as_utc(same[-1]) if same else None


def reference_of(engine: Engine, scheme: str, now_at_work: Champion) -> Reference | None:
    """Return what the windows of a reign are compared with, where there is one yet."""
    columns = WATCH_REFERENCES.c
    mine = columns.scheme == scheme, columns.model_version == now_at_work.version, columns.since >= now_at_work.start
    with reading(engine) as connection:
        row = connection.execute(select(WATCH_REFERENCES).where(*mine).order_by(columns.since).limit(1)).one_or_none()
    if row is None:
        return None
    ends = as_utc(row.since), as_utc(row.until)
    return Reference(Period("reference", *ends, row.first_log_id, row.last_log_id), row.rows)


class AlreadyJudgedError(BeHealthyError):
    """Another process judged the same window meanwhile."""


class ReignOverError(BeHealthyError):
    """Another champion is at work meanwhile, or somebody reset: nothing may follow from what was judged before."""


def keep(
    engine: Engine, scheme: str, judged: Judged, now: datetime, params: WatchParams, channels: Channels
) -> Consequences:
    """Write a judged window, the decision, and all that follows from it, in one transaction.

    Raises
    ------
    AlreadyJudgedError
        When the window was judged by another process: nothing is written.
    """
    with writing(engine) as connection:
        number = append(connection, "window", _told(scheme, judged), now)  # from here on, no other writes decisions
        if _is_known(connection, judged):
            raise AlreadyJudgedError(f"{judged.period.name} was judged by another process")
        if not _is_at_work(_champion(connection), judged):
            raise ReignOverError(
                f"{judged.period.name} is of a time that is over: a reset or another champion ended it"
            )
        connection.execute(insert(WATCH_WINDOWS).values(**_window(scheme, judged), decided_by=number))
        if judged.begins:
            connection.execute(insert(WATCH_REFERENCES).values(**_begun(scheme, judged, judged.begins), at=now))
        follows = follow(connection, judged.finding, number, now, params, channels)
        ended = _end_other(connection, judged.finding, number, now, params, channels)
    if ended is None:
        return follows
    return replace(follows, over=ended.number, messages=(*follows.messages, *ended.messages))


def reset(engine: Engine, why: str, now: datetime, params: WatchParams, channels: Channels) -> str:
    """Let the windows of the champion add up anew, against a new reference; return its version.

    Alerts about its notes are over: they may be as they are.
    """
    current = champion(engine)
    with writing(engine) as connection:
        number = append(connection, "reset", {"model_version": current.version, "why": why}, now)
        values = {"at": now, "model_version": current.version, "decided_by": number}
        connection.execute(insert(WATCH_RESETS).values(**values))
        reasons = ("somebody said that the notes may be as they are",)
        for topic in (DRIFT, LEARNED):
            over = Finding(topic, "none", reasons, current.version, "reset", current.start, now, False, {})
            tell(connection, News(over, number, now, params.remind_days, channels.telling))
    return current.version


def last_decision(engine: Engine) -> datetime | None:
    """Return the end of the newest window that was judged."""
    with reading(engine) as connection:
        found = connection.execute(select(func.max(WATCH_WINDOWS.c.until))).scalar()
    return None if found is None else as_utc(found)


def windows(engine: Engine, last: int) -> Iterable[dict[str, object]]:
    """Return the newest windows, oldest first, without what was measured of their columns."""
    names = ("scheme", "model_version", "name", "since", "until", "notes", "reference", "decision", "acts")
    newest = select(*(WATCH_WINDOWS.c[name] for name in (*names, "window_id", "decided_by")))
    with reading(engine) as connection:
        rows = connection.execute(newest.order_by(WATCH_WINDOWS.c.window_id.desc()).limit(last)).mappings().all()
    return [dict(row) for row in reversed(rows)]


def _end_other(
    connection: Connection, finding: Finding, number: int, now: datetime, params: WatchParams, channels: Channels
) -> Told | None:
    """Close the alert of the topic that is no longer looked at: of the first weeks, or of the model before.

    It names the finding too, so it comes after what follows from that: else it would pass for it.
    """
    other, why = (
        (LEARNED, "the first weeks are over, however far they were from what was learned from")
        if finding.topic == DRIFT
        else (DRIFT, "another model is at work")
    )
    alert = open_alert(connection, other)
    if alert and (other == LEARNED or alert.model_version != finding.model_version):
        over = replace(finding, topic=other, decision="none", reasons=(f"{why}: windows are held against others now",))
        return tell(connection, News(over, number, now, params.remind_days, channels.telling))
    return None


def _is_known(connection: Connection, judged: Judged) -> bool:
    columns, finding = WATCH_WINDOWS.c, judged.finding
    same = columns.model_version == finding.model_version, columns.name == finding.period
    query = select(columns.window_id).where(*same, columns.since == finding.since)
    return connection.execute(query).first() is not None


def _is_at_work(now_at_work: Champion, judged: Judged) -> bool:
    finding = judged.finding
    return finding.model_version == now_at_work.version and finding.since >= now_at_work.start


def _told(scheme: str, judged: Judged) -> dict[str, object]:
    finding = judged.finding
    return {
        "scheme": scheme,
        "period": finding.period,
        "since": finding.since.isoformat(),
        "until": finding.until.isoformat(),
        "model_version": finding.model_version,
        "topic": finding.topic,
        "decision": finding.decision,
        "acts": finding.acts,
        "reference": judged.reference,
        "reasons": list(finding.reasons),
    }


def _window(scheme: str, judged: Judged) -> dict[str, object]:
    finding, period = judged.finding, judged.period
    return {
        "scheme": scheme,
        "model_version": finding.model_version,
        "name": period.name,
        "since": period.since,
        "until": period.until,
        "first_log_id": period.first,
        "last_log_id": period.last,
        "notes": len(judged.sides[1]) if judged.sides else finding.figures["decision"]["notes"],
        "reference": judged.reference,
        "decision": finding.decision,
        "acts": finding.acts,
        "judged": finding.figures,
    }


def _begun(scheme: str, judged: Judged, begins: Reference) -> dict[str, object]:
    period = begins.period
    return {
        "scheme": scheme,
        "model_version": judged.finding.model_version,
        "since": period.since,
        "until": period.until,
        "first_log_id": period.first,
        "last_log_id": period.last,
        "rows": begins.rows,
    }

"""What the exporter reads of the database, part by part. Each reads what the other commands read, and computes nothing.

A part that fails is left out as a whole, and said to have failed; a figure that does not exist yet (the precision
without a review) has no sample. There is no word of a note, no reviewer, and no value of a column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import Engine, func, select

from production.database import status as stored
from production.database.champion import found_at_work
from production.database.engine import reading
from production.database.schema import NOTES
from production.metrics.families import gauge, gauges, moment
from production.review.quality import Promise
from production.review.status import status_of
from production.watch.chain import verify
from production.watch.params import WatchParams

PERIODS = {"1d": timedelta(days=1), "7d": timedelta(days=7), "all": None}
"""Of which the quarantine's share is told."""
STATES = ("open", "claimed", "done")


@dataclass(frozen=True)
class Place:
    """Where it is looked, and by which parameters.

    Parameters
    ----------
    engine : Engine
    watch : WatchParams
    promised : float
        Precision of the accepted mentions.
    """

    engine: Engine
    watch: WatchParams
    promised: float


Part = Callable[[Place, datetime], Iterator[GaugeMetricFamily]]


def notes(place: Place, now: datetime) -> Iterator[GaugeMetricFamily]:
    """Yield what is there, what waits, and what was set aside."""
    with reading(place.engine) as connection:
        number = connection.execute(select(func.count()).select_from(NOTES)).scalar_one()
        waiting, results = stored.queue(connection), stored.results_by_version(connection)
        steps = stored.quarantine_by_step(connection)
        done = {name: stored.done_since(connection, now - span if span else None) for name, span in PERIODS.items()}
    yield gauge("database_notes", "Notes in the database.", number)
    yield gauges(
        "database_results", "Results in the database; a shadow's do not count.", ("version", "shadow"),
        {(version, str(bool(shadow)).lower()): many for version, shadow, many in results},
    )  # fmt: skip
    quarantined = {(step,): float(many) for step, mended, many in steps if not mended}
    yield gauges("database_quarantined", "Notes in quarantine without a result since.", ("step",), quarantined)
    yield gauge("notes_waiting", "Notes that no champion has looked at yet.", waiting.waiting)
    yield moment(
        "oldest_waiting_note", "When the note arrived that waits longest; none where none waits.", waiting.oldest
    )
    yield gauges(
        "notes_looked_at", "Notes with a result or in quarantine, of the last day, week, or ever.", ("period",),
        {(name,): one.looked for name, one in done.items()},
    )  # fmt: skip
    yield gauges(
        "quarantine_ratio", "Share of them in quarantine; none where no note was looked at.", ("period",),
        {(name,): one.share for name, one in done.items()},
    )  # fmt: skip


def model(place: Place, _: datetime) -> Iterator[GaugeMetricFamily]:
    """Yield which version is at work."""
    with reading(place.engine) as connection:
        found = found_at_work(connection)
    info = {(found.version,): 1.0} if found else {}
    yield gauges("champion_info", "The version whose results are current.", ("version",), info)
    yield moment("champion_since", "When it became champion here.", found and found.since)


def quality(place: Place, now: datetime) -> Iterator[GaugeMetricFamily]:
    """Yield what audits say of the accepted mentions."""
    yield gauge("promised_precision_ratio", "Promised share of accepted mentions that are right.", place.promised)
    with reading(place.engine) as connection:
        found = found_at_work(connection)
    if found is None:
        return
    known = Promise(place.engine, found.version, found.labels, place.promised, found.since).quality(now)
    about = "Share of accepted mentions that are right, from audits of the last 13 weeks"
    yield gauge("accepted_precision_ratio", f"{about}: estimate.", known.value)
    yield gauge("accepted_precision_low_ratio", f"{about}: lower end of the interval of 95%.", known.low)
    yield gauge("accepted_precision_high_ratio", f"{about}: upper end of the interval of 95%.", known.high)
    yield gauge("audited_notes", "Audited notes that this stands on.", known.reviewed)
    broken = known.watched.found is not None
    yield gauge("promise_broken", "Whether audits show that the promise is broken (error of 1% a year).", float(broken))


def reviews(place: Place, now: datetime) -> Iterator[GaugeMetricFamily]:
    """Yield how far people are."""
    found = status_of(place.engine, now)
    tasks: dict[tuple[str, str], int] = {(stream, state): 0 for stream in ("audit", "work") for state in STATES}
    for count in found.counts:
        for state in STATES:
            tasks[count.stream, state] += getattr(count, state)
    yield gauges("review_tasks", "Notes that people are to look at.", ("stream", "state"), tasks)
    yield gauge("review_waiting_seconds", "Time that the open audits are expected to take.", found.waiting * 60)
    yield gauge("review_recent_seconds", "Time that audits took in the last seven days.", found.minutes * 60)
    yield moment("review_planned_until", "Results written before are planned.", found.planned_until)


def decisions(place: Place, _: datetime) -> Iterator[GaugeMetricFamily]:
    """Yield whether the log of decisions is whole."""
    with reading(place.engine) as connection:
        found = verify(connection)
    yield gauge("decisions_whole", "Whether the log of decisions is as it was written.", float(found.number is None))
    yield gauge("decisions", "Decisions in the log that are as they were written.", found.decisions)

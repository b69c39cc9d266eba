"""What the exporter tells of the watch: the last window and its decision, what is overdue, open or undelivered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import Engine

from production.metrics.families import gauge, gauges, moment
from production.metrics.parts import Place
from production.watch.history import WindowJudged, newest
from production.watch.judging import DRIFT, LEARNED
from production.watch.keeping import champion, last_decision
from production.watch.sending import UNDELIVERED
from production.watch.status import status
from stages.monitor.decision import SEVERITIES
from stages.monitor.times import as_utc

TOPICS = (DRIFT, LEARNED, UNDELIVERED)
_LENGTHS = {"day": 86_400, "week": 7 * 86_400}


def watch(place: Place, now: datetime) -> Iterator[GaugeMetricFamily]:
    """Yield how the watch stands."""
    found = status(place.engine, place.watch, now, 1)
    last, end = newest(place.engine), last_decision(place.engine)
    yield moment("last_window_end", "End of the last window that was judged.", end)
    yield gauge(
        "window_length_seconds", "Length of a window; none where it is so many rows.", _LENGTHS.get(place.watch.window)
    )
    yield moment("last_decision", "When the last window was judged.", last and last.at)
    yield gauge("last_window_notes", "Distinct notes in it.", last and last.notes)
    about = "1 for what was decided of that window, 0 for every other, and for all once another champion is at work."
    yield gauges("last_decision", about, ("topic", "decision"), _decided(last, place.engine) if last else {})
    yield from _drift(last)
    yield gauge("windows_overdue", "Windows that should have been judged a day ago.", len(found["overdue"]))
    yield gauge("clock_ahead", "Whether the champion is at work since a time that is to come.", float(found["ahead"]))
    opened = {(topic,): 0.0 for topic in TOPICS} | {(one["topic"],): 1.0 for one in found["alerts"]}
    yield gauges("alerts_open", "Whether an alert is open.", ("topic",), opened)
    yield from _undelivered(found["undelivered"])


def _decided(last: WindowJudged, engine: Engine) -> dict[tuple[str, ...], float | None]:
    """Return which decision holds: none of a time that another champion, or a reset, has ended."""
    topic = LEARNED if last.reference == "profile" else DRIFT
    at_work = champion(engine)
    holds = last.model_version == at_work.version and last.since >= at_work.start
    return {(topic, one): float(holds and one == last.decision) for one in SEVERITIES}


def _drift(last: WindowJudged | None) -> Iterator[GaugeMetricFamily]:
    """Yield the deviation of each column of the last window; in parts of one, as Prometheus has ratios."""
    drift = (last.judged.get("drift") or {}) if last else {}
    columns: dict[str, dict[str, Any]] = drift.get("columns", {})
    for name, key, about in (
        ("drift_ratio", "deviation", "estimate"),
        ("drift_low_ratio", "low", "lower end of the interval of 80%"),
        ("drift_high_ratio", "high", "upper end of the interval of 80%"),
        ("drift_noise_ratio", "noise", "what would pass for noise"),
    ):
        values = {(column, "all"): _part_of_one(one.get(key)) for column, one in columns.items()}
        yield gauges(name, f"Deviation of the last window: {about}.", ("column", "slice"), values)
    faulty = sum("fault" in one for one in columns.values())
    yield gauge(
        "drift_columns_failed", "Columns of the last window that could not be compared.", faulty if drift else None
    )


def _part_of_one(percent: float | None) -> float | None:
    return None if percent is None else percent / 100


def _undelivered(messages: Sequence[Mapping[str, Any]]) -> Iterator[GaugeMetricFamily]:
    failing = sum(one["attempts"] > 0 for one in messages)
    yield gauges(
        "messages_undelivered", "Alerts and triggers that did not arrive yet.", ("state",),
        {("waiting",): len(messages) - failing, ("failing",): failing},
    )  # fmt: skip
    oldest = min((as_utc(one["created_at"]) for one in messages), default=None)
    yield moment("oldest_undelivered_message", "When the oldest of them was written; none where none is.", oldest)
    attempts = max((one["attempts"] for one in messages), default=0)
    yield gauge("undelivered_attempts", "Attempts of the one that was tried most.", attempts)

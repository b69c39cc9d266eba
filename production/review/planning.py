"""A plan: of all notes that the champion looked at since the last one, those that people are to look at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from production.database.bulk import insert_rows
from production.database.champion import at_work
from production.database.engine import reading, writing
from production.database.review_tables import REVIEW_PLANS, REVIEW_TASKS, REVIEWS
from production.database.schema import MENTIONS, NOTE_TEXTS, RESULTS
from production.review.frame import Seen, WholeFrame, Window, as_json, read_frame
from production.review.keys import same_result
from production.review.params import ReviewParams
from production.review.sampling import WORK, Load, draw, expected_seconds, rates
from stages.common.errors import BeHealthyError
from stages.monitor.times import as_utc

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

WEEK = timedelta(days=7)
SETTLED = timedelta(seconds=60)
"""Results so young are left to the next plan: clocks differ, and what is being written has its time already."""
COLUMNS = ("note_id", "text_hash", "model_version", "stream", "place", "stratum", "probability", "plan_id", "seconds")
_RECENT = 300
"""Reviews whose measured times count."""


class Drawing(NamedTuple):
    """What a plan is made by.

    Parameters
    ----------
    key : str
        Of the draws: that of the serving log.
    params : ReviewParams
    span_seconds : float
        That a decision on one span takes.
    slices : sequence of str
        Columns of metadata whose values are counted apart.
    """

    key: str
    params: ReviewParams
    span_seconds: float
    slices: Sequence[str] = ()


@dataclass(frozen=True)
class Planned:
    """What a plan has: its window, the notes it covers, and how many tasks of each stream it made."""

    window: Window
    minutes: float
    notes: int
    audit: int
    double: int
    work: int


def plan(engine: Engine, drawing: Drawing, now: datetime) -> Planned | None:
    """Plan what was written since the last plan; None where there is nothing new.

    A plan has the minutes of the part of a week that it covers, and of one week at most. The first of a version has a
    whole week's: nothing is known of it yet, and a backlog of years may have been written within an hour.

    Read first and written then, in one short transaction: it is there whole or not at all, and of two planners at
    once the second finds that it came too late, and plans nothing.

    Raises
    ------
    BeHealthyError
        When no model was champion here yet, or the last plan ends in time to come.
    """
    _wait_for_writers(engine)
    window, first = window_of(engine, now)
    if window is None:
        return None
    frame = read_frame(engine, window, drawing.slices)
    if not frame.notes:
        return None
    seconds = _Seconds(drawing, _correction(engine, drawing))
    share = 1.0 if first else min(1.0, (window.until - window.since) / WEEK)
    minutes = drawing.params.weekly_minutes * share
    drawn = rates(_loads(frame, seconds), 60 * minutes / (1 + drawing.params.double), drawing.params.floor)
    tasks = list(_tasks(frame.notes, window.version, drawn, seconds))
    with writing(engine) as connection:
        if not _write(connection, window, now, minutes, frame, drawn, tasks):
            return None
    streams = [(stream, place) for _, _, _, stream, place, *_ in tasks]
    counts = (streams.count(kind) for kind in (("audit", 1), ("audit", 2), ("work", 1)))
    return Planned(window, minutes, len(frame.notes), *counts)


def window_of(engine: Engine, now: datetime) -> tuple[Window | None, bool]:
    """Return what the next plan covers, None where nothing was written; and whether it is the version's first."""
    with reading(engine) as connection:
        version = at_work(connection).version
        planned = _planned_until(connection, version)
        since = _first_result(connection, version) if planned is None else planned
    if planned is not None and as_utc(planned) > now:
        raise BeHealthyError("the last plan ends in time to come: set the clock; nothing is planned until then")
    if since is None or as_utc(since) >= now - SETTLED:
        return None, planned is None
    return Window(version, as_utc(since), now - SETTLED), planned is None


def _first_result(connection: Connection, version: str) -> datetime | None:
    written = sa.select(sa.func.min(RESULTS.c.created_at)).where(RESULTS.c.model_version == version)
    found: datetime | None = connection.execute(written.where(~RESULTS.c.shadow)).scalar()
    return found


def _wait_for_writers(engine: Engine) -> None:
    """Wait until what is being written is there: PostgreSQL shows it with the commit, and its time is of before."""
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            connection.execute(sa.text(f"SET LOCAL lock_timeout = '{SETTLED.seconds}s'"))
            connection.execute(sa.text("LOCK TABLE results IN SHARE MODE"))


def _planned_until(connection: Connection, version: str) -> datetime | None:
    last = sa.select(sa.func.max(REVIEW_PLANS.c.until)).where(REVIEW_PLANS.c.model_version == version)
    found: datetime | None = connection.execute(last).scalar()
    return found


class _Seconds(NamedTuple):
    """What notes are expected to take."""

    drawing: Drawing
    correction: float

    def of(self, note: Seen) -> float:
        speed, span = self.drawing.params.characters_per_second, self.drawing.span_seconds
        return self.correction * expected_seconds(note.characters, note.spans, speed, span)


def _correction(engine: Engine, drawing: Drawing) -> float:
    """Return how many times the expected seconds the last reviews took, by their median; 1 where there are few."""
    tasks = REVIEW_TASKS
    spans = sa.select(sa.func.count()).select_from(MENTIONS).where(*same_result(MENTIONS, tasks)).scalar_subquery()
    same_text = NOTE_TEXTS.c.note_id == tasks.c.note_id, NOTE_TEXTS.c.text_hash == tasks.c.text_hash
    query = (
        sa.select(REVIEWS.c.seconds, sa.func.length(NOTE_TEXTS.c.text), spans)
        .join(tasks, tasks.c.task_id == REVIEWS.c.task_id)
        .join(NOTE_TEXTS, sa.and_(*same_text))
        .where(REVIEWS.c.corrects.is_(None), REVIEWS.c.seconds > 0)
        .order_by(REVIEWS.c.review_id.desc())
        .limit(_RECENT)
    )
    with reading(engine) as connection:
        rows = connection.execute(query).all()
    if len(rows) < drawing.params.measured_reviews:
        return 1.0
    speed, span_seconds = drawing.params.characters_per_second, drawing.span_seconds
    return median(took / expected_seconds(length, shown, speed, span_seconds) for took, length, shown in rows)


def _loads(frame: WholeFrame, seconds: _Seconds) -> dict[str, Load]:
    loads: dict[str, Load] = {}
    for note in frame.notes:
        before = loads.get(note.stratum, Load(0, 0.0))
        loads[note.stratum] = Load(before.notes + 1, before.seconds + seconds.of(note))
    return loads


def _tasks(
    notes: Sequence[Seen], version: str, drawn: dict[str, float], seconds: _Seconds
) -> Iterator[tuple[Any, ...]]:
    """Yield rows of tasks: audits, second readings, and then work, oldest first.

    Audits are in the order of their draws, so that those that were read are a random part of those that were drawn.
    """
    key, double = seconds.drawing.key, seconds.drawing.params.double
    audits, seconds_of_two, work = [], [], []
    for note in notes:
        name = f"{note.note_id} {note.text_hash} {version}"
        probability, taken = drawn[note.stratum], seconds.of(note)
        row = (note.note_id, note.text_hash, version)
        if draw(key, "audit", name) < probability:
            order = draw(key, "order", name)
            audits.append((order, (*row, "audit", 1, note.stratum, probability, taken)))
            if draw(key, "double", name) < double:
                seconds_of_two.append((order, (*row, "audit", 2, note.stratum, probability, taken)))
        elif note.stratum in WORK:
            work.append((*row, "work", 1, note.stratum, 1.0, taken))
    yield from (row for _, row in sorted(audits))
    yield from (row for _, row in sorted(seconds_of_two))
    yield from work


def _write(
    connection: Connection,
    window: Window,
    now: datetime,
    minutes: float,
    frame: WholeFrame,
    drawn: dict[str, float],
    tasks: Sequence[tuple[Any, ...]],
) -> bool:
    """Write a plan with its tasks, unless another plan has come before; tell whether it was written."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("LOCK TABLE review_plans IN SHARE ROW EXCLUSIVE MODE"))  # one plans, others wait
    before = _planned_until(connection, window.version)
    if before is not None and as_utc(before) > window.since:
        return False
    strata = {name: {**kept, "probability": drawn[name]} for name, kept in as_json(frame).items()}
    values = {**window._asdict(), "planned_at": now, "minutes": minutes, "strata": strata}
    values["model_version"] = values.pop("version")
    plan_id = connection.execute(sa.insert(REVIEW_PLANS).values(values)).inserted_primary_key[0]  # type: ignore[index]
    insert_rows(connection, REVIEW_TASKS, ((*row[:-1], plan_id, row[-1]) for row in tasks), COLUMNS)
    return True

"""What the audit says of the model: for the estimates, and for whoever watches the promise review by review.

Of a plan whose audit is not finished, the notes that were read are a random part of those that were drawn, stratum by
stratum: they were put in the order of their draws. Each then stands for as many more: its probability is the plan's,
times the share of the drawn notes that were read. A plan without any review says nothing, and is not counted.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from production.database.engine import reading
from production.database.review_tables import REVIEW_PLANS, REVIEW_TASKS, REVIEWS
from production.review.frame import frame_of, slices_of
from production.review.planning import WEEK
from production.review.reading import Review, read_reviews
from production.review.seen import Frame, ReviewedNote, SeenSpan
from production.review.tasks import MENTION
from stages.monitor.audited import Audit, AuditedNote, Found
from stages.monitor.times import as_utc

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

LATE = timedelta(hours=12)


class Evidence(NamedTuple):
    """Reviewed notes of the audit, and all notes of the plans that they were drawn from."""

    notes: tuple[ReviewedNote, ...]
    frame: Frame


class AuditedMention(NamedTuple):
    """An accepted mention that a person looked at.

    Parameters
    ----------
    label : str
    correct : bool
        Ends and label are right.
    confidence : float
    note_id : int
    probability : float
        With which its note was drawn.
    at : datetime
        When its note was handed in, in UTC.
    """

    label: str
    correct: bool
    confidence: float
    note_id: int
    probability: float
    at: datetime


class PlannedAudit(NamedTuple):
    """The audit of one plan, as far as its notes were read.

    Parameters
    ----------
    since, until : datetime
        In UTC: results that were written between them are in the plan.
    strata : mapping
        As the plan keeps them.
    notes : tuple of ReviewedNote
    """

    since: datetime
    until: datetime
    strata: Mapping[str, Any]
    notes: tuple[ReviewedNote, ...]


def audited(
    engine: Engine,
    model_version: str,
    since: datetime | None = None,
    until: datetime | None = None,
    slices: Sequence[str] = (),
) -> Evidence:
    """Return what the audit of a version says.

    Parameters
    ----------
    engine : Engine
    model_version : str
    since, until : datetime, optional
        Only plans that end after that, and then or before.
    slices : sequence of str
        Columns of metadata, as the plans counted them.
    """
    return evidence_of(audited_plans(engine, model_version, since, until, slices))


def evidence_of(plans: Iterable[PlannedAudit]) -> Evidence:
    """Return what some plans say together."""
    read = list(plans)
    return Evidence(tuple(note for plan in read for note in plan.notes), frame_of([plan.strata for plan in read]))


def audited_plans(
    engine: Engine,
    model_version: str,
    since: datetime | None = None,
    until: datetime | None = None,
    slices: Sequence[str] = (),
) -> list[PlannedAudit]:
    """Return what the audit of a version says, plan by plan in their order; the arguments are those of `audited`."""
    notes: dict[int, list[ReviewedNote]] = defaultdict(list)
    with reading(engine) as connection:
        ends = _ends(connection, model_version)
        plans = plans_of(connection, model_version, since, until)
        for one, probability in weighed_readings(connection, model_version, plans):
            notes[one.plan_id].append(_note(one, probability, slices))
    return [PlannedAudit(*ends[number], plans[number], tuple(notes[number])) for number in sorted(notes)]


def weighed_readings(
    connection: Connection, model_version: str, plans: Container[int]
) -> Iterator[tuple[Review, float]]:
    """Yield the first readings of the audits of some plans, and the probability with which each note was read."""
    tasks = REVIEW_TASKS.c
    drawn = _by_stratum(connection, model_version)
    read = _by_stratum(connection, model_version, tasks.task_id.in_(sa.select(REVIEWS.c.task_id)))
    for one in _first_readings(connection, model_version, plans):
        part = one.plan_id, one.stratum
        yield one, one.probability * read[part] / drawn[part]


def audited_accepted(engine: Engine, model_version: str) -> Iterator[AuditedMention]:
    """Yield the accepted mentions of audited notes in the order in which these were handed in.

    What was corrected since counts as corrected, at its old place.
    """
    with reading(engine) as connection:
        reviews = list(_first_readings(connection, model_version))
    for one in reviews:
        for span in _seen(one):
            if span.accepted:
                yield AuditedMention(span.label, span.correct, span.confidence, one.note_id, one.probability, one.at)


def audits(engine: Engine, model_version: str, since: datetime | None = None) -> list[Audit]:
    """Return what a bet on the accepted mentions of a version goes by, plan by plan.

    Of each plan, of those that end later, that drew an audit: its audited notes in the order of their
    reviews, and the two bounds that were known before anybody looked.
    """
    notes: dict[int, list[AuditedNote]] = defaultdict(list)
    with reading(engine) as connection:
        plans = plans_of(connection, model_version, since)
        for one in _first_readings(connection, model_version, plans):
            notes[one.plan_id].append(AuditedNote(one.probability, _found(one)))
    bounds = {plan_id: _bounds(strata) for plan_id, strata in sorted(plans.items())}
    return [Audit(notes[plan_id], *one) for plan_id, one in bounds.items() if one is not None]


def confidences(engine: Engine, model_version: str, since: datetime | None = None) -> list[float]:
    """Return the mean confidence of the accepted mentions of each week that has some, from the plans of a version.

    A week is as many plans, of those that begin then or later, as cover one: looked at day by day, what is allowed
    once a year would happen every other month. The plans of a week that is not over are left out.
    """
    query = sa.select(REVIEW_PLANS.c.since, REVIEW_PLANS.c.until, REVIEW_PLANS.c.strata)
    query = query.where(REVIEW_PLANS.c.model_version == model_version).order_by(REVIEW_PLANS.c.since)
    if since is not None:
        query = query.where(REVIEW_PLANS.c.since >= since)
    with reading(engine) as connection:
        frames = [frame_of(week) for week in _weeks(connection.execute(query))]
    sums = [[one for part in frame.strata.values() for one in part.labels.values()] for frame in frames]
    accepted = [(sum(one.accepted for one in week), sum(one.accepted_confidence for one in week)) for week in sums]
    return [confidence / number for number, confidence in accepted if number]


def _weeks(plans: Iterable[Any]) -> Iterator[list[Mapping[str, Any]]]:
    """Yield what the plans of each week kept; timers are late by some hours, and the next one is early by as many."""
    week: list[Mapping[str, Any]] = []
    begun = None
    for since, until, strata in plans:
        begun = since if begun is None else begun
        week.append(strata)
        if until - begun >= WEEK - LATE:
            yield week
            week, begun = [], None


def _found(review: Review) -> dict[str, Found]:
    accepted = [span for span in _seen(review) if span.accepted]
    labels = {span.label for span in accepted}
    return {
        label: Found(
            sum(span.label == label for span in accepted), sum(span.correct for span in accepted if span.label == label)
        )
        for label in sorted(labels)
    }


def _bounds(strata: Mapping[str, Any]) -> tuple[float, int] | None:
    """Return the smallest probability of a note with accepted mentions, and most such mentions of one note."""
    drawn = [one["probability"] for one in strata.values() if one["most"] and one["probability"]]
    return (min(drawn), max(one["most"] for one in strata.values())) if drawn else None


def plans_of(
    connection: Connection, version: str, since: datetime | None = None, until: datetime | None = None
) -> dict[int, dict[str, Any]]:
    """Return what the plans of a version kept of their strata, by number; see `audited`."""
    query = sa.select(REVIEW_PLANS.c.plan_id, REVIEW_PLANS.c.strata).where(REVIEW_PLANS.c.model_version == version)
    if since is not None:
        query = query.where(REVIEW_PLANS.c.until > since)
    if until is not None:
        query = query.where(REVIEW_PLANS.c.until <= until)
    return {row[0]: row[1] for row in connection.execute(query)}


def _ends(connection: Connection, version: str) -> dict[int, tuple[datetime, datetime]]:
    plans = REVIEW_PLANS.c
    query = sa.select(plans.plan_id, plans.since, plans.until).where(plans.model_version == version)
    return {row[0]: (as_utc(row[1]), as_utc(row[2])) for row in connection.execute(query)}


def _by_stratum(
    connection: Connection, version: str, *conditions: sa.ColumnElement[bool]
) -> dict[tuple[int, str], int]:
    """Count the notes that were drawn for audits, by plan and stratum."""
    tasks = REVIEW_TASKS.c
    query = (
        sa.select(tasks.plan_id, tasks.stratum, sa.func.count())
        .where(tasks.model_version == version, tasks.stream == "audit", tasks.place == 1, *conditions)
        .group_by(tasks.plan_id, tasks.stratum)
    )
    return {(row[0], row[1]): row[2] for row in connection.execute(query)}


def _first_readings(connection: Connection, version: str, plans: Container[int] | None = None) -> Iterator[Review]:
    """Yield the first readings of audited notes, of some plans: of two, the second is for the agreement only."""
    wanted = REVIEW_TASKS.c.stream == "audit", REVIEW_TASKS.c.place == 1, REVIEW_TASKS.c.model_version == version
    return read_reviews(connection, *wanted, plans=plans)


def _seen(review: Review) -> list[SeenSpan]:
    right = {one[3:6] for one in review.right}
    return [
        SeenSpan(span.label, span.confidence, span.accepted, span.right[:3] in right)
        for span in review.shown
        if span.kind == MENTION
    ]


def _note(review: Review, probability: float, slices: Sequence[str]) -> ReviewedNote:
    found = {span.right[:3] for span in review.shown if span.kind == MENTION}
    missed = Counter(str(one.label) for one in review.right if one[3:6] not in found)
    return ReviewedNote(
        review.stratum,
        probability,
        slices_of(review.metadata or {}, slices),
        tuple(_seen(review)),
        dict(missed),
        review.seconds,
    )

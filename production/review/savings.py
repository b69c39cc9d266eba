"""What the extractor saves in production: the KPI of `stages.evaluate.kpi`, from what reviewers saw and took.

Each audited note stands for as many notes as it was drawn with a probability for, so what is counted is about all
notes of the time. The interval draws reviewed notes with replacement, as that of the test documents does. A person's
minutes are of a whole note; they are shared out between reading it and deciding on its spans as the assumptions are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import sqlalchemy as sa

from production.database.engine import reading
from production.database.review_tables import REVIEW_TASKS
from production.database.schema import RESULTS
from production.review.evidence import plans_of, weighed_readings
from production.review.frame import frame_of
from production.review.keys import same_result
from production.review.quality import QUARTER
from production.review.reading import Review
from production.review.tasks import MENTION
from production.review.weighing import Drawn
from stages.common.scoring import Span
from stages.evaluate.kpi import WORK, differences, kpi, work_of_note, work_table
from stages.evaluate.minutes import step_times
from stages.evaluate.params import EvaluateParams, KpiParams

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy import Connection, Engine

_MENTIONS = WORK.index("mentions")
MOST = 2_000
"""Rows that are drawn; of more notes, so many groups are. Thousands of notes times as many drawings take gigabytes."""


class Looked(NamedTuple):
    """A note that a person looked at: what is left to do in it, what it took, and what it stands for.

    Parameters
    ----------
    plan : int
    stratum : str
    probability : float
    work : tuple of int
        As `stages.evaluate.kpi.work_of_note` counts it.
    reading, deciding : float
        Seconds: of the note, and of a span; NaN where it has none.
    """

    plan: int
    stratum: str
    probability: float
    work: tuple[int, ...]
    reading: float
    deciding: float


@dataclass(frozen=True)
class Savings:
    """The KPI as it was measured.

    Parameters
    ----------
    since : datetime
        Only plans that end later.
    reviewed : int
        Notes that it stands on.
    figures : dict or None
        As `stages.evaluate.kpi.kpi` returns them; None where nothing was reviewed.
    difference : dict or None
        Hours per 1,000 notes and errors per 1,000 mentions that are saved, with their intervals.
    """

    since: datetime
    reviewed: int
    figures: dict[str, Any] | None
    difference: dict[str, float | None] | None

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {**vars(self), "since": self.since.isoformat()}


def savings(engine: Engine, version: str, promoted: datetime, params: EvaluateParams, now: datetime) -> Savings:
    """Measure what a version saves, by the audits of the last quarter.

    Parameters
    ----------
    engine : Engine
    version : str
    promoted : datetime
        When it became champion.
    params : EvaluateParams
        Assumptions take the place of what was not measured, minutes by minutes; the result says which.
    now : datetime
    """
    since = max(promoted, now - QUARTER)
    with reading(engine) as connection:
        plans = plans_of(connection, version, since)
        looked = list(_looked(connection, version, plans, params.kpi))
    if not any(note.work[_MENTIONS] for note in looked):
        return Savings(since, len(looked), None, None)
    frame = frame_of([plans[number] for number in {note.plan for note in looked}])
    work = _work(looked, {name: part.notes for name, part in frame.strata.items()})
    times = step_times(
        params.kpi, validation=[note.reading for note in looked], review=[note.deciding for note in looked]
    )
    return Savings(since, len(looked), kpi(work, times, params), differences(work, times, params))


def _looked(
    connection: Connection, version: str, plans: Mapping[int, Mapping[str, Any]], assumed: KpiParams
) -> Iterator[Looked]:
    whole = _accepted_whole(connection, version)
    for review, probability in weighed_readings(connection, version, plans):
        work = _left(review, whole=(review.note_id, review.text_hash) in whole)
        times = _shared_out(review.seconds, len(review.shown), assumed)
        yield Looked(review.plan_id, review.stratum, probability, work, *times)


def _shared_out(seconds: float, spans: int, assumed: KpiParams) -> tuple[float, float]:
    """Return the seconds of reading a note and those of deciding on one of its spans."""
    read = 60 * assumed.validation_minutes
    pace = seconds / (read + spans * assumed.review_seconds) if read + spans * assumed.review_seconds else 0.0
    return pace * read, pace * assumed.review_seconds if spans else float("nan")


def _left(review: Review, *, whole: bool) -> tuple[int, ...]:
    found = [span for span in review.shown if span.kind == MENTION]
    return work_of_note(
        cast(set[Span], {one[3:6] for one in review.right}),  # what is right has ends and a label
        {span.right[:3] for span in found},
        {span.right[:3] for span in found if span.accepted},
        {span.right[:3] for span in review.shown if span.kind != MENTION},
        whole=whole,
    )


def _accepted_whole(connection: Connection, version: str) -> set[tuple[int, str]]:
    query = (
        sa.select(RESULTS.c.note_id, RESULTS.c.text_hash)
        .join(REVIEW_TASKS, sa.and_(*same_result(RESULTS, REVIEW_TASKS)))
        .where(RESULTS.c.model_version == version, RESULTS.c.accepted, REVIEW_TASKS.c.stream == "audit")
    )
    return {(row[0], row[1]) for row in connection.execute(query)}


def _work(looked: Sequence[Looked], sizes: Mapping[str, int]) -> pd.DataFrame:
    """Return what is left to do in all notes: each that was looked at counts for those that it stands for."""
    drawn = Drawn.of([note.stratum for note in looked], [note.probability for note in looked], sizes)
    work = work_table(note.work for note in looked).mul(drawn.weights, axis=0)
    return work if len(work) <= MOST else work.groupby(np.arange(len(work)) % MOST).sum()

"""A year at a hospital, week by week: notes arrive and are served, reviewers read what is planned, the watch judges.

All of it is the project's own code on a real database, but for the model and the people, of whom the truth is known:
the model finds words, and whether a mention of it is right is drawn; reviewers see what is right.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from sqlalchemy import Engine, func, select, update

from production.database.engine import reading, writing
from production.database.schema import MODEL_VERSIONS, RESULTS, SERVING_LOG
from production.inference.host import Found, FoundMention
from production.notes.records import Incoming
from production.notes.storing import add
from production.review.claiming import next_task
from production.review.decisions import ACCEPT, MISSED, REJECT, Decision
from production.review.handing_in import hand_in
from production.review.params import ReviewParams
from production.review.params import load_params as load_review_params
from production.review.planning import Drawing, plan
from production.review.tasks import MENTION, Task
from production.watch.channels import Channels
from production.watch.judging import Judged
from production.watch.params import WatchParams
from production.watch.params import load_params as load_watch_params
from production.watch.periods import SETTLED
from production.watch.running import Place, watch
from production.watch.sending import send_due
from stages.common.documents import Document
from stages.common.files import write_table
from stages.monitor.params import load_params
from stages.monitor.serving import profile_schema, serving_row
from tests.production import KEY, PARAMS, FakeHost, worker
from tests.served import LABELS, MONDAY, WEEK, Hospital

WEEKS = 52
NOTES = 250
_WORDS = {"asthma": "Disease", "gout": "Disease", "aspirin": "Treatment", "allopurinol": "Treatment"}
_MISSED = "eczema"
SURE = 0.8
"""Confidence from which on a mention is accepted."""
_SPECIALITIES = ("cardiology", "neurology", "surgery", "oncology")


_WATCHED = ["speciality", "tokens", "mentions", "confidence"]
COLUMNS = load_params().model_copy(update={"columns": _WATCHED, "slices": []})
"""Fewer than in production, so that a year does not take an hour."""
YEAR_PARAMS = load_watch_params().model_copy(
    update={"window": "week", "reference_notes": 8 * NOTES, "reference_windows": 8}
)
REVIEW_PARAMS = load_review_params().model_copy(update={"weekly_minutes": 15.0, "double": 0.0})
WORKER_PARAMS = PARAMS.model_copy(update={"batch": NOTES})


@dataclass(frozen=True)
class Truth:
    """What a week is like.

    Parameters
    ----------
    drift : float
        Share of the notes that are of another speciality than in the first weeks: the deviation.
    precision : float
        Of accepted mentions.
    """

    drift: float = 0.0
    precision: float = 0.97


@dataclass
class Told:
    """What happened in a week."""

    week: int
    judged: Judged
    notes: int
    reviewed: int


def chance(*words: object) -> float:
    """Return a number from 0 to below 1, always the same for the same words."""
    digest = hashlib.sha256(" ".join(map(str, words)).encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56


class WordModel(FakeHost):
    """Finds words; how sure it is, and what it only suggests, the note's text decides."""

    def extract(self, text: str, seconds: float) -> Found:
        mentions, suggestions, place = [], [], 0
        for word in text.split(" "):
            bare = word.strip(".")
            if bare in _WORDS:
                drawn = chance(text, place)
                confidence = 0.5 + 0.49 * drawn**0.25
                span = FoundMention(place, place + len(bare), _WORDS[bare], confidence, confidence >= SURE, "present")
                (mentions if drawn > 0.01 else suggestions).append(span)
            place += len(word) + 1
        accepted = bool(mentions) and all(span.accepted for span in mentions) and not suggestions
        tokens = len(text.split())
        return Found(tuple(mentions), tuple(suggestions), accepted, 1, tokens, 0.0)


@dataclass
class Year:
    """A hospital, its reviewers, and what the watch made of it.

    Parameters
    ----------
    engine : Engine
    folder : Path
    truth : callable
        What a week is like, by its number.
    channels : Channels
    watch_params : WatchParams
    reviewers : int
        People who read.
    """

    engine: Engine
    folder: Path
    truth: Callable[[int], Truth]
    channels: Channels = field(default_factory=Channels)
    params: WatchParams = field(default_factory=lambda: YEAR_PARAMS)
    review: ReviewParams = field(default_factory=lambda: REVIEW_PARAMS)
    reviewers: int = 2
    monday: datetime = MONDAY
    sending: bool = True
    slices: tuple[str, ...] = ()
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        hospital = Hospital(self.engine)
        hospital.promote(at=self.monday)
        self.random = np.random.default_rng(7)
        self.host = WordModel(words=_WORDS)
        self.profile = self._write_profile()

    def weeks(self, first: int = 0, last: int = WEEKS - 1) -> Iterator[Told]:
        """Live through weeks; yield what the watch found at the end of each."""
        for week in range(first, last + 1):
            yield from self.week(week)

    def week(self, week: int) -> Iterator[Told]:
        """Live through a week."""
        self.serve(week)
        now = self.monday + (week + 1) * WEEK + SETTLED
        reviewed = self.read(week, now)
        for judged in watch(self.place(), now):
            yield Told(week, judged, judged.finding.figures["decision"]["notes"], reviewed)
        if self.sending:
            send_due(self.engine, self.params, self.channels, lambda: now)

    def place(self) -> Place:
        """Return where the watch looks."""
        return Place(self.engine, self.params, COLUMNS, 0.95, self.channels, self.profile)

    def serve(self, week: int) -> None:
        """Let notes arrive and be looked at, evenly over the week."""
        truth = self.truth(week)
        add(self.engine, [self._note(week, number, truth) for number in range(NOTES)], "ward")
        with reading(self.engine) as connection:
            last_log = connection.execute(select(func.max(SERVING_LOG.c.log_id))).scalar() or 0
            last_note = connection.execute(select(func.max(RESULTS.c.note_id))).scalar() or 0
        worker(
            self.engine, self.host, params=PARAMS.model_copy(update={"batch": NOTES, "note_characters": 10_000})
        ).run()
        since = self.monday + week * WEEK
        with writing(self.engine) as connection:
            logs = (
                connection.execute(select(SERVING_LOG.c.log_id).where(SERVING_LOG.c.log_id > last_log)).scalars().all()
            )
            for number, log_id in enumerate(logs):
                moved = update(SERVING_LOG).where(SERVING_LOG.c.log_id == log_id)
                connection.execute(moved.values(served_at=since + WEEK * number / max(1, len(logs))))
            written = update(RESULTS).where(RESULTS.c.note_id > last_note)
            connection.execute(written.values(created_at=since + timedelta(days=3)))
            connection.execute(update(MODEL_VERSIONS).values(champion_since=self.monday))

    def read(self, week: int, now: datetime) -> int:
        """Let reviewers read what was planned; return how many notes."""
        plan(self.engine, Drawing(KEY, self.review, 8.0, self.slices), now)
        done, truth = 0, self.truth(week)
        for reviewer in (f"{number:064}" for number in range(self.reviewers)):
            while (task := next_task(self.engine, reviewer, now, self.review, "audit")) is not None:
                seconds = 20.0 + len(task.spans)
                hand_in(self.engine, task.task_id, reviewer, decisions(task, truth), seconds, now)
                done += 1
        return done

    def _note(self, week: int, number: int, truth: Truth) -> Incoming:
        words = self.random.choice([*_WORDS], size=self.random.integers(1, 6))
        missed = f" Also {_MISSED}." if self.random.random() < 0.1 else ""
        other = self.random.random() < truth.drift
        speciality = _SPECIALITIES[3] if other else self.random.choice(_SPECIALITIES[:3], p=[0.4, 0.3, 0.3])
        text = f"Note {week} of {number} says {' and '.join(words)}.{missed}"
        return Incoming(f"{week}-{number}", text, {"speciality": str(speciality), "note_type": "letter"})

    def _write_profile(self) -> Path:
        rows = []
        for number in range(400):
            note = self._note(-1, number, self.truth(0))
            document = Document(id=note.source_id, text=note.text, metadata=note.metadata)
            found = self.host.extract(note.text, 1.0)
            rows.append(serving_row(str(number), document, found, LABELS))
        file = self.folder / "profile.parquet"
        write_table(file, pd.DataFrame(rows), profile_schema(LABELS))
        return file


def decisions(task: Task, truth: Truth) -> list[Decision]:
    """Return what a reviewer says: what is right is drawn, mention by mention, and everything missed is seen."""
    made = []
    for span in task.spans:
        accepted = span.kind == MENTION and span.accepted
        right = truth.precision if accepted else 0.6
        is_right = chance("right", task.text, span.start) < right
        made.append(Decision(span.kind, span.number, ACCEPT if is_right else REJECT))
    place = task.text.find(_MISSED)
    if place >= 0:
        made.append(Decision(MISSED, None, MISSED, place, place + len(_MISSED), "Disease", "present"))
    return made

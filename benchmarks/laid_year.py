"""A year in production's database, laid in bulk: reviewed notes under daily plans, daily windows, what followed.

Nothing of it is read by a model or a person: what is drawn is what the roll-up has to count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine, insert

from production.database.bulk import insert_rows
from production.database.engine import writing
from production.database.review_tables import REVIEW_PLANS, REVIEW_SPANS, REVIEW_TASKS, REVIEWS
from production.database.schema import MENTIONS, MODEL_VERSIONS, NOTE_TEXTS, NOTES, RESULTS
from production.database.watch_tables import WATCH_WINDOWS
from production.review.frame import Seen, WholeFrame, as_json
from production.review.sampling import stratum_of
from production.review.seen import Sums
from production.watch.chain import append

VERSION, LABELS = "1", ("Disease", "Treatment")
DRAWN = 1 / 3
"""Share of the notes that is audited."""
_TIMES = int(1 / DRAWN)
_SPECIALITIES = ("cardiology", "neurology", "surgery", "oncology", "paediatrics")
_COLUMNS = (
    "note_type", "speciality", "sex", "age_band", "tokens", "unknown_tokens", "diseases", "treatments", "confidence",
    "negated", "possible", "hypothetical", "historical", "family", "quarantined",
)  # fmt: skip
_TEXT = "Known asthma and gout; aspirin was stopped, and allopurinol begun in the evening."
_DAY = timedelta(days=1)


@dataclass
class Laid:
    """What is laid, day by day.

    Parameters
    ----------
    engine : Engine
        Of an empty database.
    days, reviews : int
    until : datetime
        The midnight with which the last day ends.
    """

    engine: Engine
    days: int
    reviews: int
    until: datetime

    def __post_init__(self) -> None:
        self.chance = np.random.default_rng(1)
        self.since = self.until - self.days * _DAY

    def lay(self) -> None:
        """Write all of it."""
        with writing(self.engine) as connection:
            known = {"model_version": VERSION, "digest": "0" * 32, "labels": list(LABELS), "first_seen": self.since}
            connection.execute(insert(MODEL_VERSIONS).values(**known, champion_since=self.since))
        for day in range(self.days):
            first = day * self.reviews // self.days
            numbers = range(first, (day + 1) * self.reviews // self.days)
            with writing(self.engine) as connection:
                self._day(connection, day, numbers)
                self._window(connection, day)

    def _day(self, connection: Connection, day: int, numbers: range) -> None:
        at = self.since + day * _DAY + _DAY / 2
        notes = [_Note(number, self.chance) for number in numbers]
        insert_rows(connection, NOTES, ((n.note_id, "ward", str(n.note_id), n.hash) for n in notes))
        insert_rows(connection, NOTE_TEXTS, ((n.note_id, n.hash, _TEXT, n.metadata, at, False) for n in notes))
        results = ((*n.key, False, at, 1, 12, 0.0, n.stratum == "accepted") for n in notes)
        insert_rows(connection, RESULTS, results)
        insert_rows(connection, MENTIONS, (row for n in notes for row in n.mentions()))
        self._plan(connection, day, notes)
        done = at + _DAY
        drawn = "audit", 1
        tasks = ((n.note_id, *n.key, *drawn, n.stratum, DRAWN, day + 1, 60.0, "0" * 64, None, done) for n in notes)
        insert_rows(connection, REVIEW_TASKS, tasks)
        reviews = ((n.note_id, n.note_id, "0" * 64, done, n.seconds, None) for n in notes)
        insert_rows(connection, REVIEWS, reviews)
        insert_rows(connection, REVIEW_SPANS, (row for n in notes for row in n.decisions()))

    def _plan(self, connection: Connection, day: int, notes: list[_Note]) -> None:
        """Plan so many notes as the reviewed ones stand for: each of them is there three times."""
        frame = WholeFrame()
        for note in notes * _TIMES:
            seen = Seen(note.note_id, note.hash, note.stratum, len(_TEXT), len(note.spans))
            frame.add(seen, note.metadata, note.sums())
        strata = {name: {**kept, "probability": DRAWN} for name, kept in as_json(frame).items()}
        since = self.since + day * _DAY
        ends = {"since": since, "until": since + _DAY, "planned_at": since + _DAY}
        row = {"plan_id": day + 1, "model_version": VERSION, **ends, "minutes": 20.0, "strata": strata}
        connection.execute(insert(REVIEW_PLANS).values(row))

    def _window(self, connection: Connection, day: int) -> None:
        since = self.since + day * _DAY
        at = since + _DAY + timedelta(minutes=15)
        decision = ("none", "watch", "watch", "retrain")[day % 4]
        columns = {name: self._column() for name in _COLUMNS}
        kinds = {f"speciality={one}": _slice(decision, self._column()) for one in _SPECIALITIES}
        about = {"decision": decision, "period": f"{since:%Y-%m-%d}"}
        number = append(connection, "window", about, at)
        if decision == "retrain":
            append(connection, "held", {**about, "finding": number, "why": "the cool-down lasts"}, at)
        judged = {
            "decision": {"decision": decision, "column": "tokens", "reasons": ["tokens deviates by 3.0%"]},
            "drift": {"columns": columns, "notes": {"window": 800, "profile": 5000}, "slices": kinds},
            "quality": None,
        }
        row = {"scheme": "day", "model_version": VERSION, "name": f"{since:%Y-%m-%d}", "since": since}
        row |= {"until": since + _DAY, "notes": 800, "reference": "served", "decision": decision, "acts": True}
        connection.execute(insert(WATCH_WINDOWS).values(**row, judged=judged, decided_by=number))

    def _column(self) -> dict[str, Any]:
        deviation = float(self.chance.gamma(4.0, 0.8))
        ends = {"low": max(0.0, deviation - 1.5), "high": deviation + 1.5, "bound": deviation + 2.0}
        return {"deviation": deviation, "noise": 4.0, **ends, "counts": False, "enough": 900, "kind": "number"}


class _Note:
    """A note with up to eight mentions, of which most are accepted and right, and now and then one that was missed."""

    def __init__(self, number: int, chance: np.random.Generator) -> None:
        self.note_id = number + 1
        self.hash = hashlib.sha256(str(number).encode()).hexdigest()
        kind = "letter" if number % 2 else "discharge"
        self.metadata = {"speciality": _SPECIALITIES[number % len(_SPECIALITIES)], "note_type": kind}
        self.seconds = float(chance.gamma(4.0, 10.0))
        self.confidences = chance.beta(18, 2, size=int(chance.integers(0, 9))).round(4).tolist()
        self.right = (chance.random(len(self.confidences)) < self.confidences).tolist()
        self.missed = bool(chance.random() < 0.2)
        accepted = sum(one >= 0.85 for one in self.confidences)
        self.stratum = stratum_of(len(self.confidences), accepted, 0)

    @property
    def key(self) -> tuple[int, str, str]:
        return self.note_id, self.hash, VERSION

    @property
    def spans(self) -> list[tuple[int, int, str, float]]:
        return [(9 * n, 9 * n + 6, LABELS[n % 2], one) for n, one in enumerate(self.confidences)]

    def mentions(self) -> Iterator[tuple[Any, ...]]:
        for number, (start, end, label, confidence) in enumerate(self.spans):
            accepted = confidence >= 0.85
            yield (*self.key, "mention", number, start, end, label, confidence, accepted, "present", 0, None, None)

    def decisions(self) -> Iterator[tuple[Any, ...]]:
        for number, ((start, end, label, _), right) in enumerate(zip(self.spans, self.right, strict=True)):
            said = ("accept", start, end, label, "present") if right else ("reject", None, None, None, None)
            yield (self.note_id, number, "mention", number, *said)
        if self.missed:
            yield (self.note_id, len(self.spans), "missed", None, "missed", 75, 80, LABELS[0], "present")

    def sums(self) -> dict[str, Sums]:
        found = {}
        for label in LABELS:
            mine = [one for _, _, name, one in self.spans if name == label]
            sure = [one for one in mine if one >= 0.85]
            if mine:
                found[label] = Sums(len(mine), len(sure), sum(mine), sum(sure))
        return found


def _slice(decision: str, one: dict[str, Any]) -> dict[str, Any]:
    return {"decision": decision, "column": "tokens", "notes": 200, **{k: one[k] for k in ("deviation", "low", "high")}}

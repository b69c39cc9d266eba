"""One day in production, on real servers, as a story: two hospitals, a drift, a retraining, another champion.

PostgreSQL, MLflow on PostgreSQL and S3, DVC on S3, Airflow, a mail server and a webhook, all on the loopback; the
dashboard in a browser. `make e2e-production`; the table that it prints is what happened when. Weeks before today are
simulated: what commands wrote is dated back (`tests/day/calendar.py`).
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from production.database.engine import reading
from production.database.review_tables import REVIEWS
from production.database.schema import NOTE_TEXTS, NOTES, QUARANTINE, RESULTS
from production.database.watch_tables import OUTBOX
from production.review.claiming import next_task
from production.review.decisions import parse
from production.review.estimating import known
from production.review.handing_in import hand_in
from production.review.planning import plan
from production.review.setup import Desk
from production.watch.__main__ import _place, parse as parse_watch
from production.watch.running import watch
from tests.day.calendar import WEEK, Calendar, Mark, champion_since, date_back
from tests.day.hospital import Hospital, hospital
from tests.day.notes import (
    Gold,
    Note,
    case_reports,
    home_notes,
    unread_notes,
    with_canary,
    write_jsonl,
)
from tests.day.reviewer import decisions
from tests.day.scores import read_by, score
from tests.day.story import Story
from tests.maccrobat import MACCROBAT
from tests.repository import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.corpora,
    pytest.mark.skipif(not MACCROBAT.is_dir(), reason=f"the other hospital's notes, MACCROBAT, are not at {MACCROBAT}"),
]

ANNOTATED = 298
"""Notes of the hospital that were annotated before its first day; the other 150 of the seed arrive in production."""
WEEKLY, LAST_WEEK_CASES, READ_CASES = 60, 100, 75
"""Notes of a quiet week; case reports of last week, and how many of them people read."""
SHADOWED_CASES, SWITCHED_CASES = 25, 25
REPORT = ROOT / "reports/e2e-production.txt"
PICTURES = ROOT / "reports/e2e-production"
PARAMS = ("watch.reference_notes=110", "inference.champion_seconds=2.0", "inference.poll_seconds=0.5")
"""A hospital of a few notes a week."""


@dataclass
class Day:
    """The story so far."""

    at: Hospital
    story: Story
    calendar: Calendar
    home: list[Note]
    cases: list[Note]
    gold: Gold
    held_back: set[str] = field(default_factory=set)

    def arrive(self, name: str, *notes: Note) -> None:
        """Let notes come in, a file of each source."""
        for source in sorted({one.source for one in notes}):
            file = self.at.folder / f"{name}-{source}.jsonl"
            file.write_text("".join(f"{one.line()}\n" for one in notes if one.source == source), encoding="utf-8")
            self.at.command("production.notes", "add", str(file), "--source", source)

    def count(self, table: sa.Table, *conditions: Any) -> int:
        with reading(self.at.engine) as connection:
            return int(connection.execute(sa.select(sa.func.count()).select_from(table).where(*conditions)).scalar_one())

    def read(self, stream: str | None, now: datetime, most: int = 10_000, source: str | None = None) -> int:
        """Let the reviewer read what is open, without a process for each note; return how many."""
        desk, done = Desk.open(), 0
        reviewer = desk.reviewer("Anna")
        while done < most and (task := next_task(desk.engine, reviewer, now, desk.params, stream)) is not None:
            shown = task.as_json()
            spans, seconds = parse(decisions(shown, self.gold.mentions[task.text]))
            hand_in(desk.engine, task.task_id, reviewer, spans, seconds, now)
            done += source is None or task.source == source
        return done


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    """The hospital before its first day: annotated notes, a graph that was run, a champion."""
    story, calendar = Story(REPORT), Calendar(datetime.now(UTC))
    with hospital(tmp_path_factory.mktemp("day")) as at, pytest.MonkeyPatch.context() as patch:
        for name, value in at.repository.environment.items():
            patch.setenv(name, value)
        patch.chdir(at.root)
        before, home = home_notes(ANNOTATED)
        cases = case_reports(at.folder)
        home[7], cases[3] = with_canary(home[7]), with_canary(cases[3])
        story.tell("1 the team", "before", "PostgreSQL, MLflow, S3, a mail server and a webhook are running")
        at.repository.fetch_seed()
        at.repository.git("rm", "--quiet", "data/annotations.dvc")
        at.repository.run("rm", "-r", "data/annotations")
        batch = write_jsonl(at.folder / "first.jsonl", before)
        at.repository.python("-m", "annotation.add", str(batch), "--format", "jsonl", "--name", "first-notes")
        at.repository.dvc("add", "data/annotations")
        at.repository.set_params(*PARAMS)
        at.repository.dvc("repro", timeout=1200)
        publish(at, "The hospital's first annotated notes")
        f1 = at.repository.f1()
        story.tell("1 the team", "before", f"{len(before)} annotated notes, `dvc repro`, `dvc push`: strict F1 {f1:.3f}")
        at.command("delivery.register", "--rev", "main")
        assert "no champion yet" in at.command("delivery.promote")
        story.tell("1 the team", "before", "version 1 registered and promoted on MLflow: there was no champion")
        at.command("production.database", "build")
        yield Day(at, story, calendar, home, cases, Gold.of([*home, *cases]))
    print(f"\n{story.text()}")


def publish(at: Hospital, message: str) -> None:
    """Commit what the graph gave, and push data and commit."""
    at.repository.commit(message)
    at.repository.dvc("push")
    at.repository.git("push", "--quiet", "origin", "HEAD:main")
    at.repository.git("fetch", "--quiet", "origin")


# ---- 2, 3: quiet weeks ----------------------------------------------------------------------------


def test_quiet_weeks(day: Day) -> None:
    """Notes arrive, are tagged, and read by people; the watch finds nothing that anybody has to be told."""
    for weeks_ago in (3, 2):
        monday, mark = day.calendar.monday(weeks_ago), Mark.of(day.at.engine)
        notes = [day.home.pop(0) for _ in range(WEEKLY)]
        day.arrive(f"week-{weeks_ago}", *notes)
        said = day.at.command("production.infer", "--workers", "2")
        assert not day.count(NOTE_TEXTS, NOTE_TEXTS.c.pending)
        date_back(day.at.engine, monday, mark)
        if weeks_ago == 3:
            champion_since(day.at.engine, monday)
        day.story.tell("2 notes", monday, f"{len(notes)} notes arrive and are tagged by version 1")
        friday = monday + timedelta(days=6, hours=18)
        desk = Desk.open()
        planned = plan(desk.engine, desk.drawing(), friday)
        assert planned is not None
        read = day.read(None, friday)
        day.story.tell("3 reviews", friday, f"{planned.audit} drawn for the audit, {planned.work} to work on; {read} read")
    found = known(day.at.engine, 0.95, (), datetime.now(UTC))
    f1 = found.whole.f1["all labels"] if "all labels" in found.whole.f1 else next(iter(found.whole.f1.values()))
    day.story.tell("3 reviews", day.calendar.monday(1), f"audits: strict F1 {f1.value:.3f} ({f1.low:.3f} to {f1.high:.3f})")
    monday = day.calendar.monday(1) + timedelta(hours=6)
    for judged in watch(_place(parse_watch(["run"])), monday):
        finding = judged.finding
        day.story.tell("4 watch", monday, f"{finding.period}, against what was learned from: {finding.decision}")


# ---- 4: another hospital --------------------------------------------------------------------------


def test_another_hospital(day: Day) -> None:
    """Case reports of another hospital come in; the watch sees it, tells people, and can prove what it decided."""
    monday, mark = day.calendar.monday(1), Mark.of(day.at.engine)
    cases = [day.cases.pop(0) for _ in range(LAST_WEEK_CASES)]
    notes = [day.home.pop(0) for _ in range(30)]
    day.arrive("week-1", *notes, *cases)
    day.at.command("production.infer", "--workers", "2")
    date_back(day.at.engine, monday, mark)
    day.story.tell("4 another hospital", monday, f"{len(notes)} notes, and {len(cases)} case reports of another hospital")
    said = day.at.command("production.watch", "run", "--send")
    now = datetime.now(UTC)
    print(said)
    assert "redevelop" in said
    for line in said.splitlines():
        day.story.tell("4 watch", now, line.strip())
    assert day.at.hook.received
    assert day.at.post.received
    day.story.tell("4 watch", now, f"{len(day.at.hook.received)} webhook, {len(day.at.post.received)} mail received")
    verified = day.at.command("production.decisions", "verify")
    day.story.tell("4 watch", now, verified.strip().splitlines()[0])

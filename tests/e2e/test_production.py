"""One day in production, on real servers, as a story: two hospitals, a drift, a retraining, another champion.

PostgreSQL, MLflow on PostgreSQL and S3, DVC on S3, Airflow, a mail server and a webhook, all on the loopback; the
dashboard in a browser. `make e2e-production`; the table that it prints is what happened when. Weeks before today are
simulated: what commands wrote is dated back (`tests/day/calendar.py`).
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from production.database.engine import reading
from production.database.review_tables import REVIEW_TASKS
from production.database.schema import NOTE_TEXTS, NOTES, QUARANTINE, RESULTS
from production.review.claiming import next_task
from production.review.decisions import parse
from production.review.estimating import known
from production.review.handing_in import hand_in
from production.review.planning import plan
from production.review.setup import Desk
from production.watch.__main__ import _place
from production.watch.__main__ import parse as parse_watch
from production.watch.running import watch
from stages.monitor.audited import ALL
from tests.day.calendar import Calendar, Mark, champion_since, date_back
from tests.day.hospital import Hospital, hospital
from tests.day.notes import (
    OTHER,
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

ANNOTATED = 320
"""Notes of the hospital that were annotated before its first day; the other 128 of the seed arrive in production."""
WEEKLY = 50
"""Notes of a quiet week: `monitor.minimum_notes`."""
CASES, READ_CASES = 60, 25
"""Case reports of last week, and how many of them people read: what is learned from more of them is so unlike the home
hospital's notes that the gate refuses (fewer mentions of these would be accepted)."""
SHADOWED, SWITCHED = 40, 50
"""Case reports of today: before the promotion, and while it is made."""
REPORT = ROOT / "reports/e2e-production.txt"
PICTURES = ROOT / "reports/e2e-production"
PARAMS = (
    "watch.reference_notes=100",
    "inference.champion_seconds=2.0",
    "inference.poll_seconds=0.5",
    "train.learning_curve=[0.5]",
)
"""A hospital of a few notes a week, and a clock that is quicker; the model is the one that is shipped."""


@dataclass
class Day:
    """The story so far."""

    at: Hospital
    story: Story
    calendar: Calendar
    home: list[Note]
    cases: list[Note]
    gold: Gold
    served: dict[str, Note] = field(default_factory=dict)

    def arrive(self, name: str, *notes: Note) -> None:
        """Let notes come in, a file of each source."""
        self.served |= {one.document.id: one for one in notes}
        for source in dict.fromkeys(one.source for one in notes):
            file = self.at.folder / f"{name}-{source}.jsonl"
            file.write_text("".join(f"{one.line()}\n" for one in notes if one.source == source), encoding="utf-8")
            self.at.command("production.notes", "add", str(file), "--source", source)

    def count(self, table: sa.Table, *conditions: Any) -> int:
        with reading(self.at.engine) as connection:
            return int(
                connection.execute(sa.select(sa.func.count()).select_from(table).where(*conditions)).scalar_one()
            )

    def read(self, now: datetime, cases: int | None = None) -> Counter[str]:
        """Let two reviewers read what is open, without a process for each note; return how many of each source.

        Parameters
        ----------
        now : datetime
        cases : int, optional
            Where to stop: so many of the other hospital's.
        """
        desk, done = Desk.open(), Counter[str]()
        for name in ("Anna", "Ben"):  # the second reads what two people are to read
            reviewer = desk.reviewer(name)
            while cases is None or done[OTHER] < cases:
                task = next_task(desk.engine, reviewer, now, desk.params)
                if task is None:
                    break
                spans, seconds = parse(decisions(task.as_json(), self.gold.mentions[task.text]))
                hand_in(desk.engine, task.task_id, reviewer, spans, seconds, now)
                done[task.source] += 1
        return done

    def tell(self, part: str, at: datetime | str, what: str) -> None:
        self.story.tell(part, at, what)


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
        story.tell(
            "1 the team", "before", f"{len(before)} annotated notes, `dvc repro`, `dvc push`: strict F1 {f1:.3f}"
        )
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
    """Notes arrive, are tagged, and read by people; the KPI is measured, and the watch has nothing to start."""
    for weeks_ago in (3, 2):
        monday, mark = day.calendar.monday(weeks_ago), Mark.of(day.at.engine)
        notes = [day.home.pop(0) for _ in range(WEEKLY)]
        day.arrive(f"week-{weeks_ago}", *notes)
        day.at.command("production.infer", "--workers", "2")
        assert not day.count(NOTE_TEXTS, NOTE_TEXTS.c.pending)
        assert day.count(RESULTS) == len(day.served)
        date_back(day.at.engine, monday, mark)
        if weeks_ago == 3:
            champion_since(day.at.engine, monday)
        day.tell("2 notes", monday, f"{len(notes)} notes arrive, and are tagged by version 1")
        sunday, desk = monday + timedelta(days=6, hours=18), Desk.open()
        planned = plan(desk.engine, desk.drawing(), sunday)
        assert planned is not None
        read = day.read(sunday)
        day.tell(
            "3 reviews", sunday, f"{planned.audit} drawn for the audit, {planned.work} to work on; {read.total()} read"
        )
    found = known(day.at.engine, 0.95, (), datetime.now(UTC))
    f1, minutes = found.whole.f1[ALL], found.whole.minutes
    assert minutes.value is not None and f1.value is not None
    monday = day.calendar.monday(1) + timedelta(hours=6)
    day.tell(
        "3 KPI", monday, f"measured in {found.reviewed} audits: {minutes.value:.2f} minutes a note, F1 {f1.value:.3f}"
    )
    for judged in watch(_place(parse_watch(["run"])), monday):
        day.tell("4 watch", monday, f"{judged.finding.period} beside what was learned from: {judged.finding.decision}")


# ---- 4: another hospital --------------------------------------------------------------------------


def test_another_hospital(day: Day) -> None:
    """Case reports of another hospital come in; the watch sees it, tells people, and can prove what it decided."""
    monday, mark = day.calendar.monday(1), Mark.of(day.at.engine)
    notes, cases = day.home[:], [day.cases.pop(0) for _ in range(CASES)]
    day.arrive("week-1", *notes, *cases)
    day.at.command("production.infer", "--workers", "2")
    date_back(day.at.engine, monday, mark)
    day.tell("4 another hospital", monday, f"{len(notes)} notes, and {len(cases)} case reports of another hospital")
    said = day.at.command("production.watch", "run", "--send")
    for line in said.splitlines():
        day.tell("4 watch", datetime.now(UTC), line.strip())
    assert "redevelop" in said
    assert len(day.at.hook.received) == len(day.at.post.received) == 1
    day.tell("4 watch", datetime.now(UTC), "a webhook and a mail received, each once")
    day.tell("4 watch", datetime.now(UTC), day.at.command("production.decisions", "verify").strip().splitlines()[0])


# ---- 5: what people find becomes a model -----------------------------------------------------------


def test_people_read(day: Day) -> None:
    """The reviewers read last week's notes: the first by the commands, the others in one process."""
    day.tell("5 reviews", datetime.now(UTC), day.at.command("production.review", "plan").strip())
    for _ in range(3):
        task = json.loads(day.at.command("production.review", "next", "--reviewer", "Anna", "--json", clinical=True))
        said = decisions(task, day.gold.mentions[task["text"]])
        file = day.at.folder / "decisions.json"
        file.write_text(json.dumps(said), encoding="utf-8")
        day.at.command("production.review", "done", "--task", str(task["task"]), "--reviewer", "Anna", str(file))
    read = day.read(datetime.now(UTC) - timedelta(minutes=2), READ_CASES)
    day.tell("5 reviews", datetime.now(UTC), f"{read.total() + 3} notes read, about {READ_CASES} of them case reports")
    lines = day.at.command("production.review", "estimate", code=0).splitlines()
    day.tell("5 reviews", datetime.now(UTC), lines[-1])


def test_a_challenger(day: Day) -> None:
    """What people read becomes a batch; the graph runs, and its model is registered."""
    at = day.at
    at.command("production.review", "export", "--inbox", "data/production/inbox", "--at-least", "20")
    day.tell(
        "5 data", datetime.now(UTC), at.command("annotation.inbox", "data/production/inbox").strip().splitlines()[-1]
    )
    at.repository.dvc("add", "data/annotations")
    at.repository.dvc("repro", timeout=1200)
    publish(at, "What people read in production")
    day.tell("5 training", datetime.now(UTC), f"`dvc repro`, `dvc push`: strict F1 {at.repository.f1():.3f}")
    at.command("delivery.register", "--rev", "main")
    day.tell("5 training", datetime.now(UTC), "version 2 registered: challenger")


# ---- 6: another champion --------------------------------------------------------------------------


def test_the_challenger_in_the_shadow(day: Day) -> None:
    """Both versions read what arrives today."""
    cases = [day.cases.pop(0) for _ in range(SHADOWED)]
    day.arrive("today", *unread_notes()[:60], *cases)
    day.at.command("production.infer", "--shadow", "challenger")
    said = day.at.command("production.shadow", "--show", "0").strip().splitlines()
    day.tell("6 shadow", datetime.now(UTC), said[0])


def test_the_challenger_is_promoted(day: Day) -> None:
    """Workers go on while it is promoted: every note gets one result, the later ones of version 2."""
    at, cases = day.at, [day.cases.pop(0) for _ in range(SWITCHED)]
    worker = at.start("infer-watch", "production.infer", "--watch", "--workers", "2", "--batch", "5")
    stopping = threading.Event()

    def arrive() -> None:
        for place in range(0, len(cases), 5):
            day.arrive(f"switch-{place}", *cases[place : place + 5])
            stopping.wait(3)

    arriving = threading.Thread(target=arrive)
    arriving.start()
    try:
        said = at.command("delivery.promote")
        for line in said.splitlines():
            print(line)
        arriving.join(120)
        day.arrive("evening", *unread_notes()[60:])
        limit = time.monotonic() + 90
        while day.count(NOTE_TEXTS, NOTE_TEXTS.c.pending) and time.monotonic() < limit:
            time.sleep(0.5)
    finally:
        stopping.set()
        worker.terminate()
        assert worker.wait(60) == 0
    day.tell("6 promotion", datetime.now(UTC), said.strip().splitlines()[-1])
    assert not day.count(NOTE_TEXTS, NOTE_TEXTS.c.pending)
    assert day.count(RESULTS, RESULTS.c.shadow.is_(False)) == len(day.served) == day.count(NOTES)
    assert not day.count(QUARANTINE)


def test_quality_recovers(day: Day) -> None:
    """The other hospital's notes that nobody read: as the former champion had them, and as the new one has."""
    with reading(day.at.engine) as connection:
        reviewed = set(
            connection.execute(
                sa.select(NOTES.c.source_id)
                .join(REVIEW_TASKS, REVIEW_TASKS.c.note_id == NOTES.c.note_id)
                .where(REVIEW_TASKS.c.done_at.is_not(None))
            ).scalars()
        )
    day.at.command("production.backfill", "--source", OTHER)
    names = (read_by(day.at.engine, "1") & read_by(day.at.engine, "2")) - reviewed
    names = {name for name in names if day.served[name].source == OTHER}
    before, after = (score(day.at.engine, version, day.gold.mentions, names) for version in ("1", "2"))
    day.tell("6 quality", datetime.now(UTC), f"held-back case reports, version 1: {before}")
    day.tell("6 quality", datetime.now(UTC), f"held-back case reports, version 2: {after}")
    assert after.f1 > before.f1
    assert after.precision > before.precision

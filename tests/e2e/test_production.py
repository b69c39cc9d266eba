"""One day in production, on real servers, as a story: two hospitals, a drift, a retraining, another champion.

PostgreSQL, MLflow on PostgreSQL and S3, DVC on S3, Airflow, the service, a mail server and a webhook, all on the
loopback; the dashboard in a browser. `make e2e-production`; the table that it prints is what happened when. Weeks
before today are simulated: what commands wrote is dated back (`tests/day/calendar.py`).
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from delivery.registry.registry import ledger
from delivery.registry.server import MODEL, connect
from production.database.champion import at_work
from production.database.engine import reading
from production.database.review_tables import REVIEW_TASKS
from production.database.schema import NOTE_TEXTS, NOTES, QUARANTINE, RESULTS
from production.database.watch_tables import WATCH_WINDOWS
from production.review.claiming import next_task
from production.review.decisions import parse
from production.review.estimating import known
from production.review.handing_in import hand_in
from production.review.planning import plan
from production.review.savings import savings
from production.review.setup import Desk
from production.watch.__main__ import _place
from production.watch.__main__ import parse as parse_watch
from production.watch.running import watch
from stages.evaluate.kpi import ERRORS, HOURS
from stages.evaluate.params import load_params as load_evaluate_params
from stages.monitor.audited import ALL
from tests.browsers import needs_browser
from tests.day.calendar import Calendar, Mark, champion_since, date_back
from tests.day.hospital import OUTPUT, Hospital, hospital
from tests.day.notes import BC5CDR, CANARY, OTHER, Gold, Note, case_reports, home_notes, with_canary, write_jsonl
from tests.day.pictures import Pictures
from tests.day.reviewer import decisions
from tests.day.scores import accepted_precision, f1, least_gain, precision, read_by, score
from tests.day.story import Story
from tests.e2e.test_service import Service
from tests.maccrobat import MACCROBAT
from tests.pipelines import AIRFLOW
from tests.repository import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.corpora,
    pytest.mark.skipif(not MACCROBAT.is_dir(), reason=f"the other hospital's notes, MACCROBAT, are not at {MACCROBAT}"),
    pytest.mark.skipif(not BC5CDR.is_dir(), reason=f"the home hospital's notes, BC5CDR, are not at {BC5CDR}"),
    pytest.mark.skipif(not AIRFLOW.is_file(), reason="Airflow's environment was not built: `make e2e-production`"),
    needs_browser,
]

ANNOTATED = 400
"""Notes of the hospital that were annotated before its first day; others of the 915 arrive in production."""
WEEKLY = 150
"""Notes of a quiet week; people read all of them."""
LAST_WEEK, TODAY, EVENING = 8, 60, 40
"""Notes of the hospital in the week of the other one's, today before the promotion, and after it."""
CASES, AUDITED_CASES, READ_CASES = 60, 10, 22
"""Case reports of last week; how many people have read when the watch judges, and before the training. The more of
them are learned, the fewer mentions are accepted at the promised precision: decision 53 says what the gate says."""
SHADOWED, SWITCHED = 40, 50
"""Case reports of today: before the promotion, and while it is made."""
MEASURES = {"strict F1": f1, "precision": precision, "precision of the accepted": accepted_precision}
TRAINING_SECONDS = 2400
"""What a graph may take on a machine that does other things, too."""
REPORT = ROOT / "reports/e2e-production.txt"
PICTURES = ROOT / "reports/e2e-production"
PARAMS = (
    f"watch.reference_notes={WEEKLY}",
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
    pictures: Pictures
    served: dict[str, Note] = field(default_factory=dict)

    def arrive(self, name: str, *notes: Note) -> None:
        """Let notes come in by the command."""
        self._write(self.at.folder / f"{name}.jsonl", notes)
        self.at.command("production.notes", "add", str(self.at.folder / f"{name}.jsonl"))

    def lay(self, *notes: Note) -> None:
        """Lay notes where the inference pipeline finds them."""
        self._write(self.at.root / "data/production/arriving/last-week.jsonl", notes)

    def _write(self, file: Path, notes: Sequence[Note]) -> None:
        self.served |= {one.document.id: one for one in notes}
        file.write_text("".join(f"{one.line()}\n" for one in notes), encoding="utf-8")

    def pipeline(self, dag: str) -> None:
        """Run a pipeline of Airflow by hand."""
        states = self.at.airflow.test(dag)
        self.at.keep(dag, self.at.airflow.said)
        assert set(states.values()) == {"success"}, (states, self.at.airflow.said[-4000:])

    def waiting(self) -> int:
        """Return how many notes nobody has looked at."""
        return self.count(NOTE_TEXTS, NOTE_TEXTS.c.pending)

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
                done[self.served[task.source_id].source] += 1
        return done

    def tell(self, part: str, at: datetime | str, what: str) -> None:
        """Add to the table; `today` is the time of the clock."""
        self.story.tell(part, datetime.now(UTC) if at == "today" else at, what)


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
        home[7], cases[3], cases[70] = (with_canary(one) for one in (home[7], cases[3], cases[70]))
        story.tell("1 the team", "before", "PostgreSQL, MLflow, S3, a mail server and a webhook are running")
        at.repository.fetch_seed()
        at.repository.git("rm", "--quiet", "data/annotations.dvc")
        at.repository.run("rm", "-r", "data/annotations")
        batch = write_jsonl(at.folder / "first.jsonl", before)
        at.repository.python("-m", "annotation.add", str(batch), "--format", "jsonl", "--name", "first-notes")
        at.repository.dvc("add", "data/annotations")
        at.repository.set_params(*PARAMS)
        at.repository.dvc("repro", timeout=TRAINING_SECONDS)
        publish(at, "The hospital's first annotated notes")
        f1 = at.repository.f1()
        story.tell(
            "1 the team", "before", f"{len(before)} annotated notes, `dvc repro`, `dvc push`: strict F1 {f1:.3f}"
        )
        at.command("delivery.register", "--rev", "main")
        assert "no champion yet" in at.command("delivery.promote")
        story.tell("1 the team", "before", "version 1 registered and promoted on MLflow: there was no champion")
        at.command("production.database", "build")
        at.airflow.prepare()
        yield Day(at, story, calendar, home, cases, Gold.of([*home, *cases]), Pictures(at, PICTURES))
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
        assert not day.waiting()
        assert day.count(RESULTS) == len(day.served)
        date_back(day.at.engine, monday, mark)
        if weeks_ago == 3:
            champion_since(day.at.engine, monday)
        day.tell("2 notes", monday, f"{len(notes)} notes arrive, and are tagged by version 1 with two workers")
        sunday, desk = monday + timedelta(days=6, hours=18), Desk.open()
        planned = plan(desk.engine, desk.drawing(), sunday)
        assert planned is not None
        read = day.read(sunday).total()
        day.tell("3 reviews", sunday, f"{planned.audit} drawn for the audit, {planned.work} to work on; {read} read")
    monday = day.calendar.monday(1) + timedelta(hours=6)
    for line in kpi(day):
        day.tell("3 KPI", monday, line)
    for judged in watch(_place(parse_watch(["run"])), monday):
        found = judged.finding
        day.tell("4 watch", monday, f"{found.period}: {found.decision}")
        assert found.decision in ("none", "too_few_notes", "watch")
    day.pictures.take("quiet-weeks", "today", "quality")


def kpi(day: Day) -> Iterator[str]:
    """Say what audits found of the champion, and what it saves."""
    now = datetime.now(UTC)
    with reading(day.at.engine) as connection:
        version, _, since = at_work(connection)
    f1 = known(day.at.engine, 0.95, (), now).whole.f1[ALL]
    found = savings(day.at.engine, version, since, load_evaluate_params(), now)
    assert f1.value is not None
    assert found.difference is not None
    yield f"{found.reviewed} notes audited: strict F1 {f1.value:.3f} ({f1.low:.3f} to {f1.high:.3f})"
    for name in (HOURS, ERRORS):
        value, low, high = (found.difference[f"{name}{end}"] for end in ("", "_low", "_high"))
        assert value is not None
        yield f"saved: {value:.1f} ({low:.1f} to {high:.1f}) {name.replace('_', ' ').replace('1000', '1,000')}"


# ---- 4: another hospital --------------------------------------------------------------------------


def test_another_hospital(day: Day) -> None:
    """Case reports of another hospital come in; the watch sees it, tells people, and can prove what it decided."""
    monday, mark, at = day.calendar.monday(1), Mark.of(day.at.engine), day.at
    notes, cases = [day.home.pop(0) for _ in range(LAST_WEEK)], [day.cases.pop(0) for _ in range(CASES)]
    day.lay(*notes, *cases)
    day.pipeline("inference_pipeline")
    assert not day.waiting()
    date_back(at.engine, monday, mark)
    day.tell(
        "4 notes", monday, f"inference_pipeline: {len(notes)} notes, {len(cases)} case reports of another hospital"
    )
    day.tell("4 reviews", "today", at.command("production.review", "plan").strip().removeprefix("review: "))
    by_command = [read_by_command(day) for _ in range(3)]
    read = day.read(datetime.now(UTC) - timedelta(minutes=2), AUDITED_CASES)
    day.tell("4 reviews", "today", f"{len(by_command)} notes read by commands, {read.total()} more: {dict(read)}")
    day.pipeline("monitoring_pipeline")
    with reading(at.engine) as connection:
        window = (
            connection.execute(sa.select(WATCH_WINDOWS).order_by(WATCH_WINDOWS.c.window_id.desc())).mappings().first()
        )
    assert window is not None
    assert window["decision"] == "redevelop"
    reasons = window["judged"]["decision"]["reasons"]
    day.tell("4 watch", "today", f"monitoring_pipeline: {window['name']}: {window['decision']}: {reasons[0]}")
    assert set(at.hook.kept.values()) == {1}
    assert len(at.hook.received) == len(at.post.received)
    day.tell(
        "4 alert", "today", f"webhook: {at.hook.received[-1][1]['title']}; mail: {at.post.received[-1]['Subject']}"
    )
    verified = at.command("production.decisions", "verify").strip().splitlines()[0]
    day.tell("4 decisions", "today", verified.removeprefix("decisions: "))
    day.pictures.take("another-hospital", "today", "drift")


# ---- 5: what people find becomes a model -----------------------------------------------------------


def read_by_command(day: Day) -> str:
    """Read a note as somebody without a desk does; return its name."""
    said = day.at.command("production.review", "next", "--reviewer", "Anna", "--json", clinical=True)
    task = json.loads(said)
    file = day.at.folder / "decisions.json"
    file.write_text(json.dumps(decisions(task, day.gold.mentions[task["text"]])), encoding="utf-8")
    day.at.command("production.review", "done", "--task", str(task["task"]), "--reviewer", "Anna", str(file))
    return str(task["source_id"])


def test_people_read(day: Day) -> None:
    """The reviewers read on: what the model needs is in what they correct."""
    read = day.read(datetime.now(UTC) - timedelta(minutes=2), READ_CASES - AUDITED_CASES)
    day.tell("5 reviews", "today", f"{read.total()} more notes read: {dict(read)}")
    promise = day.at.command("production.review", "estimate", codes=(0, 1)).splitlines()[-1]
    day.tell("5 reviews", "today", f"`production.review estimate`: {promise}")
    day.pictures.take("reviews", "review", "quality", "data")


def test_the_pipelines_make_a_challenger_that_a_person_approves(day: Day) -> None:
    """Airflow by itself: the sweep finds what was reviewed, the data wakes the training, which waits for a person.

    The person looks at what the challenger finds beside the champion, and approves while workers are at work.
    """
    at = day.at
    with at.airflow.started() as client:
        ((sweep, _),) = unpause(day, "training_pipeline")
        assert at.airflow.ended("training_pipeline", sweep) == "success"
        day.tell("5 airflow", "today", "training_pipeline, the daily sweep: nothing is undone, nothing is trained")
        ((sweep, _),) = unpause(day, "data_pipeline")
        assert at.airflow.ended("data_pipeline", sweep) == "success"
        day.tell("5 data", "today", f"data_pipeline, the daily sweep: {batches(day)}; training_pipeline is woken by it")
        run = at.airflow.until("training waits for a person", lambda: waits_for_a_person(day), TRAINING_SECONDS)
        at.repository.git("fetch", "--quiet", "origin")
        f1 = at.repository.f1()
        day.tell(
            "5 training", "today", f"training_pipeline: `dvc repro`, `dvc push`, pushed to main: strict F1 {f1:.3f}"
        )
        day.tell("6 approval", "today", "version 2 is registered as challenger; the run waits for a person")
        day.pictures.take("challenger", "model")
        shadow(day)
        details = f"/api/v2/dags/training_pipeline/dagRuns/{run}/taskInstances/approve/-1/hitlDetails"
        with service_at_work(day), workers_at_work(day):
            client("PATCH", details, {"chosen_options": ["Approve"]})
            day.tell("6 approval", "today", "approved through Airflow's API, while two workers watch and notes arrive")
            ended = at.airflow.ended("training_pipeline", run)
            at.keep("airflow", at.airflow.logs())
            assert ended == "success", at.airflow.states("training_pipeline", run)
            (entry,) = [one for one in ledger(connect()) if one.version == 2]
            assert entry.event == "promoted"
            day.tell("6 promotion", "today", "every gate lets version 2 pass: it is champion")
    assert not day.waiting()
    assert day.count(RESULTS, RESULTS.c.shadow.is_(False)) == len(day.served) == day.count(NOTES)
    assert not day.count(QUARANTINE)
    by = {version: len(read_by(at.engine, version)) for version in ("1", "2")}
    day.tell("6 switch", "today", f"{len(day.served)} notes, each one current result, none lost; looked at by {by}")


def unpause(day: Day, dag: str) -> list[tuple[str, str]]:
    """Let a pipeline run by itself; return its runs once there is one: the sweep of today."""
    airflow = day.at.airflow
    airflow.until(dag, lambda: dag in airflow.run("dags", "list"))
    airflow.run("dags", "unpause", "--yes", dag)
    found: list[tuple[str, str]] = airflow.until(f"a sweep of {dag}", lambda: airflow.runs(dag))
    return found


def waits_for_a_person(day: Day) -> str | None:
    airflow = day.at.airflow
    for run, state in airflow.runs("training_pipeline"):
        assert state != "failed", airflow.states("training_pipeline", run)
        if airflow.states("training_pipeline", run).get("approve") == "awaiting_input":
            return run
    return None


def batches(day: Day) -> str:
    names = sorted(path.name for path in (day.at.root / "data/annotations").iterdir() if path.is_dir())
    return f"batches {', '.join(names)}"


def shadow(day: Day) -> None:
    """Let both versions read what arrives today."""
    day.arrive("today", *[day.home.pop(0) for _ in range(TODAY)], *[day.cases.pop(0) for _ in range(SHADOWED)])
    day.at.command("production.infer", "--shadow", "challenger")
    said = day.at.command("production.shadow").strip().splitlines()
    day.tell("6 shadow", "today", said[0].removeprefix("shadow: "))


@contextmanager
def service_at_work(day: Day) -> Iterator[None]:
    """Let a client ask the service all the while; end when the new champion answers."""
    log, stopping, answers = day.at.folder / "service.log", threading.Event(), Counter[int]()
    service = Service(log, "--model", f"models:/{MODEL}@champion", "--log", str(day.at.folder / "served"))
    note = {"text": f"Known asthma. Start aspirin 75 mg. Seen by Dr {CANARY}."}

    def ask() -> None:
        while not stopping.wait(0.2):
            answers[service.ask("POST", "/analyze", note)[0]] += 1

    def version() -> str:
        return str(json.loads(service.ask("GET", "/version")[1])["model_version"])

    asking = threading.Thread(target=ask)
    try:
        service.until_ready()
        assert version() == "1"
        asking.start()
        yield
        limit = time.monotonic() + 180
        while version() != "2" and time.monotonic() < limit:
            time.sleep(0.5)
        assert version() == "2"
        stopping.set()
        asking.join(60)
    finally:
        stopping.set()
        assert service.end() == 0
    assert set(answers) == {200}
    day.tell("6 switch", "today", f"the service answers with version 2; {answers[200]} requests meanwhile, none lost")


@contextmanager
def workers_at_work(day: Day) -> Iterator[None]:
    """Let two workers watch, and notes arrive; end when all are tagged, some by the new champion."""
    worker = day.at.start("infer-watch", "production.infer", "--watch", "--workers", "2", "--batch", "5")
    stopping, cases = threading.Event(), [day.cases.pop(0) for _ in range(SWITCHED)]

    def arrive() -> None:
        for place in range(0, len(cases), 5):
            day.arrive(f"switch-{place}", *cases[place : place + 5])
            stopping.wait(2)

    arriving = threading.Thread(target=arrive)
    arriving.start()
    try:
        yield
        arriving.join(300)
        evening = day.home[:EVENING]
        time.sleep(4)  # twice `inference.champion_seconds`: who looks now finds the new champion
        day.arrive("evening", *evening)
        limit = time.monotonic() + 120
        while day.waiting() and time.monotonic() < limit:
            time.sleep(0.5)
        assert {one.document.id for one in evening} <= read_by(day.at.engine, "2")
    finally:
        stopping.set()
        worker.terminate()
        assert worker.wait(60) == 0


# ---- 6: what it was good for ------------------------------------------------------------------------


def test_quality_recovers(day: Day) -> None:
    """The other hospital's notes that nobody read: as the former champion had them, and as the new one has."""
    at = day.at
    same_note = REVIEW_TASKS.c.note_id == NOTES.c.note_id
    read = sa.select(NOTES.c.source_id).join(REVIEW_TASKS, same_note).where(REVIEW_TASKS.c.done_at.is_not(None))
    with reading(at.engine) as connection:
        learned = set(connection.execute(read).scalars())
    at.command("production.backfill")
    names = (read_by(at.engine, "1") & read_by(at.engine, "2")) - learned
    cases = {name for name in names if day.served[name].source == OTHER}
    before, after = (score(at.engine, version, day.gold.mentions, cases) for version in ("1", "2"))
    day.tell("6 quality", "today", f"held-back case reports, version 1: {before}")
    day.tell("6 quality", "today", f"held-back case reports, version 2: {after}")
    assert len(cases) >= 50
    gains = {name: least_gain(before, after, measure) for name, measure in MEASURES.items()}
    said = ", ".join(f"{name} by more than {gain:.3f}" for name, gain in gains.items())
    day.tell("6 quality", "today", f"gained, with a confidence of 95%: {said}")
    assert all(gain > 0 for gain in gains.values()), gains
    day.pictures.take("another-champion", "today", "quality", "model", "try_it")
    assert {path.name for path in PICTURES.iterdir()} >= set(day.pictures.names)


def test_no_word_of_a_note_is_anywhere_else(day: Day) -> None:
    """A name that stands in three notes is in the database, and in no mail, webhook, log or run."""
    at = day.at
    with reading(at.engine) as connection:
        has_it = NOTE_TEXTS.c.text.contains(CANARY)
        assert connection.execute(sa.select(sa.func.count()).select_from(NOTE_TEXTS).where(has_it)).scalar_one() == 3
    told = json.dumps(at.hook.received) + "".join(mail.as_string() for mail in at.post.received)
    files = [*(at.folder / OUTPUT).iterdir(), *at.folder.glob("*.log"), at.airflow.database, at.folder / "mlflow"]
    files += [at.folder / "airflow" / "logs", at.folder / "s3" / "mlflow", at.root / "data/production/serving-log"]
    searched = [path for root in files for path in ([root] if root.is_file() else root.rglob("*")) if path.is_file()]
    assert CANARY not in told
    assert not [path for path in searched if CANARY.encode() in path.read_bytes()]
    assert not [tags for tags in tags_of_mlflow() if CANARY in tags]
    day.tell(
        "canary", "today", f"a name from three notes is in none of {len(searched)} files, {len(at.hook.received)} posts"
    )


def tags_of_mlflow() -> list[str]:
    client = connect()
    runs = client.search_runs([one.experiment_id for one in client.search_experiments()])
    versions = client.search_model_versions(f"name='{MODEL}'")
    return [json.dumps([run.data.tags, run.data.params]) for run in runs] + [
        json.dumps([one.tags, one.description]) for one in versions
    ]

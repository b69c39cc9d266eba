"""The four pipelines in a real Airflow, on SQLite and the registry in a file: each by hand, then all by themselves.

`make e2e-airflow`. The tests are one story and run in their order: a champion, notes that arrive, people who review
them, a batch, a second model, a drift, and a third model that a person approves.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from sqlalchemy import func, insert, select, update

from delivery.registry.registry import CHAMPION, ledger, version_with_alias
from delivery.registry.server import MODEL, connect
from production.database.champion import at_work
from production.database.engine import address, make_engine, reading, writing
from production.database.schema import MODEL_VERSIONS, RESULTS, SERVING_LOG
from production.database.watch_tables import WATCH_WINDOWS
from production.review.claiming import next_task
from production.review.decisions import ACCEPT, Decision
from production.review.handing_in import hand_in
from production.review.params import load_params as load_review_params
from production.watch.chain import append
from stages.common.variables import AIRFLOW_PASSWORD, AIRFLOW_USER, ALERTS, DATABASE, LOG_KEY
from tests.pipelines import AIRFLOW, PASSWORD, USER, Airflow
from tests.production import KEY, sqlite_url
from tests.receivers import Webhook, webhook
from tests.repository import Repository, copy, lend_environment, write_notes
from tests.watching import PARAMS, START, decide

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not AIRFLOW.is_file(), reason="its environment was not built: `make e2e-airflow`"),
]

NOTES = 60
READING = 10.0
"""Seconds that a person takes to read what is asked."""
WEAK = {
    "minimum_functionality": 0.5,
    "estimate": -0.5,
    "margin": 0.9,
    "label_margin": 0.9,
    "accepted_margin": 1.0,
    "calibration_error": 0.9,
    "minimum_documents": 3,
    "throughput": 0.1,
}
"""Bounds that a model of little time passes."""


@pytest.fixture(scope="module")
def hook() -> Iterator[Webhook]:
    with webhook() as started:
        yield started


@pytest.fixture(scope="module")
def clinic(light: Repository, tmp_path_factory: pytest.TempPathFactory, hook: Webhook) -> Iterator[Airflow]:
    """A clone with its remotes, a database, a registry with a champion, and an Airflow."""
    folder = tmp_path_factory.mktemp("clinic")
    home = copy(light, folder / "behealthy")
    variables = {
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
        DATABASE: sqlite_url(folder),
        LOG_KEY: KEY,
        ALERTS: f"ops={hook.url()}",
    }
    lend_environment(home)
    home.dvc("remote", "modify", "--local", "storage", "url", str(folder / "storage"))
    weaken(home)
    home.commit("Let a weak model pass; do without the network")
    home.git("clone", "--quiet", "--bare", str(home.root), str(folder / "origin.git"))
    home.git("remote", "set-url", "origin", str(folder / "origin.git"))
    home.git("fetch", "--quiet", "origin")
    working = home.settings(**variables)
    for command in ("production.database build", "delivery.push", "delivery.register", "delivery.promote --rev HEAD"):
        working.python("-m", *command.split())
    airflow = Airflow(working, folder / "airflow", variables)
    airflow.prepare()
    for name in ("arriving", "inbox"):
        (home.root / "data/production" / name).mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield airflow


def weaken(repository: Repository) -> None:
    path = repository.root / "delivery/registry/gate.yaml"
    bounds = path.read_text(encoding="utf-8")
    for name, value in WEAK.items():
        bounds = re.sub(rf"^({name}): \S+", rf"\1: {value}", bounds, flags=re.MULTILINE)
    path.write_text(bounds, encoding="utf-8")


def engine_of(clinic: Airflow) -> Any:
    return make_engine(address(clinic.variables[DATABASE]))


def count(clinic: Airflow, table: Any) -> int:
    with reading(engine_of(clinic)) as connection:
        return int(connection.scalar(select(func.count()).select_from(table)))


def champion() -> str:
    version = version_with_alias(connect(), CHAMPION)
    assert version is not None
    return str(version.version)


def head(clinic: Airflow) -> str:
    return clinic.repository.git("ls-remote", "origin", "main").split()[0]


def notes_arrive(clinic: Airflow, name: str, first: int, last: int) -> list[dict[str, Any]]:
    path = clinic.home.parent / "annotated.jsonl"
    write_notes(path, last)
    notes = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()][first:]
    about = {"note_type": "clinic_letter", "speciality": "cardiology", "sex": "female", "age_band": "65-79"}
    rows = [json.dumps({"id": note["id"], "text": note["text"], "metadata": about}) for note in notes]
    (clinic.repository.root / f"data/production/arriving/{name}.jsonl").write_text("\n".join(rows) + "\n")
    return notes


def titles(hook: Webhook) -> list[str]:
    return [content["title"] for _, content in hook.received]


def test_notes_that_arrive_get_their_results_once(clinic: Airflow) -> None:
    notes_arrive(clinic, "monday", 0, NOTES)
    states = clinic.test("inference_pipeline")
    assert set(states.values()) == {"success"}, states
    assert count(clinic, RESULTS) == NOTES
    assert set(clinic.test("inference_pipeline").values()) == {"success"}
    assert count(clinic, RESULTS) == NOTES


def test_a_red_step_holds_nothing_up_and_people_are_told_once_and_that_it_is_over(
    clinic: Airflow, hook: Webhook
) -> None:
    bad = clinic.repository.root / "data/production/arriving/tuesday.jsonl"
    good = json.dumps({"id": "good", "text": "She has gout and takes allopurinol."})
    bad.write_text(json.dumps({"id": "blank", "text": "  "}) + "\n" + good + "\n")
    states = clinic.test("inference_pipeline", fails=True)
    assert states == {
        "encode_data": "success",
        "input_features_check": "failed",
        "load_model": "success",
        "prediction_col_check": "failed",
        "summary": "upstream_failed",
    }
    assert count(clinic, RESULTS) == NOTES + 1
    assert titles(hook) == ["BeHealthy: inference_pipeline: failed"]
    assert "task input_features_check of run" in hook.received[0][1]["message"]
    assert clinic.runs("inference_pipeline")[-1][1] == "failed"
    bad.unlink()
    clinic.test("inference_pipeline")
    assert titles(hook)[1:] == ["BeHealthy: over: inference_pipeline: runs through"]


def test_a_week_is_judged_and_what_follows_is_sent(clinic: Airflow) -> None:
    now = datetime.now(UTC)
    monday = (now - timedelta(days=now.weekday(), weeks=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    with writing(engine_of(clinic)) as connection:
        connection.execute(update(MODEL_VERSIONS).values(champion_since=monday))
        connection.execute(update(SERVING_LOG).values(served_at=monday + timedelta(days=2)))
        connection.execute(update(RESULTS).values(created_at=now - timedelta(hours=1)))
    states = clinic.test("monitoring_pipeline")
    assert set(states.values()) == {"success"}, states
    assert count(clinic, WATCH_WINDOWS) == 1
    assert list((clinic.repository.root / "data/production/serving-log").rglob("*.parquet"))
    clinic.test("monitoring_pipeline")
    assert count(clinic, WATCH_WINDOWS) == 1
    clinic.repository.python("-m", "production.watch", "reset", "--why", "such notes are what this clinic writes")


def test_what_people_reviewed_becomes_a_checked_batch(clinic: Airflow) -> None:
    clinic.test("data_pipeline")  # queues notes; nothing was reviewed yet
    reviewed(clinic)
    states = clinic.test("data_pipeline")
    assert set(states.values()) == {"success"}, states
    batches = batches_of(clinic)
    assert len(batches) == 2
    clinic.test("data_pipeline")
    assert batches_of(clinic) == batches


def reviewed(clinic: Airflow) -> None:
    """Somebody accepts all that was marked in every note that is queued, ten minutes ago."""
    engine, now = engine_of(clinic), datetime.now(UTC) - timedelta(minutes=10)
    params = load_review_params()
    while (task := next_task(engine, "anna", now, params)) is not None:
        answers = [Decision(one.kind, one.number, ACCEPT) for one in task.spans]
        hand_in(engine, task.task_id, "anna", answers, 30.0, now)


def batches_of(clinic: Airflow) -> list[str]:
    return sorted(path.name for path in (clinic.repository.root / "data/annotations").iterdir() if path.is_dir())


def test_a_lost_event_is_found_by_the_next_sweep_and_a_run_without_news_changes_nothing(clinic: Airflow) -> None:
    """Nothing woke the training: by hand, no event of the data pipeline reaches a scheduler."""
    before = head(clinic)
    states = clinic.test("training_pipeline")
    assert states.pop("approve") == states.pop("person_needed") == states.pop("decline") == "skipped"
    assert set(states.values()) == {"success"}, states
    assert champion() == "2"
    after = head(clinic)
    changed = clinic.repository.git("diff", "--name-only", before, after).split()
    assert {"data/annotations.dvc", "dvc.lock"} <= set(changed)
    assert all(path.startswith(("data/annotations.dvc", "dvc.lock", "metrics/")) for path in changed)
    entries = ledger(connect())
    clinic.test("training_pipeline")
    assert (champion(), head(clinic), ledger(connect())) == ("2", after, entries)
    assert len(connect().search_model_versions(f"name='{MODEL}'")) == 2


def test_by_themselves_the_watch_starts_them_and_a_person_approves(clinic: Airflow, hook: Webhook) -> None:
    clinic.test("inference_pipeline")  # the new champion is at work
    drifted(clinic)
    arrives_in_the_inbox(clinic)
    with clinic.started() as client:
        unpause(clinic)
        data = asked_for(clinic)
        assert clinic.ended("data_pipeline", data) == "success"
        training = clinic.until("training wakes", lambda: waiting(clinic))
        assert champion() == "2"
        assert "version 3" in answer(client, training, "Approve")
        assert clinic.ended("training_pipeline", training) == "success"
        states = clinic.states("training_pipeline", training)
        assert (states["approve"], states["promote"], states["decline"]) == ("success", "success", "skipped")
        assert champion() == "3"
        an_event_that_comes_twice(clinic, client)
        a_rejection(clinic, client)


def drifted(clinic: Airflow) -> None:
    """The watch decided that the data needs people: what it finds is another test's subject."""
    with writing(engine_of(clinic)) as connection:
        version = at_work(connection).version
        assert version == champion()
        now = datetime.now(UTC)
        number = append(connection, "window", {"period": "today", "decision": "redevelop"}, now)
        row = {"scheme": "week", "model_version": version, "name": "today", "since": now, "until": now, "notes": 60}
        row |= {"reference": "served", "decision": "redevelop", "acts": True, "judged": {}, "decided_by": number}
        connection.execute(insert(WATCH_WINDOWS), row)


def arrives_in_the_inbox(clinic: Airflow, first: int = 200, name: str = "ward-7") -> None:
    path = clinic.home.parent / "more.jsonl"
    write_notes(path, first + 40)
    inbox = clinic.repository.root / "data/production/inbox/jsonl"
    inbox.mkdir(parents=True, exist_ok=True)
    (inbox / f"{name}.jsonl").write_text("\n".join(path.read_text().splitlines()[first:]) + "\n")


def unpause(clinic: Airflow) -> None:
    for dag in ("data_pipeline", "training_pipeline"):
        clinic.until(dag, lambda dag=dag: dag in clinic.run("dags", "list"))  # type: ignore[misc]
        clinic.run("dags", "unpause", "--yes", dag)


def asked_for(clinic: Airflow) -> str:
    """Have the watch send what starts a retraining, as it stands in params.yaml; return the id of the run."""
    trigger = {"kind": "airflow", "url": clinic.url, "dag": "data_pipeline"}
    path = clinic.repository.root / "params.yaml"
    params = yaml.safe_load(path.read_text())
    params["watch"]["trigger"] |= trigger
    path.write_text(yaml.safe_dump(params, sort_keys=False))
    changed = PARAMS.model_copy(update={"trigger": PARAMS.trigger.model_copy(update=trigger), "issues": False})
    now = (datetime.now(UTC) - START) / timedelta(days=1)
    follows = decide(engine_of(clinic), "retrain", now, params=changed)
    (message, *_) = follows.messages
    user = clinic.repository.settings(**{AIRFLOW_USER: USER, AIRFLOW_PASSWORD: PASSWORD})
    user.python("-m", "production.watch", "send")  # beside it what is over by now: the red inference pipeline
    return message


def waiting(clinic: Airflow) -> str | None:
    return next(
        (
            run
            for run, state in clinic.runs("training_pipeline")
            if state == "running" and clinic.states("training_pipeline", run).get("approve") == "awaiting_input"
        ),
        None,
    )


def answer(client: Any, run: str, choice: str) -> str:
    """Answer as a person does, who reads first; return what was asked.

    An answer within a second meets a task that Airflow 3.3.2 has not put to rest: it fails, and nothing is promoted.
    """
    details = f"/api/v2/dags/training_pipeline/dagRuns/{quote(run)}/taskInstances/approve/-1/hitlDetails"
    time.sleep(READING)
    asked = client("GET", details)["body"]
    client("PATCH", details, {"chosen_options": [choice]})
    return asked


def an_event_that_comes_twice(clinic: Airflow, client: Any) -> None:
    """Scheduled runs come of it; they find nothing undone."""
    before = champion(), head(clinic), ledger(connect()), len(clinic.runs("training_pipeline"))
    (asset,) = [one for one in client("GET", "/api/v2/assets")["assets"] if one["name"] == "annotations"]
    for _ in range(2):
        client("POST", "/api/v2/assets/events", {"asset_id": asset["id"]})
    clinic.until("it wakes", lambda: len(clinic.runs("training_pipeline")) > before[3])
    runs = clinic.until("all end", lambda: all_ended(clinic))
    assert {state for _, state in runs[before[3] :]} == {"success"}
    assert (champion(), head(clinic), ledger(connect())) == before[:3]


def all_ended(clinic: Airflow) -> list[tuple[str, str]] | None:
    runs = clinic.runs("training_pipeline")
    return runs if {state for _, state in runs} <= {"success", "failed"} else None


def a_rejection(clinic: Airflow, client: Any) -> None:
    """What is rejected is not promoted; the ledger has it, and nobody is asked again."""
    clinic.repository.settings(**clinic.variables).python("-m", "production.infer")
    drifted(clinic)
    arrives_in_the_inbox(clinic, 300, "ward-8")
    client("POST", "/api/v2/dags/data_pipeline/dagRuns", {"logical_date": None})
    run = clinic.until("training wakes", lambda: waiting(clinic))
    answer(client, run, "Reject")
    clinic.ended("training_pipeline", run)
    states = clinic.states("training_pipeline", run)
    assert (states["answered"], states["promote"], states["decline"]) == ("skipped", "skipped", "success")
    assert champion() == "3"
    assert ledger(connect())[-1].reasons == ["a person"]


def test_nothing_that_airflow_kept_has_a_secret_or_a_word_of_a_note(clinic: Airflow, hook: Webhook) -> None:
    kept = clinic.database.read_bytes() + clinic.logs().encode()
    assert b"prediction_col_check" in kept
    for secret in (KEY, f"127.0.0.1:{hook.port}/hook"):
        assert secret.encode() not in kept
    for line in (clinic.home.parent / "annotated.jsonl").read_text(encoding="utf-8").splitlines()[:5]:
        assert json.loads(line)["text"][20:60].encode() not in kept


def test_the_guide_has_what_is_set_up() -> None:
    text = Path("docs/guides/operator.md").read_text(encoding="utf-8")
    assert "airflow connections import --overwrite" in text

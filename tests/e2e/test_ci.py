"""The workflows' own steps, in order, on fresh machines, against real servers: `make e2e-ci`.

A git remote, S3 (rclone) and MLflow are real; GitHub's API is a stand-in that keeps what it is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient

from delivery.registry.server import MODEL
from delivery.rendering.posted import MARKER
from tests.hospital import Hospital, hospital
from tests.repository import Repository, clone, copy, object_faults, write_notes
from tests.servers import TrackingServer, local_tracking_server
from tests.workflow_runner import KilledError

pytestmark = pytest.mark.slow

BAD = "The graph could not be reproduced"


@pytest.fixture(scope="module")
def tracking(workshop: Path) -> Iterator[TrackingServer]:
    with local_tracking_server(workshop / "mlflow") as started:
        yield started


@pytest.fixture(scope="module")
def published(light: Repository, workshop: Path) -> Repository:
    """What becomes main: a model of little time, which the gate of this repository would not make champion."""
    repository = copy(light, workshop / "published")
    bounds = repository.text("delivery/registry/gate.yaml")
    lowered = bounds
    for name, value in {
        "minimum_functionality": 0.5,
        "estimate": -0.1,
        "margin": 0.2,
        "label_margin": 0.3,
        "accepted_margin": 1.0,
    }.items():
        lowered = re.sub(rf"^({name}): \S+", rf"\1: {value}", lowered, flags=re.MULTILINE)
    assert lowered != bounds
    (repository.root / "delivery/registry/gate.yaml").write_text(lowered, encoding="utf-8")
    repository.commit("Let a weak model pass")
    return repository


@pytest.fixture
def clinic(published: Repository, tracking: TrackingServer, tmp_path: Path) -> Iterator[Hospital]:
    with hospital(tmp_path / "clinic", published, tracking) as started:
        yield started


def reports(clinic: Hospital) -> list[dict[str, str]]:
    return [comment for comment in clinic.github.comments if comment["body"].startswith(MARKER)]


def versions(clinic: Hospital) -> dict[str, str]:
    """Return the registered versions and the commit of each."""
    client = MlflowClient(clinic.tracking.uri, clinic.tracking.uri)
    found = client.search_model_versions(f"name = '{MODEL}'")
    return {version.version: version.tags["git.sha"] for version in found}


def champion(clinic: Hospital) -> str:
    client = MlflowClient(clinic.tracking.uri, clinic.tracking.uri)
    return str(client.get_model_version_by_alias(MODEL, "champion").version)


def test_from_a_new_batch_to_the_champion(clinic: Hospital) -> None:
    pull = clinic.new_batch("ward-3", 24)
    pushed = clinic.head("ward-3")

    first = clinic.run("reproduce.yml", clinic.pull_request(pull))
    assert set(first.failed()) <= {"Report"}, first.log  # a small batch may well not be proven harmless
    committed = clinic.head("ward-3")
    assert clinic.origin.git("rev-list", f"{pushed}..{committed}").split() == [committed]
    changed = clinic.origin.git("diff", "--name-only", pushed, committed).split()
    assert "dvc.lock" in changed
    assert all(path == "dvc.lock" or path.startswith("metrics/") for path in changed)
    assert [(run["workflow"], run["ref"]) for run in clinic.github.dispatches] == [
        ("tests.yml", "ward-3"),
        ("reproduce.yml", "ward-3"),
    ]
    (report,) = reports(clinic)
    assert report["issue"] == pull["number"]
    assert BAD not in report["body"]
    assert first.summary.strip() == report["body"].strip()
    assert not object_faults(clinic.store.storage)

    second = clinic.run("reproduce.yml", clinic.push("ward-3", "workflow_dispatch"))
    assert "nothing new to publish" in second.log
    assert clinic.head("ward-3") == committed
    assert len(clinic.github.dispatches) == 2
    assert [comment["id"] for comment in reports(clinic)] == [report["id"]]

    merged = clinic.merge("ward-3")
    third = clinic.run("register.yml", clinic.push("main"))
    assert third.success, third.log
    assert versions(clinic) == {"1": merged}
    assert champion(clinic) == "1"

    again = clinic.run("register.yml", clinic.push("main", "workflow_dispatch"))
    assert again.success, again.log
    assert versions(clinic) == {"1": merged}


def test_a_bad_batch_is_stopped_and_the_comment_says_why(clinic: Hospital) -> None:
    before = versions(clinic)
    pull = clinic.forced_batch("forced")
    pushed = clinic.head("forced")
    run = clinic.run("reproduce.yml", clinic.pull_request(pull))
    assert not run.success
    assert run.jobs["graph"].steps["Push the outputs"] == "skipped"
    assert run.jobs["publish"].success, run.log
    assert "nothing to publish" in run.log
    (report,) = reports(clinic)
    assert BAD in report["body"]
    assert "forced" in report["body"]
    assert "allopurinol" not in report["body"]
    assert clinic.head("forced") == pushed
    assert not clinic.github.dispatches

    clinic.merge("forced")  # against the check
    refused = clinic.run("register.yml", clinic.push("main"))
    assert refused.failed() == ["Does dvc.lock belong to this commit?"]
    assert versions(clinic) == before


def test_a_fork_gets_the_report_that_git_allows(clinic: Hospital) -> None:
    fork = clone(clinic.origin, clinic.folder / "fork")
    fork.git("switch", "--quiet", "--create", "better")
    (fork.root / "README.md").write_text("a better text\n", encoding="utf-8")
    fork.commit("A better text")
    event = clinic.pull_request(clinic.github.open_pull("better"), fork=fork)
    clinic.github.requests.clear()
    clinic.secrets.clear()
    run = clinic.run("reproduce.yml", event)
    assert [name for name, job in run.jobs.items() if job.skipped] == ["graph", "publish"]
    assert set(run.failed()) <= {"Report"}, run.log
    assert MARKER in run.summary
    assert not clinic.github.requests


HOSTILE = "raise SystemExit('the code of the branch, where it has no business')\n"


def test_what_a_branch_holds_and_hands_over_is_data(clinic: Hospital) -> None:
    """Its code runs where nothing can be written; the job that writes runs that of main, and looks at the files."""
    desk = clinic.desk("hostile")
    for name in ("publish", "comment"):
        (desk.root / f"delivery/{name}.py").write_text(HOSTILE, encoding="utf-8")
    (desk.root / "README.md").write_text("nothing that the graph reads\n", encoding="utf-8")
    event = clinic.pull_request(clinic.offer(desk, "hostile", "Change how results are published"))
    run = clinic.run("reproduce.yml", event)
    assert run.jobs["publish"].success, run.log
    assert "no business" not in run.log
    assert len(reports(clinic)) == 1
    pushed = clinic.head("hostile")

    def plant(job: str, handed: Path) -> None:
        if job == "graph":
            (handed / "results/report.md").unlink()
            (handed / "results/report.md").symlink_to("/etc/passwd")
            (handed / "results/delivery").mkdir()
            (handed / "results/delivery/publish.py").write_text(HOSTILE, encoding="utf-8")

    said = reports(clinic)[0]["body"]
    refused = clinic.run("reproduce.yml", event, between=plant)
    assert refused.jobs["publish"].failed() == ["Commit dvc.lock and metrics back, once", "Comment"]
    assert "no business" not in refused.log
    assert [report["body"] for report in reports(clinic)] == [said]
    assert clinic.head("hostile") == pushed


@pytest.mark.parametrize("workflow", ["register.yml", "monitor.yml", "retrain.yml"])
def test_what_may_write_or_holds_the_registry_runs_on_main_alone(clinic: Hospital, workflow: str) -> None:
    clinic.variables["SERVING_LOG"] = "s3://behealthy/serving/log.parquet"
    for event in (clinic.push("a-branch", "workflow_dispatch", reason="x"), clinic.tag("main")):
        assert clinic.run(workflow, event).skipped


def test_the_monitor_acts_and_says_a_thing_once(clinic: Hospital, light: Repository) -> None:
    clinic.variables["SERVING_LOG"] = "s3://behealthy/serving/log.parquet"
    profile = pd.read_parquet(light.root / "data/serving/profile.parquet")
    seen = profile[profile["unknown_tokens"].notna()]  # training notes have no columns of the model
    window = seen.astype({"diseases": "int32", "treatments": "int32"})
    event = clinic.push("main", "schedule")

    clinic.put("serving/log.parquet", window.to_parquet())
    calm = clinic.run("monitor.yml", event)
    assert calm.success, calm.log
    assert "Monitor: too few notes to tell" in calm.summary
    assert not clinic.github.issues

    clinic.put("serving/log.parquet", window.assign(treatments=window["treatments"] + 40).to_parquet())
    for _ in range(2):
        drifted = clinic.run("monitor.yml", event)
        assert drifted.success, drifted.log
        assert [issue["title"] for issue in clinic.github.issues] == ["Monitor: redevelop"]

    clinic.put("serving/log.parquet", None)
    lost = clinic.run("monitor.yml", event)
    assert lost.failed() == [
        "Fetch the serving log and the training profile",
        "Act on the decision, of which none is unknown",
    ]
    assert clinic.github.issues[-1]["title"] == "Monitor: unknown"
    assert not clinic.github.dispatches


def test_new_annotations_become_a_pull_request_once(clinic: Hospital) -> None:
    clinic.variables["ANNOTATION_INBOX"] = "s3://behealthy/inbox"
    write_notes(clinic.folder / "ward-4.jsonl", 24)
    clinic.put("inbox/jsonl/ward-4.jsonl", (clinic.folder / "ward-4.jsonl").read_bytes())
    event = clinic.push("main", "workflow_dispatch", reason="monitor: retrain")
    first = clinic.run("retrain.yml", event)
    assert first.success, first.log
    (pull,) = clinic.github.pulls
    assert "monitor: retrain" in pull["body"]
    branch = pull["head"]["ref"]
    changed = clinic.origin.git("diff", "--name-only", "main", branch).split()
    assert {"data/annotations.dvc", "dvc.lock"} <= set(changed)
    assert [(run["workflow"], run["ref"]) for run in clinic.github.dispatches] == [
        ("tests.yml", branch),
        ("reproduce.yml", branch),
    ]
    assert not object_faults(clinic.store.storage)
    checked = clinic.run("reproduce.yml", clinic.push(branch, "workflow_dispatch"))
    assert set(checked.failed()) <= {"Report"}, checked.log
    assert "nothing new to publish" in checked.log
    assert [comment["issue"] for comment in reports(clinic)] == [pull["number"]]


STEPS = {
    "Reproduce what changed, fetching what that needs": 25.0,
    "Push the outputs": 3.0,
    "Collect dvc.lock and metrics": 1.0,
    "Commit dvc.lock and metrics back, once": 1.5,
    "Report": 3.0,
    "Comment": 1.0,
}
"""Seconds after which the runner dies in a step of reproduce.yml."""


def test_a_job_killed_in_any_step_is_finished_by_running_it_again(clinic: Hospital) -> None:
    pull = clinic.new_batch("ward-5", 24)
    pushed = clinic.head("ward-5")
    for step, seconds in STEPS.items():
        with pytest.raises(KilledError):
            clinic.run("reproduce.yml", clinic.pull_request(pull), kill={step: seconds})
        assert not object_faults(clinic.store.storage)
    run = clinic.run("reproduce.yml", clinic.pull_request(pull))
    assert set(run.failed()) <= {"Report"}, run.log
    assert len(clinic.origin.git("rev-list", f"{pushed}..ward-5").split()) == 1
    assert len(reports(clinic)) == 1
    person = clone(clinic.origin, clinic.folder / "person").settings(**clinic.store.environment())
    person.git("switch", "--quiet", "ward-5")
    person.dvc("fetch", "--remote", "bundled", "data/incoming.dvc")
    person.dvc("pull")
    assert "Data and pipelines are up to date." in person.dvc("repro").out
    assert not object_faults(person.root / ".dvc/cache")

"""The workflows' own steps, in order, on fresh machines, against real servers: `make e2e-ci`.

A git remote, S3 (rclone) and MLflow are real; GitHub's API is a stand-in that keeps what it is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from delivery.comment import MARKER
from delivery.server import MODEL
from tests.hospital import Hospital, hospital
from tests.repository import Repository, clone, object_faults

pytestmark = pytest.mark.slow

BAD = "The graph could not be reproduced"


@pytest.fixture
def clinic(quick: Repository, tmp_path: Path) -> Iterator[Hospital]:
    with hospital(tmp_path / "clinic", quick) as started:
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

    first = clinic.run("reproduce.yml", "graph", clinic.pull_request(pull))
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

    second = clinic.run("reproduce.yml", "graph", clinic.push("ward-3", "workflow_dispatch"))
    assert "nothing new to publish" in second.log
    assert clinic.head("ward-3") == committed
    assert len(clinic.github.dispatches) == 2
    assert [comment["id"] for comment in reports(clinic)] == [report["id"]]

    merged = clinic.merge("ward-3")
    third = clinic.run("register.yml", "register", clinic.push("main"))
    assert third.success, third.log
    assert versions(clinic) == {"1": merged}
    assert champion(clinic) == "1"

    again = clinic.run("register.yml", "register", clinic.push("main", "workflow_dispatch"))
    assert again.success, again.log
    assert versions(clinic) == {"1": merged}


def test_a_bad_batch_is_stopped_and_the_comment_says_why(clinic: Hospital) -> None:
    pull = clinic.forced_batch("forced")
    pushed = clinic.head("forced")
    run = clinic.run("reproduce.yml", "graph", clinic.pull_request(pull))
    assert not run.success
    assert run.steps["Push the outputs"] == "skipped"
    assert run.steps["Comment"] == "success"
    (report,) = reports(clinic)
    assert BAD in report["body"]
    assert "forced" in report["body"]
    assert "allopurinol" not in report["body"]
    assert clinic.head("forced") == pushed
    assert not clinic.github.dispatches

    clinic.merge("forced")  # against the check
    refused = clinic.run("register.yml", "register", clinic.push("main"))
    assert refused.failed() == ["Does dvc.lock belong to this commit?"]
    assert not versions(clinic)


def test_a_fork_gets_the_report_that_git_allows(clinic: Hospital) -> None:
    fork = clone(clinic.origin, clinic.folder / "fork")
    fork.git("switch", "--quiet", "--create", "better")
    (fork.root / "README.md").write_text("a better text\n", encoding="utf-8")
    fork.commit("A better text")
    event = clinic.pull_request(clinic.github.open_pull("better"), fork=fork)
    assert clinic.run("reproduce.yml", "graph", event).skipped
    clinic.github.requests.clear()
    clinic.secrets.clear()
    run = clinic.run("reproduce.yml", "fork", event)
    assert set(run.failed()) <= {"Report"}, run.log
    assert MARKER in run.summary
    assert not clinic.github.requests

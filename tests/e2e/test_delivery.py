"""Experiments tracked on what a team runs: MLflow on Postgres, artifacts on S3; at once, twice, and broken off."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from delivery.registry.server import EXPERIMENT
from delivery.revision.experiments import Experiment, experiments
from tests.repository import Repository, Result, copy, environment
from tests.servers import TrackingServer, team_tracking_server

pytestmark = pytest.mark.slow

PATIENCE = 900  # seconds


@pytest.fixture(scope="module")
def server(workshop: Path) -> Iterator[TrackingServer]:
    with team_tracking_server(workshop / "team") as started:
        yield started


@pytest.fixture(scope="module")
def client(server: TrackingServer) -> MlflowClient:
    return MlflowClient(server.uri)


@pytest.fixture(scope="module")
def lab(grid: Repository, server: TrackingServer, workshop: Path) -> Repository:
    return copy(grid, workshop / "delivery").settings(**server.environment())


@pytest.fixture(scope="module")
def four(lab: Repository) -> list[Experiment]:
    return experiments(lab.root)


@pytest.fixture(scope="module")
def three(lab: Repository, four: list[Experiment], workshop: Path, server: TrackingServer) -> list[str]:
    """Three experiments, tracked by two processes of one clone and one of another, all at once."""
    other = copy(lab, workshop / "colleague").settings(**server.environment())
    names = [one.revision.name for one in four[:3]]
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda where: track(where, *names), [lab, lab, other]))
    reported = [[line for line in result.out.splitlines() if "strict F1" in line] for result in results]
    assert reported[0] == reported[1] == reported[2]  # all of them name the same runs
    return names


def track(lab: Repository, *names: str) -> Result:
    return lab.run("python", "-m", "delivery.track", "--rev", *names, timeout=PATIENCE)


def runs(client: MlflowClient) -> list[Run]:
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id]))


def names(client: MlflowClient) -> list[str]:
    return sorted(run.info.run_name for run in runs(client))


def test_three_at_once_write_each_experiment_once(three: list[str], client: MlflowClient) -> None:
    assert names(client) == sorted(three)
    for run in runs(client):
        assert run.info.status == "FINISHED"
        assert run.data.tags["model"].startswith("models:/m-")
        assert 0 < run.data.metrics["evaluation.strict.Disease.f1"] < 1
        assert run.data.params["train.family"] == "crf"
    assert len({run.data.tags["git.sha"] for run in runs(client)}) == 3
    assert len({run.data.tags["annotations.md5"] for run in runs(client)}) == 1


def test_what_they_hold_lies_on_s3_without_text_of_notes(
    three: list[str], client: MlflowClient, workshop: Path
) -> None:
    bucket = workshop / "team" / "s3" / "mlflow"
    kept = [path for path in bucket.rglob("*") if path.is_file()]
    shown = {path.name for path in kept}
    assert {"params.yaml", "evaluation.json", "learning_curve.png", "leaderboard.csv", "MLmodel"} <= shown
    assert sum(path.name == "MLmodel" for path in kept) == 3
    data = {name for name in shown if not name.endswith(".py")}  # the model brings its code along
    assert not {name for name in data if name.startswith(("predictions", "errors", "attributes."))}


def test_a_second_time_adds_nothing(three: list[str], lab: Repository, client: MlflowClient) -> None:
    before = sorted((run.info.run_id, str(run.data.tags)) for run in runs(client))
    track(lab, *three)
    assert sorted((run.info.run_id, str(run.data.tags)) for run in runs(client)) == before


def begin(lab: Repository, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["python", "-m", "delivery.track", "--rev", name],
        cwd=lab.root,
        env={**environment(lab.root), **lab.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for_draft(client: MlflowClient, process: subprocess.Popen[str]) -> None:
    """Return when the process is in the middle of writing: its parameters are there, its end is not."""
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit and process.poll() is None:
        if any(run.info.status == "RUNNING" and run.data.params for run in runs(client)):
            return
        time.sleep(0.05)
    raise AssertionError(f"nothing to break off: {process.communicate()}")


def test_a_process_killed_in_the_middle_leaves_what_the_next_one_mends(
    three: list[str], four: list[Experiment], lab: Repository, client: MlflowClient
) -> None:
    name = four[3].revision.name
    process = begin(lab, name)
    wait_for_draft(client, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    (left,) = [run for run in runs(client) if run.info.status == "RUNNING"]
    result = track(lab, name)
    assert f"broke off tracking commit {str(four[3].revision.sha)[:10]} (run " in result.err
    assert names(client) == sorted([*three, name])
    assert left.info.run_id not in {run.info.run_id for run in runs(client)}
    assert {run.info.status for run in runs(client)} == {"FINISHED"}


def test_a_server_that_dies_in_the_middle_is_said_and_mended_when_it_is_back(
    three: list[str], lab: Repository, client: MlflowClient, server: TrackingServer
) -> None:
    process = begin(lab, "HEAD")
    wait_for_draft(client, process)
    server.crash()
    output = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2, output
    assert "track: 1/1 HEAD: " in output[1]
    assert "Traceback" not in output[1]
    refused = lab.run("python", "-m", "delivery.track", fails=True)
    assert refused.status == 2
    assert "does not answer" in refused.err
    server.restart()
    track(lab, "HEAD")
    assert {run.info.status for run in runs(client)} == {"FINISHED"}
    head = lab.git("rev-parse", "HEAD").strip()
    assert sum(run.data.tags["git.sha"] == head for run in runs(client)) == 1

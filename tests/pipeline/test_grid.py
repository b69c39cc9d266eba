"""A grid of experiments as the guide tells it: queued by one command, shown, compared, tracked, one of them taken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.repository import Repository, Result, copy

pytestmark = pytest.mark.slow

RUNS = 7  # four of the grid, one repeated, and the two commits that changed results


@pytest.fixture
def lab(grid: Repository, tmp_path: Path) -> Repository:
    return copy(grid, tmp_path / "lab")


@pytest.fixture(scope="module")
def tracked(grid: Repository, workshop: Path) -> tuple[Repository, str]:
    """The grid and an experiment out of the run cache, tracked in the file at the root."""
    repository = copy(grid, workshop / "tracked")
    repeated = ("-S", "train.crf.iterations=1", "-S", "train.crf.aggressiveness=0.5")
    output = repository.dvc("exp", "run", "--name", "again", *repeated).text
    assert "Stage 'train' is cached - skipping run" in output
    repository.git("checkout", "--quiet", ".")
    repository.dvc("checkout", "--quiet")
    result = track(repository)
    assert f"{RUNS} of them new" in result.err
    return repository, result.out


def track(repository: Repository, *more: str) -> Result:
    return repository.run("python", "-m", "delivery.track", *more, timeout=900)


def shown(repository: Repository) -> dict[str, Any]:
    """Return what `dvc exp show` says of each experiment of the current commit."""
    entries = json.loads(repository.dvc("exp", "show", "--json").out)[1]["experiments"] or []
    return {entry["name"]: entry["revs"][0]["data"] for entry in entries}


def settings(data: dict[str, Any]) -> tuple[int, float]:
    crf = data["params"]["params.yaml"]["data"]["train"]["crf"]
    return crf["iterations"], crf["aggressiveness"]


def f1_of(data: dict[str, Any]) -> float:
    return float(data["metrics"]["metrics/evaluation.json"]["data"]["strict"]["micro"]["f1"])


def test_every_point_of_the_grid_has_its_own_result(grid: Repository) -> None:
    experiments = shown(grid)
    assert {settings(data) for data in experiments.values()} == {(1, 0.5), (1, 1.0), (3, 0.5), (3, 1.0)}
    scores = {
        data["metrics"]["metrics/evaluation.json"]["data"]["strict"]["micro"]["f1"] for data in experiments.values()
    }
    assert len(scores) > 1
    assert not grid.changes()


def test_the_ranking_is_that_of_the_scores_and_marks_what_is_alike(grid: Repository) -> None:
    output = grid.python("-m", "delivery.compare").out
    rows = [line.split() for line in output.splitlines()[1:] if line.strip()[:2] in {"0.", "1."}]
    scores = [float(row[0]) for row in rows]
    assert len(rows) == 5  # and the baseline
    assert scores == sorted(scores, reverse=True)
    assert output.count("(baseline)") == 1
    assert all(name in output for name in shown(grid))
    assert "train.crf.iterations=3" in output


def test_all_of_them_are_tracked_those_from_the_run_cache_too(tracked: tuple[Repository, str]) -> None:
    repository, output = tracked
    assert all(f" {name}: strict F1" in output for name in [*shown(repository), "again"])
    assert output.count("model models:/m-") == RUNS
    assert "no model" not in output


def test_tracking_again_adds_nothing(tracked: tuple[Repository, str]) -> None:
    repository, output = tracked
    again = track(repository)
    assert again.out == output
    assert "none of them new" in again.err
    assert len(runs(repository)) == RUNS


def runs(repository: Repository) -> list[str]:
    program = (
        "from delivery.registry.server import connect; from delivery.registry.tracking import experiment_of\n"
        "c = connect(); "
        "print(*[run.info.run_id for run in c.search_runs([experiment_of(c)])])"
    )
    return repository.python("-c", program).out.split()


def test_the_chosen_one_is_applied_or_branched_and_has_one_run(tracked: tuple[Repository, str], tmp_path: Path) -> None:
    repository = copy(tracked[0], tmp_path / "lab")
    name, data = next((name, data) for name, data in shown(repository).items() if settings(data) == (3, 0.5))
    repository.dvc("exp", "branch", name, "chosen")
    assert repository.git("show", "chosen:params.yaml").count("iterations: 3")
    before = len(runs(repository))
    track(repository, "--rev", "chosen")
    assert len(runs(repository)) == before  # the branch is the experiment's own commit
    repository.dvc("exp", "apply", name)
    assert repository.f1() == f1_of(data)
    repository.commit(f"Take {name}")
    assert "Data and pipelines are up to date." in repository.dvc("repro").out

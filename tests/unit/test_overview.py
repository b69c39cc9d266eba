"""The experiments side by side: what is not finished has no figures, whatever DVC shows of its baseline."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from delivery import overview
from delivery.errors import DeliveryError
from delivery.overview import main, rows_of, table_of
from tests.repository import ROOT, Repository


def data(f1: float | None, **params: Any) -> dict[str, Any]:
    """Return what DVC says of a revision."""
    metrics = {"metrics/evaluation.json": {"data": {"strict": {"micro": {"f1": f1}}}}}
    return {"params": {"params.yaml": {"data": {"train": params}}}, "metrics": metrics if f1 is not None else {}}


def experiment(name: str, state: str | None, f1: float | None, error: str = "", **params: Any) -> dict[str, Any]:
    revision = {"rev": "a" * 40, "data": data(f1, **params), "error": {"msg": error} if error else None}
    return {"name": name, "executor": {"state": state} if state else None, "revs": [revision]}


SHOWN = [
    {"rev": "workspace", "data": data(0.5, seed=1), "experiments": None},
    {
        "rev": "b" * 40,
        "name": "main",
        "data": data(0.5, seed=1),
        "experiments": [
            experiment("waits", "queued", None, seed=2),
            experiment("runs", "running", 0.5, seed=3),
            experiment("broke", "failed", 0.5, error="Experiment run failed", seed=4),
            experiment("broke-too", None, 0.5, error="boom", seed=4),
            experiment("worse", "success", 0.4, seed=5),
            experiment("[b]better", None, 0.6, seed=6),
            {"name": "empty", "executor": {"state": "failed"}, "revs": None},
        ],
    },
]


def test_only_what_is_finished_has_figures() -> None:
    rows = {row.name: row for row in rows_of(SHOWN)}
    assert {name: row.metrics.get("strict.micro.f1") for name, row in rows.items() if row.metrics} == {
        "main": 0.5,
        "[b]better": 0.6,
        "worse": 0.4,
    }
    assert rows["runs"].changes == {"train.seed": 3}
    assert (rows["runs"].state, rows["broke-too"].state) == ("running", "failed")


def test_the_commit_comes_first_then_the_best_and_the_unfinished_last() -> None:
    names = [row.name for row in rows_of(SHOWN)]
    assert names[:3] == ["main", "[b]better", "worse"]
    assert set(names[3:]) == {"waits", "runs", "broke", "broke-too", "empty"}


def test_names_are_printed_as_they_are() -> None:
    table = table_of(rows_of(SHOWN))
    assert table.columns[0]._cells[1] == r"\[b]better"
    assert list(table.columns[2]._cells)[3:] == ["—"] * 5


@pytest.mark.parametrize("answer", [[], [{"rev": "workspace"}], [{"rev": "b" * 40}], ["x"], [{"rev": "b", "data": 1}]])
def test_an_answer_in_another_form_is_an_error_that_says_so(answer: list) -> None:
    with pytest.raises(DeliveryError, match="not known here"):
        rows_of(answer)


def test_without_a_repository_it_says_what_dvc_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([]) == 2
    assert "overview: `dvc exp show` did not answer (ERROR: you are not inside of a DVC" in capsys.readouterr().err


GRAPH = """
stages:
  train:
    cmd: python wait.py
    params: [seed]
    outs: [model]
  evaluate:
    cmd: python score.py
    deps: [model]
    metrics: [metrics/evaluation.json: {cache: false}]
"""
WAIT = """
import pathlib, time, yaml
seed = yaml.safe_load(open("params.yaml"))["seed"]
while seed > 1 and not pathlib.Path({gate!r}).exists():
    time.sleep(0.1)
pathlib.Path("model").write_text(str(seed))
"""
SCORE = """
import json, os
os.makedirs("metrics", exist_ok=True)
f1 = int(open("model").read()) / 10
json.dump({"strict": {"micro": {"f1": f1}}}, open("metrics/evaluation.json", "w"))
"""


@pytest.mark.slow
def test_a_running_experiment_of_dvc_shows_no_metrics_of_its_baseline(tmp_path: Path) -> None:
    gate, root = tmp_path / "gate", tmp_path / "repository"
    root.mkdir()
    repository = Repository(root).settings(PYTHONPATH=str(ROOT))
    repository.git("init", "--quiet", "--initial-branch", "main")
    repository.git("config", "user.name", "Tester")
    repository.git("config", "user.email", "tester@example.org")
    repository.dvc("init", "--quiet")
    files = {"dvc.yaml": GRAPH, "wait.py": WAIT.format(gate=str(gate)), "score.py": SCORE, "params.yaml": "seed: 1\n"}
    for name, content in files.items():
        (root / name).write_text(content)
    (root / ".gitignore").write_text("/model\n")
    repository.dvc("repro", "--quiet")
    repository.commit("Results")
    repository.dvc("exp", "run", "--queue", "--name", "runs", "-S", "seed=2")
    repository.run("sh", "-c", "dvc queue start >/dev/null 2>&1")  # its worker holds on to what it prints to
    try:
        line = waited(repository, "running")
        assert line.split()[2] == "—"
        assert "seed=2" in line
    finally:
        gate.write_text("")
    assert waited(repository, "success").split()[2] == "0.2000"


def waited(repository: Repository, state: str, limit: float = 120) -> str:
    """Return the line of the experiment once it has a state."""
    end = time.monotonic() + limit
    text = ""
    while time.monotonic() < end:
        text = repository.python("-m", overview.__name__).out
        line = next((one for one in text.splitlines() if one.split()[:2] == ["runs", state]), None)
        if line:
            return line
        time.sleep(1)
    raise AssertionError(f"never {state}: {text}")

"""What git alone says of stale stages, against `dvc status` in a real repository."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from delivery.changes.changes import changes_between
from delivery.errors import DeliveryError
from delivery.revision.graph import Graph
from delivery.revision.revision import resolve, workspace
from tests.commits import repository_at, write
from tests.repository import ROOT, Repository, copy

GRAPH = """
stages:
  prepare:
    cmd: cp data/annotations/notes.txt prepared.txt
    deps: [data/annotations, code/prepare]
    params: [prepare]
    outs: [prepared.txt]
  validate:
    cmd: mkdir -p metrics && cp prepared.txt metrics/validation.json
    deps: [prepared.txt, code/common.py]
    metrics: [metrics/validation.json: {cache: false}]
  train:
    cmd: mkdir -p models && cp prepared.txt models/weights
    deps: [prepared.txt, metrics/validation.json]
    params: [train.seed]
    outs: [models]
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A graph of three stages, run and committed."""
    made = repository_at(tmp_path_factory.mktemp("graph") / "repository")
    made.dvc("init", "--quiet")
    write(made.root, "dvc.yaml", GRAPH)
    write(made.root, "params.yaml", "prepare: {salt: '1', size: 2}\ntrain: {seed: 1, runs: 5}\n")
    write(made.root, "data/annotations/notes.txt", '{"passed": true}')
    write(made.root, "code/prepare/__init__.py", "")
    write(made.root, "code/prepare/formats/é.py", "x = 1\n")
    write(made.root, "code/common.py", "y = 2\n")
    made.dvc("add", "--quiet", "data/annotations")
    made.dvc("repro", "--quiet")
    made.commit("Finished")
    return made


def nothing(root: Path) -> None: ...


def code(root: Path) -> None:
    write(root, "code/prepare/formats/é.py", "x = 3\n")


def new_file(root: Path) -> None:
    write(root, "code/prepare/more.py", "")


def common(root: Path) -> None:
    write(root, "code/common.py", "y = 4\n")


def section(root: Path) -> None:
    write(root, "params.yaml", "prepare: {salt: '2', size: 2}\ntrain: {seed: 1, runs: 5}\n")


def one_key(root: Path) -> None:
    write(root, "params.yaml", "prepare: {salt: '1', size: 2}\ntrain: {seed: 2, runs: 5}\n")


def another_key(root: Path) -> None:
    write(root, "params.yaml", "prepare: {salt: '1', size: 2}\ntrain: {seed: 1, runs: 6}\n")


def command(root: Path) -> None:
    write(root, "dvc.yaml", GRAPH.replace("cp prepared.txt models", "cp -f prepared.txt models"))


def metrics(root: Path) -> None:
    write(root, "metrics/validation.json", '{"passed": true, "by": "hand"}')


def reordered(root: Path) -> None:
    write(root, "dvc.yaml", GRAPH.replace("[data/annotations, code/prepare]", "[code/prepare, data/annotations]"))


@pytest.mark.parametrize(
    ("change", "stale"),
    [
        (nothing, []),
        (another_key, []),
        (reordered, []),
        (code, ["prepare", "validate", "train"]),
        (new_file, ["prepare", "validate", "train"]),
        (section, ["prepare", "validate", "train"]),
        (common, ["validate", "train"]),
        (metrics, ["validate", "train"]),
        (one_key, ["train"]),
        (command, ["train"]),
    ],
)
def test_git_alone_says_what_dvc_says(
    finished: Repository, tmp_path: Path, change: Callable[[Path], None], stale: list[str]
) -> None:
    here = copy(finished, tmp_path / "copy")
    change(here.root)
    found = Graph.of(workspace(here.root)).stale()
    assert list(found) == stale
    direct = {name for name, reason in found.items() if not reason.startswith("reads ")}
    assert direct == _by_dvc(here)
    here.git("add", "--all")
    here.git("commit", "--quiet", "--allow-empty", "--message", "Changed")
    assert Graph.of(resolve("HEAD", here.root)).stale() == found


def _by_dvc(here: Repository) -> set[str]:
    """Return the stages that DVC finds changed; an input that another stage wrote anew is that stage's change."""
    status = json.loads(here.dvc("status", "--json").out)
    own = {
        name: [entry for entry in entries if entry != {"changed deps": {"metrics/validation.json": "modified"}}]
        for name, entries in status.items()
    }
    return {name for name, entries in own.items() if entries}


def test_data_that_was_changed_and_not_run(finished: Repository, tmp_path: Path) -> None:
    here = copy(finished, tmp_path / "copy")
    write(here.root, "data/annotations/notes.txt", '{"passed": true, "notes": 2}')
    here.dvc("add", "--quiet", "data/annotations")
    assert Graph.of(workspace(here.root)).stale()["prepare"] == "data/annotations changed"


def test_a_stage_that_never_ran(finished: Repository, tmp_path: Path) -> None:
    here = copy(finished, tmp_path / "copy")
    (here.root / "dvc.lock").unlink()
    assert Graph.of(workspace(here.root)).stale() == {
        "prepare": "never run",
        "validate": "reads prepared.txt of prepare, out of date",
        "train": "reads prepared.txt of prepare, out of date",
    }


def test_a_gate_that_failed_makes_everything_behind_it_old(finished: Repository, tmp_path: Path) -> None:
    here = copy(finished, tmp_path / "copy")
    write(here.root, "data/annotations/notes.txt", '{"passed": false}')
    write(here.root, "dvc.yaml", GRAPH.replace("metrics/validation.json\n", "metrics/validation.json && false\n"))
    here.dvc("add", "--quiet", "data/annotations")
    here.dvc("repro", "--quiet", fails=True)
    found = changes_between(resolve("HEAD", here.root), workspace(here.root))
    assert found.outcome == "gate failed"
    assert set(found.stale) == {"validate", "train"}
    assert found.metrics["validation.passed"].fresh


def test_this_repository_is_fresh_or_its_metrics_are_not_believed() -> None:
    """The hash of every real dependency is found; a stage is stale for its content, never for a missing hash."""
    graph = Graph.of(workspace(ROOT))
    assert set(graph.ran) == set(graph.wanted)
    for stage in graph.wanted.values():
        for path in stage["deps"]:
            assert graph._hash(path) is not None, path


@pytest.mark.parametrize(
    "content",
    [
        "[1]", "stages: [a]", "stages: {a: 5}", "stages: {a: {cmd: x, deps: [5]}}", "stages: {a: {cmd: x, deps: y}}",
        "stages: {a: {cmd: x, outs: [{b: 1}]}}", "stages: !!bool x", f"a: {'[' * 3000}{']' * 3000}", "a: 2020-13-45",
        "b: &b [x]\nc: &c [*b]\nstages: {a: {cmd: x, deps: *c}}",
    ],
    ids=lambda content: content[:40],
)  # fmt: skip
def test_a_file_of_a_branch_that_is_no_graph_is_refused(tmp_path: Path, content: str) -> None:
    """Whoever publishes for a branch reads its `dvc.yaml`, which may hold anything."""
    write(tmp_path, "dvc.yaml", content)
    with pytest.raises(DeliveryError, match=r"dvc\.yaml"):
        Graph.of(workspace(tmp_path))

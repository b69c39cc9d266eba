"""What a commit says of its own graph, from a real git repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from delivery.errors import DeliveryError
from delivery.revision.revision import Revision, flat, resolve, workspace
from tests.repository import Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    root = tmp_path / "repository"
    (root / "metrics").mkdir(parents=True)
    (root / "params.yaml").write_text("train:\n  crf: {runs: 5}\n  seed: 1\n")
    (root / "metrics/kpi.json").write_text('{"saved": {"hours": 0.5}}')
    (root / "metrics/documents.csv").write_text("document,label,tp,fp,fn\n0012345678901234,Disease,1,0,2\n")
    (root / "dvc.lock").write_text(
        "stages: {train: {deps: [{path: data/features, md5: aa.dir}], outs: [{path: models, md5: bb.dir}]}}\n"
    )
    (root / "data").mkdir()
    (root / "data/annotations.dvc").write_text("outs:\n- {md5: cc.dir, path: annotations}\n")
    made = Repository(root)
    made.git("init", "--quiet", "--initial-branch", "main")
    made.git("config", "user.name", "Tester")
    made.git("config", "user.email", "tester@example.org")
    made.commit("First")
    return made


@pytest.fixture(params=["main", None])
def revision(request: pytest.FixtureRequest, repository: Repository) -> Revision:
    return resolve(request.param, repository.root) if request.param else workspace(repository.root)


def test_parameters_and_metrics_are_flat_and_absent_files_are_no_metrics(revision: Revision) -> None:
    assert revision.params() == {"train.crf.runs": 5, "train.seed": 1}
    assert revision.metrics() == {"kpi.saved.hours": 0.5}


def test_hashes_come_from_the_lock_and_the_dvc_files(revision: Revision) -> None:
    assert revision.hashes() == {"data/annotations": "cc.dir", "data/features": "aa.dir", "models": "bb.dir"}


def test_document_counts_keep_names_that_look_like_numbers(revision: Revision) -> None:
    counts = revision.document_counts()
    assert counts is not None
    assert counts.to_dict("records") == [
        {"document": "0012345678901234", "label": "Disease", "tp": 1, "fp": 0, "fn": 2}
    ]


def test_a_commit_is_read_as_committed_and_the_workspace_as_it_lies(repository: Repository) -> None:
    (repository.root / "params.yaml").write_text("train: {seed: 2}\n")
    assert resolve("main", repository.root).params()["train.seed"] == 1
    assert workspace(repository.root).params() == {"train.seed": 2}


def test_a_branch_known_only_from_the_remote_is_found(repository: Repository, tmp_path: Path) -> None:
    Repository(tmp_path).git("clone", "--quiet", "--branch", "main", str(repository.root), str(tmp_path / "clone"))
    copy = Repository(tmp_path / "clone")
    copy.git("checkout", "--quiet", "-b", "topic")
    copy.git("branch", "--quiet", "-D", "main")
    assert resolve("main", copy.root).sha == repository.git("rev-parse", "main").strip()


@pytest.mark.parametrize("name", ["nowhere", "--help", "-n", ""])
def test_an_unknown_commit_is_an_error_with_the_remedy(repository: Repository, name: str) -> None:
    with pytest.raises(DeliveryError, match="git knows no commit"):
        resolve(name, repository.root)


def test_a_lock_with_conflicts_is_an_error_that_names_it(repository: Repository) -> None:
    (repository.root / "dvc.lock").write_text("<<<<<<< HEAD\na: 1\n=======\na: 2\n>>>>>>> b\n")
    with pytest.raises(DeliveryError, match=r"dvc\.lock at workspace is not valid YAML"):
        workspace(repository.root).hashes()


@pytest.mark.parametrize("content", ["cut off", "outs: 3", "outs: []", "outs: [{path: annotations}]"])
def test_a_dvc_file_that_is_none_is_an_error_that_names_it(repository: Repository, content: str) -> None:
    (repository.root / "data/annotations.dvc").write_text(content)
    with pytest.raises(DeliveryError, match=r"data/annotations\.dvc at workspace is not as DVC writes it"):
        workspace(repository.root).hashes()


def test_flat_keeps_lists_as_values() -> None:
    assert flat({"a": {"b": [1, 2]}, "c": {}}) == {"a.b": [1, 2]}

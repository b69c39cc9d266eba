"""The link to the run of a commit: found by its tag, never with a password in it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from delivery.errors import DeliveryError
from delivery.registry import runs
from delivery.revision.revision import resolve, workspace
from tests.repository import Repository
from tests.unit.test_report import repository  # noqa: F401  # a fixture


class Client:
    """A server with one run."""

    def __init__(self, sha: str) -> None:
        self.sha = sha

    def get_experiment_by_name(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(experiment_id="7")

    def search_runs(self, experiments: list[str], query: str, max_results: int) -> list[SimpleNamespace]:
        found = query == f"tags.`mlflow.source.git.commit` = '{self.sha}'"
        return [SimpleNamespace(info=SimpleNamespace(run_id="abc"))] if found else []


@pytest.fixture
def sha(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> str:  # noqa: F811
    found = repository.git("rev-parse", "HEAD").strip()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://user:secret@mlflow.example/base")
    monkeypatch.setattr(runs, "connect", lambda root: Client(found))
    return found


def test_the_run_of_a_commit_is_found(repository: Repository, sha: str) -> None:  # noqa: F811
    address = "https://mlflow.example/base/#/experiments/7/runs/abc"
    assert runs.run_url(resolve("main", repository.root)) == address
    assert runs.run_url(workspace(repository.root)) == address


def test_a_workspace_that_was_changed_has_no_run(repository: Repository, sha: str) -> None:  # noqa: F811
    (repository.root / "params.yaml").write_text("changed: true")
    assert runs.run_url(workspace(repository.root)) is None


def test_a_commit_that_was_not_tracked_has_no_run(repository: Repository, sha: str) -> None:  # noqa: F811
    repository.git("commit", "--quiet", "--allow-empty", "--message", "Untracked")
    assert runs.run_url(workspace(repository.root)) is None


def test_without_a_server_nothing_is_asked(
    repository: Repository,  # noqa: F811
    sha: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    monkeypatch.setattr(runs, "connect", lambda root: pytest.fail("asked"))
    assert runs.run_url(workspace(repository.root)) is None


def test_a_server_that_does_not_answer_is_told_without_its_address(
    repository: Repository,  # noqa: F811
    sha: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(root: object) -> None:
        raise ConnectionError("https://user:secret@mlflow.example refused")

    monkeypatch.setattr(runs, "connect", fail)
    with pytest.raises(DeliveryError) as told:
        runs.run_url(workspace(repository.root))
    assert str(told.value) == "the tracking server does not answer (ConnectionError)"

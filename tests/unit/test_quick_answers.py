"""What `promote` and `rollback` can say without a model, they say at once: no model, no DVC, no turn to wait for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from delivery import promote as promotion
from delivery import rollback
from delivery.errors import DeliveryError
from delivery.registry.bounds import read_bounds
from delivery.registry.gate import Gate
from delivery.registry.registry import Entry
from delivery.revision.git import git
from tests.repository import BIN, ROOT

BOUNDS = read_bounds((ROOT / "delivery/registry/gate.yaml").read_bytes(), "delivery/registry/gate.yaml")


def touched(*_: Any, **__: Any) -> None:
    raise AssertionError("this takes minutes, and the answer does not need it")


class Version:
    """A version of the registry, as far as these commands look at one."""

    def __init__(self, number: int, sha: str) -> None:
        self.version, self.tags = str(number), {"git.sha": sha, "git.md5": "0"}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A commit without metrics, so that the gates which need no model refuse."""
    git("init", "--quiet", "--initial-branch", "main", root=tmp_path)
    (tmp_path / "delivery/registry").mkdir(parents=True)
    (tmp_path / "delivery/registry/gate.yaml").write_bytes((ROOT / "delivery/registry/gate.yaml").read_bytes())
    commit(tmp_path, "Begin")
    monkeypatch.setattr("delivery.promote.commit_of", lambda version: version.tags["git.sha"])
    for module, name in ((promotion, "download"), (promotion, "rescore"), (promotion, "DvcFiles")):
        monkeypatch.setattr(module, name, touched)
    return tmp_path


def commit(root: Path, message: str) -> str:
    git("add", "--all", root=root)
    git("-c", "user.name=a", "-c", "user.email=a", "commit", "--quiet", "--message", message, root=root)
    return git("rev-parse", "HEAD", root=root).strip()


def test_a_version_that_git_alone_refuses_is_not_run(repository: Path) -> None:
    sha = git("rev-parse", "HEAD", root=repository).strip()
    judged = promotion.judge(Version(2, sha), Version(1, sha), repository, None, BOUNDS)  # type: ignore[arg-type]
    assert {gate.name for gate in judged.refusals} >= {"validation", "calibration"}
    not_asked = {gate.name: gate for gate in judged.gates if gate.status == "not asked"}
    compared = {"test documents", "champion as recorded", "strict F1", "accepted mentions", "behaviour", "throughput"}
    assert set(not_asked) == compared
    assert "validation" in not_asked["strict F1"].reason


def test_a_version_that_git_does_not_refuse_is_compared(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promotion, "absolute_gates", lambda *_: [Gate("validation", "passed", "")])
    sha = git("rev-parse", "HEAD", root=repository).strip()
    with pytest.raises(AssertionError, match="takes minutes"):
        promotion.judge(Version(2, sha), Version(1, sha), repository, None, BOUNDS)  # type: ignore[arg-type]


@pytest.mark.parametrize(("to", "words"), [(None, "replaced no champion"), (3, "never champion"), (1, "already")])
def test_nothing_to_go_back_to_is_said_without_waiting_for_a_turn(
    monkeypatch: pytest.MonkeyPatch, to: int | None, words: str
) -> None:
    entries = [Entry(1, "promoted", 1, None, "", []), Entry(2, "refused", 3, 1, "", ["strict F1"])]
    monkeypatch.setattr(rollback, "version_with_alias", lambda *_: Version(1, ""))
    monkeypatch.setattr(rollback, "ledger", lambda _: entries)
    for name in ("claimed", "download"):
        monkeypatch.setattr(rollback, name, touched)
    with pytest.raises(DeliveryError, match=words):
        rollback.roll_back(None, to)  # type: ignore[arg-type]


@pytest.mark.parametrize(("command", "words"), [("promote", "there is no challenger"), ("rollback", "no champion")])
def test_without_a_registry_none_is_laid_out(repository: Path, command: str, words: str) -> None:
    code = f"import sys; sys.modules['mlflow'] = None; from delivery.{command} import main; sys.exit(main([]))"
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=repository,
        env={"PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2, result.stderr
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert not (repository / "mlflow.db").exists()


# ---- whose bounds count ---------------------------------------------------------------------------


def loosen(repository: Path) -> None:
    path = repository / "delivery/registry/gate.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("calibration_error: 0.08", "calibration_error: 1.0"))


@pytest.fixture
def branch(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone on a branch that loosened the gate, and whose tag and local main pretend to be what is trusted."""
    clone = tmp_path_factory.mktemp("clone") / "clone"
    git("clone", "--quiet", str(repository), str(clone), root=repository)
    git("switch", "--quiet", "--create", "looser", root=clone)
    loosen(clone)
    commit(clone, "Let more through")
    git("branch", "--force", "main", "looser", root=clone)
    git("tag", "origin/main", root=clone)
    return clone


def test_a_branch_that_loosens_its_gate_is_judged_by_that_of_main(branch: Path, repository: Path) -> None:
    bounds, trusted = promotion.trusted_bounds(None, branch)
    assert bounds.calibration_error == 0.08
    assert trusted == git("rev-parse", "main", root=repository).strip()


def test_without_a_remote_it_is_the_local_main(repository: Path) -> None:
    git("switch", "--quiet", "--create", "looser", root=repository)
    loosen(repository)
    commit(repository, "Let more through")
    assert promotion.trusted_bounds(None, repository)[0].calibration_error == 0.08


@pytest.mark.parametrize(
    ("trust", "words"),
    [("nowhere", "git knows no commit nowhere"), ("refs/tags/empty", "has no delivery/registry/gate.yaml")],
)
def test_bounds_that_are_not_there_are_no_bounds(repository: Path, trust: str, words: str) -> None:
    git("rm", "--quiet", "delivery/registry/gate.yaml", root=repository)
    commit(repository, "Lose the gate")
    git("tag", "empty", root=repository)
    with pytest.raises(DeliveryError, match=words):
        promotion.trusted_bounds(trust, repository)

"""A repository whose graph is one stage and needs no DVC, its origin, and clones as jobs have them."""

from __future__ import annotations

from hashlib import md5
from pathlib import Path

import pytest
import yaml

from delivery.results import collect
from delivery.revision.git import git

GRAPH = {
    "stages": {
        "score": {"cmd": "./score", "deps": ["code.py"], "metrics": [{"metrics/score.json": {"cache": False}}]},
    }
}


def hashed(path: Path) -> str:
    return md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def run_graph(root: Path, luck: str = "") -> None:
    """What `dvc repro` would leave: a metric made of the code, and a lock with the hashes of both."""
    (root / "metrics").mkdir(exist_ok=True)
    code, metric = root / "code.py", root / "metrics/score.json"
    metric.write_text(f'{{"score": "{hashed(code)}{luck}"}}\n', encoding="utf-8")
    lock = {
        "cmd": "./score",
        "deps": [{"path": "code.py", "hash": "md5", "md5": hashed(code)}],
        "outs": [{"path": "metrics/score.json", "hash": "md5", "md5": hashed(metric)}],
    }
    (root / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": {"score": lock}}), encoding="utf-8")


def commit_all(root: Path, message: str) -> str:
    git("add", "--all", root=root)
    git("-c", "user.name=a", "-c", "user.email=a", "commit", "--quiet", "--message", message, root=root)
    return git("rev-parse", "HEAD", root=root).strip()


def clone(tmp_path: Path, name: str, branch: str = "work") -> Path:
    """Clone a branch of origin."""
    git("clone", "--quiet", "--branch", branch, str(tmp_path / "origin.git"), str(tmp_path / name), root=tmp_path)
    return tmp_path / name


def job_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a clone of a branch whose code changed and whose graph has been run again, as in a job."""
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    git("init", "--quiet", "--bare", "--initial-branch", "work", str(tmp_path / "origin.git"), root=tmp_path)
    desk = tmp_path / "desk"
    git("clone", "--quiet", str(tmp_path / "origin.git"), str(desk), root=tmp_path)
    (desk / "dvc.yaml").write_text(yaml.safe_dump(GRAPH), encoding="utf-8")
    (desk / "params.yaml").write_text("{}\n", encoding="utf-8")
    (desk / "code.py").write_text("1\n", encoding="utf-8")
    run_graph(desk)
    commit_all(desk, "Begin")
    (desk / "code.py").write_text("2\n", encoding="utf-8")
    commit_all(desk, "Change the code")
    git("push", "--quiet", "origin", "HEAD:work", root=desk)
    run = clone(tmp_path, "job")
    run_graph(run)
    return run


def pushed(job: Path) -> list[str]:
    git("fetch", "--quiet", "origin", "work", root=job)
    return git("log", "--format=%s", "origin/work", root=job).splitlines()


def others_push(tmp_path: Path, name: str) -> None:
    other = clone(tmp_path, "other")
    (other / name).write_text("theirs\n", encoding="utf-8")
    commit_all(other, f"Change {name}")
    git("push", "--quiet", "origin", "HEAD:work", root=other)


def hand_over(job: Path) -> Path:
    """Return the folder of what a job whose graph has been run again hands over, with its report."""
    folder = job.parent / "handed"
    collect(folder, with_data=False, root=job)
    (folder / "report.md").write_text("# What moved\n", encoding="utf-8")
    return folder


def writer_of(job: Path) -> Path:
    """Return a clone of another branch, from whose code results are published."""
    git("push", "--quiet", "origin", "HEAD~1:refs/heads/trusted", root=job)
    return clone(job.parent, "writer", "trusted")

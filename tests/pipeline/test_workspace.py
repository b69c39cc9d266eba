"""What an experiment leaves in the workspace, and how the commit is brought back: as the guide tells it."""

from __future__ import annotations

from pathlib import Path

from tests.repository import Repository, copy


def test_settings_carry_over_until_the_commit_is_brought_back(light: Repository, tmp_path: Path) -> None:
    lab = copy(light, tmp_path / "lab")
    committed = lab.yaml("params.yaml")["evaluate"]

    lab.dvc("exp", "run", "--name", "first", "-S", "evaluate.resamples=60")
    lab.dvc("exp", "run", "--name", "second", "-S", "evaluate.seed=2")
    assert lab.yaml("params.yaml")["evaluate"] == {**committed, "resamples": 60, "seed": 2}
    assert lab.changes()

    lab.git("checkout", "--quiet", "params.yaml", "dvc.lock", "metrics")
    lab.dvc("checkout")
    assert not lab.changes()
    assert "up to date" in lab.dvc("status").out
    lab.dvc("exp", "run", "--name", "third", "-S", "evaluate.seed=2")
    assert lab.yaml("params.yaml")["evaluate"] == {**committed, "seed": 2}

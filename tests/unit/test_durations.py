"""When an experiment began: from DVC's own files, and never a guess."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from delivery.registry import durations
from delivery.registry.durations import began_at
from delivery.revision.experiments import Experiment
from delivery.revision.revision import Revision

BASE, OTHER = "b" * 40, "c" * 40
END = 10_000


@pytest.fixture
def born(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, int | None]:
    """Times of birth by execution; the experiment ended at `END`."""
    found: dict[str, int | None] = {}
    monkeypatch.setattr(durations, "committed_at", lambda revision: END)
    monkeypatch.setattr(durations, "_born_at", lambda path: found[path.stem])
    return found


def execution(root: Path, task: str, content: object) -> None:
    path = root / f".dvc/tmp/exps/run/{task}/{task}.run"
    path.parent.mkdir(parents=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def lynx(root: Path) -> Experiment:
    return Experiment(Revision(root, "a" * 40, "shy-lynx"), BASE)


def test_the_last_execution_of_that_name_and_baseline_counts(tmp_path: Path, born: dict) -> None:
    for task, name, base, at in (
        ("1", "shy-lynx", BASE, 2000),
        ("2", "shy-lynx", BASE, 7000),
        ("3", "shy-lynx", OTHER, 8000),
        ("4", "odd-puma", BASE, 9000),
    ):
        execution(tmp_path, task, {"name": name, "baseline_rev": base})
        born[task] = at
    assert began_at(lynx(tmp_path)) == 7000


def test_what_dvc_named_itself_is_known_by_its_ref(tmp_path: Path, born: dict) -> None:
    execution(tmp_path, "1", {"name": None, "baseline_rev": BASE, "result_ref": f"refs/exps/bb/{BASE[2:]}/shy-lynx"})
    born["1"] = 4000
    assert began_at(lynx(tmp_path)) == 4000


@pytest.mark.parametrize("at", [END + 1000, None], ids=["copied afterwards", "no times of birth"])
def test_what_cannot_be_is_not_known(tmp_path: Path, born: dict, at: int | None) -> None:
    execution(tmp_path, "1", {"name": "shy-lynx", "baseline_rev": BASE})
    born["1"] = at
    assert began_at(lynx(tmp_path)) is None


@pytest.mark.parametrize("content", ["{", "[]", "", {"name": 5}, {}])
def test_files_of_another_form_are_passed_over(tmp_path: Path, born: dict, content: object) -> None:
    execution(tmp_path, "1", content)
    assert began_at(lynx(tmp_path)) is None

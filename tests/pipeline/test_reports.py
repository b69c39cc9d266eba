"""The report of a real graph: by someone who has the data, and by a fork that has only git."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from tests.repository import Repository, clone, copy


@pytest.fixture(scope="module")
def changed(light: Repository, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A branch whose model learned for less long, reproduced and committed."""
    made = copy(light, tmp_path_factory.mktemp("reports") / "changed")
    made.git("checkout", "--quiet", "-b", "topic")
    made.set_params("train.crf.iterations=1")
    made.dvc("repro", "--quiet")
    made.commit("Learn for less long")
    return made


def counted(text: str) -> dict[str, list[int]]:
    rows = re.findall(r"^\| `(Disease|Treatment)` +\| +(\d+) \| +(\d+) \| +(\d+) \| +(\d+) \|$", text, re.MULTILINE)
    return {label: list(map(int, numbers)) for label, *numbers in rows}


def test_mentions_won_and_lost_are_those_of_the_counts_in_git(changed: Repository) -> None:
    text = changed.python("-m", "delivery.report", "--base", "main").out
    assert "Mention by mention" in text
    assert "Parameters: `train.crf.iterations` `2` → `1`." in text
    assert "Left out" not in text
    now = pd.read_csv(changed.root / "metrics/documents.csv").groupby("label")[["tp", "fp"]].sum()
    changed.git("checkout", "--quiet", "main", "--", "metrics/documents.csv")
    before = pd.read_csv(changed.root / "metrics/documents.csv").groupby("label")[["tp", "fp"]].sum()
    changed.git("checkout", "--quiet", "topic", "--", "metrics/documents.csv")
    for label, (won, lost, gone, new) in counted(text).items():
        assert won - lost == now["tp"][label] - before["tp"][label]
        assert new - gone == now["fp"][label] - before["fp"][label]
    assert sum(map(sum, counted(text).values())) > 0


def test_notes_are_quoted_only_when_asked(changed: Repository, tmp_path: Path) -> None:
    notes = pd.read_parquet(changed.root / "data/prepared/documents.parquet")
    words = {word for text in notes["text"] for word in re.findall(r"[a-z]{11,}", text)}
    plain = changed.python("-m", "delivery.report", "--base", "main").out
    told = changed.python("-m", "delivery.report", "--base", "main", "--with-examples").out
    from_graph = set(re.findall(r"[a-z]{11,}", plain))
    assert len(set(re.findall(r"[a-z]{11,}", told)) & words - from_graph) > 3
    assert not set(re.findall(r"`…[^`]*…`", plain))


def test_curves_are_drawn_for_both(changed: Repository) -> None:
    changed.python("-m", "delivery.report", "--base", "main", "--out", "reports/r.md", "--images", "reports/images")
    drawn = {path.stem for path in (changed.root / "reports/images").iterdir()}
    assert drawn == {"differences", "precision_coverage", "calibration", "learning_curve"}
    assert "![Calibration: share right by confidence](images/calibration.png)" in changed.text("reports/r.md")


def test_a_fork_without_credentials_reports_from_git_alone(changed: Repository, tmp_path: Path) -> None:
    fork = clone(changed, tmp_path / "fork")
    fork.git("fetch", "--quiet", "origin", "main:main")
    text = fork.python("-m", "delivery.report", "--base", "main").out
    assert "At least: from counts by document" in text
    # Without a network the search for credentials is what ends first.
    reason = "(there are no credentials|the storage does not answer)"
    assert re.search(rf"Left out: mentions one by one: \S+ of main cannot be read here \({reason}", text)
    assert "http" not in text  # not even the address of the storage
    assert "| `strict.micro.f1` ↑ " in text


def test_a_change_that_was_not_run_is_not_judged(changed: Repository, tmp_path: Path) -> None:
    here = copy(changed, tmp_path / "here")
    here.set_params("train.crf.aggressiveness=0.5")
    result = here.run("python", "-m", "delivery.report", "--base", "main", "--git-only", "--fail-if-worse", fails=True)
    assert result.status == 1
    assert "**Not judged**: the metrics do not belong to this change" in result.out
    assert "`train`: `parameter train changed`" in result.out
    assert "not recomputed" in result.out

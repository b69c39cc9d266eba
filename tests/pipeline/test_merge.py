"""Two branches that each add a batch: one command merges them, in either order, and the graph is whole after it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.repository import Repository, add_batch, copy, object_faults, write_notes

pytestmark = pytest.mark.slow

UP_TO_DATE = "Data and pipelines are up to date."
MERGE = ("-m", "delivery.merge")


@pytest.fixture(scope="module")
def two(light: Repository, workshop: Path) -> Repository:
    """`main`, and from it `alpha` and `beta`: a new batch each, both number 2, the graph begun in both."""
    repository = copy(light, workshop / "two")
    for name, count in (("alpha", 9), ("beta", 14)):
        repository.git("switch", "--quiet", "--create", name, "main")
        repository.dvc("checkout", "--quiet")
        write_notes(workshop / f"{name}.jsonl", count)
        add_batch(repository, workshop / f"{name}.jsonl", name)
        repository.dvc("repro", "validate")
        repository.commit(f"A batch {name}")
    return repository


@pytest.fixture
def lab(two: Repository, tmp_path: Path) -> Repository:
    return copy(two, tmp_path / "lab")


def to(repository: Repository, branch: str) -> None:
    repository.git("switch", "--quiet", branch)
    repository.dvc("checkout", "--quiet")


def orders(repository: Repository) -> dict[str, int]:
    """Return the batches as DVC has them: what a fresh checkout gives."""
    shutil.rmtree(repository.root / "data" / "annotations")
    repository.dvc("checkout", "--quiet", "data/annotations.dvc")
    folder = repository.root / "data" / "annotations"
    return {
        path.name: repository.yaml(f"data/annotations/{path.name}/batch.yaml")["order"] for path in folder.iterdir()
    }


def splits(repository: Repository) -> dict[str, str]:
    documents = pd.read_parquet(repository.root / "data/prepared/documents.parquet")
    return dict(zip(documents["document"], documents["split"], strict=True))


def test_plain_git_leaves_conflicts(lab: Repository) -> None:
    to(lab, "beta")
    lab.run("git", "merge", "alpha", fails=True)
    conflicts = lab.git("diff", "--name-only", "--diff-filter=U").split()
    assert {"data/annotations.dvc", "dvc.lock"} <= set(conflicts)


@pytest.mark.parametrize(("earlier", "later"), [("alpha", "beta"), ("beta", "alpha")])
def test_the_branch_that_comes_later_is_merged_by_one_command(lab: Repository, earlier: str, later: str) -> None:
    to(lab, "main")
    before = splits(lab)
    lab.git("merge", "--quiet", "--no-ff", "--no-edit", earlier)  # the first pull request goes in by itself
    to(lab, later)
    said = lab.python(*MERGE, "main").out
    assert f"batch {later}: number 3, was 2" in said
    assert not lab.changes()
    assert UP_TO_DATE in lab.dvc("repro").out
    assert orders(lab) == {"seed-notes": 1, earlier: 2, later: 3}
    assert len(lab.git("log", "-1", "--format=%P").split()) == 2
    to(lab, "main")
    assert "Fast-forward" in lab.git("merge", later)  # and now the second one does, too
    lab.dvc("checkout", "--quiet")
    after = splits(lab)
    assert before.items() <= after.items()
    assert not object_faults(lab.root / ".dvc" / "cache")


def test_on_main_the_batches_of_main_keep_their_numbers(lab: Repository) -> None:
    to(lab, "main")
    lab.git("merge", "--quiet", "--ff-only", "beta")
    lab.dvc("checkout", "--quiet")
    assert "batch alpha: number 3, was 2" in lab.python(*MERGE, "alpha", "--no-repro").out
    assert orders(lab) == {"seed-notes": 1, "beta": 2, "alpha": 3}


def conflict_begun_by_hand(lab: Repository) -> None:
    lab.run("git", "merge", "alpha", fails=True)


def killed_while_it_lays_out_batches(lab: Repository) -> None:
    """What is left when it dies between two checkouts: the other side's batches, and a half-copied one."""
    lab.run("git", "merge", "alpha", fails=True)
    lab.run("git", "checkout", "--theirs", "data/annotations.dvc")
    lab.dvc("checkout", "--quiet", "--force", "data/annotations.dvc")
    half = lab.root / "data/annotations/.beta.merging"
    half.mkdir()
    (half / "batch.yaml").write_text("name: be", encoding="utf-8")
    (lab.root / ".dvc/tmp/merge").mkdir(parents=True)


@pytest.mark.parametrize("begin", [conflict_begun_by_hand, killed_while_it_lays_out_batches])
def test_a_merge_under_way_is_finished(lab: Repository, begin: Callable[[Repository], None]) -> None:
    to(lab, "beta")
    begin(lab)
    lab.python(*MERGE, "--no-repro")
    assert not lab.changes()
    assert orders(lab) == {"seed-notes": 1, "alpha": 2, "beta": 3}


def test_what_else_conflicts_is_left_to_a_person(lab: Repository) -> None:
    for branch in ("alpha", "beta"):
        to(lab, branch)
        (lab.root / "README.md").write_text(branch, encoding="utf-8")
        lab.commit("A text")
    result = lab.python(*MERGE, "alpha", fails=True)
    assert "README.md: in conflict too" in result.err
    (lab.root / "README.md").write_text("both", encoding="utf-8")
    lab.git("add", "README.md")
    lab.python(*MERGE, "--no-repro")
    assert lab.text("README.md") == "both"
    assert orders(lab) == {"seed-notes": 1, "alpha": 2, "beta": 3}


def test_a_batch_that_is_in_no_commit_is_not_overwritten(lab: Repository, tmp_path: Path) -> None:
    to(lab, "beta")
    write_notes(tmp_path / "gamma.jsonl", 3)
    lab.python("-m", "annotation.add", str(tmp_path / "gamma.jsonl"), "--format", "jsonl", "--name", "gamma")
    assert "`dvc add` and commit a new batch" in lab.python(*MERGE, "alpha", fails=True).err
    assert (lab.root / "data/annotations/gamma/batch.yaml").is_file()
    assert not lab.changes()


def test_one_name_for_two_contents_is_refused(lab: Repository, tmp_path: Path) -> None:
    to(lab, "main")
    write_notes(tmp_path / "other.jsonl", 5)
    add_batch(lab, tmp_path / "other.jsonl", "alpha")
    lab.commit("Another batch of that name")
    assert "both sides have a batch alpha" in lab.python(*MERGE, "alpha", fails=True).err
    lab.git("merge", "--abort")
    assert not lab.changes()


def test_a_removed_batch_stays_removed(lab: Repository) -> None:
    to(lab, "alpha")
    lab.git("switch", "--quiet", "--create", "gamma")
    shutil.rmtree(lab.root / "data/annotations/seed-notes")
    lab.dvc("add", "data/annotations")
    lab.commit("Take a batch out")
    to(lab, "beta")
    assert "batch seed-notes: removed" in lab.python(*MERGE, "--published", "ours", "gamma", "--no-repro").out
    assert orders(lab) == {"beta": 2, "alpha": 3}


def test_nothing_to_merge_changes_nothing(lab: Repository) -> None:
    to(lab, "beta")
    assert "already up to date" in lab.python(*MERGE, "main").out
    assert not lab.changes()

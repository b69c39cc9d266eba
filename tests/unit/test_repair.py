"""A DVC that died in mid-write: what it left is mended, and nothing that is whole is touched."""

from __future__ import annotations

import fcntl
import py_compile
from pathlib import Path

import pytest

from delivery.repair import BUSY, is_cut_off, main
from tests.repository import ROOT, Repository, introduce

LOCK = (ROOT / "dvc.lock").read_text(encoding="utf-8")


@pytest.fixture
def ward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A repository with a lock of which git knows, and a newer one beside it; nothing is busy."""
    root = tmp_path / "ward"
    (root / BUSY).parent.mkdir(parents=True)
    (root / BUSY).write_text("{}", encoding="utf-8")
    (root / "dvc.lock").write_text(LOCK, encoding="utf-8")
    repository = Repository(root)
    repository.git("init", "--quiet", "--initial-branch", "main")
    introduce(repository)
    repository.git("add", "dvc.lock")
    repository.git("commit", "--quiet", "--message", "A lock")
    (root / "dvc.lock").write_text(LOCK + "# newer\n", encoding="utf-8")
    monkeypatch.chdir(root)
    return repository


@pytest.mark.parametrize("length", [0, 1, 20, 4096, 8192, len(LOCK) - 1])
def test_a_beginning_is_told_from_the_whole(length: int) -> None:
    assert is_cut_off(LOCK[:length])
    assert not is_cut_off(LOCK)


def test_what_is_whole_is_left_alone(ward: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert ward.text("dvc.lock") == LOCK + "# newer\n"
    assert ward.text(str(BUSY)) == "{}"
    assert capsys.readouterr().out == ""


def test_a_lock_that_is_cut_off_is_put_back(ward: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    (ward.root / "dvc.lock").write_text(LOCK[:4096], encoding="utf-8")
    assert main([]) == 0
    assert ward.text("dvc.lock") == LOCK
    assert "put back as git has it" in capsys.readouterr().out


def test_a_lock_that_git_does_not_know_is_removed(ward: Repository) -> None:
    ward.git("rm", "--quiet", "--cached", "dvc.lock")
    (ward.root / "dvc.lock").write_text("", encoding="utf-8")
    assert main([]) == 0
    assert not (ward.root / "dvc.lock").exists()


def test_a_conflict_is_left_to_a_person(ward: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    ward.commit("Mine")
    ward.git("switch", "--quiet", "--create", "theirs", "HEAD~1")
    (ward.root / "dvc.lock").write_text(LOCK + "# theirs\n", encoding="utf-8")
    ward.commit("Theirs")
    ward.run("git", "merge", "main", fails=True)
    conflict = ward.text("dvc.lock")
    assert main([]) == 2
    assert "python -m delivery.merge" in capsys.readouterr().err
    assert ward.text("dvc.lock") == conflict


def test_the_list_of_what_is_busy_is_removed_when_it_is_cut_off(ward: Repository) -> None:
    (ward.root / BUSY).write_text('{"read": {"data/ann', encoding="utf-8")
    assert main([]) == 0
    assert not (ward.root / BUSY).exists()


def test_a_list_that_is_being_written_is_left_to_its_writer(
    ward: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    (ward.root / BUSY).write_text("", encoding="utf-8")
    with (ward.root / BUSY).with_name("rwlock.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert main([]) == 2
    assert "busy" in capsys.readouterr().err
    assert (ward.root / BUSY).exists()


def test_bytecode_that_is_cut_off_is_removed(ward: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    room = ward.root / "stages"
    room.mkdir()
    for name in ("whole", "cut"):
        (room / f"{name}.py").write_text("TOO = ('short', 'to', 'be', 'whole')\n", encoding="utf-8")
        py_compile.compile(str(room / f"{name}.py"), doraise=True)
    whole, cut = (next((room / "__pycache__").glob(f"{name}.*")) for name in ("whole", "cut"))
    cut.write_bytes(cut.read_bytes()[:-20])
    assert main([]) == 0
    assert whole.exists()
    assert not cut.exists()
    assert "was cut off" in capsys.readouterr().out

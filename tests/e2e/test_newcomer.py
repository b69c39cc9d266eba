"""A fresh clone on a machine that knows nothing of the project, and has no network."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.repository import ROOT, Repository, clone, copy, lend_environment, object_faults

TOOLS = ("bash", "env", "make", "awk", "git", "touch", "wc", "ls", "sed")
BROKEN = {
    "too old": "exit 1",  # what the version check of find-python makes of any other version
    "not startable": "echo 'error while loading shared libraries' >&2; exit 127",
    "a stub that prints": "echo 3.11; exit 1",
}


@pytest.fixture
def newcomer(source: Repository, tmp_path: Path) -> Repository:
    """A clone at a path with a space in it; nothing fetched."""
    repository = clone(source, tmp_path / "my projects" / "behealthy")
    lend_environment(repository)
    return repository


# ---- make help ------------------------------------------------------------------------------------


def test_help_lists_every_target(source: Repository) -> None:
    makefile = source.text("Makefile")
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", makefile, re.MULTILINE))
    listed = re.findall(r"^  make (\S+)\s+(\S.*)$", source.run("make", "help").out, re.MULTILINE)
    assert {target for target, _ in listed} == targets
    assert len(listed) == len(targets)
    assert set(re.findall(r"^\.PHONY: (\S+)$", makefile, re.MULTILINE)) == targets


def test_help_is_what_plain_make_prints(source: Repository) -> None:
    assert source.run("make").out == source.run("make", "help").out


# ---- Python 3.11 ----------------------------------------------------------------------------------


def tools(folder: Path) -> Path:
    """Return a folder with the tools of the Makefile and no Python, to be the whole PATH."""
    folder.mkdir()
    for name in TOOLS:
        path = shutil.which(name)
        assert path, name
        (folder / name).symlink_to(path)
    return folder


def stub(path: Path, body: str) -> None:
    path.write_text(f"#!/usr/bin/env bash\n{body}\n", encoding="utf-8")
    path.chmod(0o755)


@pytest.mark.parametrize("body", [None, *BROKEN.values()], ids=["absent", *BROKEN])
def test_without_python_one_sentence_says_what_to_do(source: Repository, tmp_path: Path, body: str | None) -> None:
    path = tools(tmp_path / "bin")
    for name in ("python3.11", "python3", "python") if body else ():
        stub(path / name, body or "")
    result = source.settings(PATH=str(path)).run(".ci/find-python", fails=True)
    assert not result.out
    assert result.err.count("\n") == 1
    for word in ("Python 3.11", "apt-get install python3.11", "PYTHON="):
        assert word in result.err


def test_make_without_python_stops_before_it_builds_anything(source: Repository, tmp_path: Path) -> None:
    repository = clone(source, tmp_path / "clone").settings(PATH=str(tools(tmp_path / "bin")))
    result = repository.run("make", "data", fails=True)
    assert result.err.startswith("Python 3.11 is needed")
    assert not (repository.root / ".venv").exists()


def test_a_working_python_is_found_behind_a_broken_one(source: Repository, tmp_path: Path) -> None:
    path = tools(tmp_path / "bin")
    stub(path / "python3.11", "exit 127")
    (path / "python3").symlink_to(sys.executable)
    repository = source.settings(PATH=str(path))
    assert repository.run(".ci/find-python").out == f"{path}/python3\n"
    assert repository.settings(PYTHON=sys.executable).run(".ci/find-python").out == f"{sys.executable}\n"


# ---- the data -------------------------------------------------------------------------------------


def test_make_data_works_offline(newcomer: Repository) -> None:
    output = newcomer.run("make", "data", timeout=60).out
    notes = (ROOT / "data/incoming/notes.jsonl").read_bytes()
    lines = len(notes.splitlines())
    assert re.search(rf"\b1 annotation batch(es)?, {lines} incoming notes", output)
    assert (newcomer.root / "data/incoming/notes.jsonl").read_bytes() == notes
    assert not object_faults(newcomer.root / ".dvc" / "cache")
    assert not newcomer.changes()


def test_make_data_twice_changes_nothing(newcomer: Repository) -> None:
    first = newcomer.run("make", "data").out
    assert newcomer.run("make", "data").out == first


@pytest.mark.parametrize("suffix", ["", ".dir"], ids=["file", "directory listing"])
def test_a_damaged_bundled_object_is_noticed_and_not_checked_out(newcomer: Repository, suffix: str) -> None:
    objects = [path for path in (newcomer.root / "data/bundled/files/md5").rglob("*") if path.is_file()]
    damaged = max((path for path in objects if path.suffix == suffix), key=lambda path: path.stat().st_size)
    content = bytearray(damaged.read_bytes())
    place = content.index(b"the") if not suffix else content.index(b"relpath") + 12
    content[place] ^= 1
    damaged.chmod(0o644)
    damaged.write_bytes(content)
    newcomer.run("make", "data", timeout=60, fails=True)
    assert not list((newcomer.root / "data" / "annotations").rglob("*.jsonl"))
    if (newcomer.root / ".dvc" / "cache" / "files").exists():
        assert not object_faults(newcomer.root / ".dvc" / "cache")


def test_the_bundled_objects_have_their_hashes_and_hold_only_the_seed(source: Repository) -> None:
    assert not object_faults(source.root / "data" / "bundled")
    assert sum(path.stat().st_size for path in (source.root / "data" / "bundled").rglob("*")) < 5_000_000


# ---- the rest of the loop -------------------------------------------------------------------------


def test_make_repro_ends_with_the_metrics(light: Repository, tmp_path: Path) -> None:
    repository = copy(light, tmp_path / "light")
    lend_environment(repository)
    shutil.rmtree(repository.root / "reports", ignore_errors=True)  # as where the results came with git and DVC
    output = repository.run("make", "repro").out
    for page in ("data_docs/index", "errors", "drift"):
        assert (repository.root / f"reports/{page}.html").is_file()
    assert "Data and pipelines are up to date." in output
    assert f"{light.f1():.4f}" in output.split("up to date.")[1], "make metrics prints nothing"
    assert not repository.changes()


def test_an_environment_that_is_up_to_date_is_left_alone(newcomer: Repository) -> None:
    assert "installing" not in newcomer.run("make", "env").text

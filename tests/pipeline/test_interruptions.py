"""`dvc repro` in place, killed, cancelled or out of disk in every stage: run again, it gives the same bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from delivery.revision.storage_faults import explain
from tests.faults import processes_in, resize, small_disk, started, used
from tests.repository import LIGHT, Repository, clone, copy, lend_environment, object_faults

pytestmark = pytest.mark.slow

STAGES = ("prepare", "validate", "featurize", "train", "evaluate", "monitor")
FOLDERS = ("data/prepared", "data/features", "models", "predictions", "plots", "data/serving")
LARGE, LITTLE = 200_000_000, 200_000
"""Bytes of a disk on which everything has room, and of the room that is left on one which is nearly full."""

WATCHED = """
import sys
from pathlib import Path
from delivery.repair import mend
from delivery.revision.processes import run_shown
mend()
sys.exit(run_shown(("dvc", "repro", sys.argv[1]), Path())[0])
"""
"""What `delivery.reproduce` does, up to one stage."""

GRACE = 7.5
"""Seconds from a job's SIGINT to its end, when somebody presses "Cancel" on GitHub."""


@pytest.fixture(scope="module")
def before(source: Repository, workshop: Path) -> Repository:
    """A clone in which no stage has ever run, so that none is skipped."""
    repository = clone(source, workshop / "before")
    repository.fetch_seed()
    repository.set_params(*LIGHT, "train.acceptance.models=[]")
    repository.git("rm", "--quiet", "dvc.lock", "metrics/*")
    repository.commit("Nothing was ever run")
    return repository


@pytest.fixture(scope="module")
def unharmed(before: Repository, workshop: Path) -> Repository:
    repository = copy(before, workshop / "unharmed")
    repository.dvc("repro", timeout=900)
    return repository


def objects(repository: Repository) -> set[str]:
    """Name what the cache holds, unfinished copies included."""
    folder = repository.root / ".dvc/cache/files/md5"
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def whole(repository: Repository) -> set[str]:
    return {name for name in objects(repository) if not Path(name).name.startswith(".")}


def outputs(repository: Repository) -> dict[str, bytes]:
    paths = [path for folder in FOLDERS for path in (repository.root / folder).rglob("*") if path.is_file()]
    return {str(path.relative_to(repository.root)): path.read_bytes() for path in paths}


def assert_same(repository: Repository, unharmed: Repository) -> None:
    assert repository.results() == unharmed.results()
    assert outputs(repository) == outputs(unharmed)
    assert whole(repository) == whole(unharmed)
    assert not object_faults(repository.root / ".dvc/cache")
    assert "Data and pipelines are up to date." in repository.dvc("repro").out


# ---- the moments of a stage -----------------------------------------------------------------------


class Reproduction:
    """A running `dvc repro`, and how far it is."""

    def __init__(self, repository: Repository, log: Path) -> None:
        self.repository, self.log = repository, log
        self.at_start = self.kept()
        self.process = started(repository, "dvc", "repro", log=log)

    def wait(self, stage: str, moment: Callable[[Reproduction, str], bool]) -> None:
        limit = time.monotonic() + 300
        while f"> python -m stages.{stage}" not in self.said() or not moment(self, stage):
            assert self.process.poll() is None, f"it ended before: {self.said()}"
            assert time.monotonic() < limit, f"never came: {self.said()}"
            time.sleep(0.001)

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def signal(self, number: int) -> None:
        os.killpg(self.process.pid, number)

    def kept(self) -> object:
        """What DVC has saved: it changes when a stage has ended and its outputs go into the cache."""
        lock = self.repository.root / "dvc.lock"
        return objects(self.repository), lock.stat().st_mtime_ns if lock.exists() else None


def computing(run: Reproduction, stage: str) -> bool:
    time.sleep(1.5)  # most of a stage is imports and arithmetic
    return True


def writing(run: Reproduction, stage: str) -> bool:
    """Tell whether one of its outputs is there; DVC removed them before it began."""
    about = run.repository.yaml("dvc.yaml")["stages"][stage]
    outs = [
        next(iter(out)) if isinstance(out, dict) else out for out in about.get("outs", []) + about.get("metrics", [])
    ]
    found = [run.repository.root / out for out in outs]
    return any(path.is_file() or (path.is_dir() and any(path.iterdir())) for path in found)


def saving(run: Reproduction, stage: str) -> bool:
    return run.kept() != run.at_start


# ---- a process that dies --------------------------------------------------------------------------


def test_killed_in_every_stage(before: Repository, unharmed: Repository, workshop: Path, tmp_path: Path) -> None:
    repository = copy(before, workshop / "killed")
    for stage in STAGES:
        for moment in (computing, writing, saving):
            run = Reproduction(repository, tmp_path / "log")
            run.wait(stage, moment)
            run.signal(signal.SIGKILL)
            run.process.wait(30)
            assert not object_faults(repository.root / ".dvc/cache"), (stage, moment)
    repository.dvc("repro", timeout=900)
    assert_same(repository, unharmed)


def test_cancelled_in_every_stage(before: Repository, unharmed: Repository, workshop: Path, tmp_path: Path) -> None:
    repository = copy(before, workshop / "cancelled")
    for stage in STAGES:
        run = Reproduction(repository, tmp_path / "log")
        run.wait(stage, computing)
        run.signal(signal.SIGINT)
        try:
            run.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            run.signal(signal.SIGKILL)
            run.process.wait(30)
        assert run.process.returncode
        assert f"failed to reproduce '{stage}'" in run.said()
        assert not processes_in(repository.root)
        assert not object_faults(repository.root / ".dvc/cache")
    repository.dvc("repro", timeout=900)
    assert_same(repository, unharmed)


# ---- a full disk ----------------------------------------------------------------------------------


def test_the_disk_is_full_in_every_stage(before: Repository, unharmed: Repository, tmp_path: Path) -> None:
    """As the workflows run it: where DVC alone would wait for room, silently and for ever, the cause is told."""
    disk, log = tmp_path / "disk", tmp_path / "log"
    with small_disk(disk, LARGE):
        repository = copy(before, disk / "repository").settings(TMPDIR=str(disk))
        for stage in STAGES:
            room, reached = LITTLE, False
            while True:
                resize(disk, used(disk) + room)
                status = started(repository, "python", "-c", WATCHED, stage, log=log).wait(600)
                said = log.read_text(encoding="utf-8")
                if status == 0:
                    break
                assert "the disk is full" in (explain(said) or ""), said
                assert not object_faults(repository.root / ".dvc/cache")
                reached = reached or f"Running stage '{stage}'" in said
                room *= 3
            assert reached, f"no run was out of disk in {stage}"
        resize(disk, LARGE)
        assert_same(repository, unharmed)


# ---- files that DVC itself left half-written -----------------------------------------------------


def test_make_repro_goes_on_where_dvc_cannot(unharmed: Repository, tmp_path: Path) -> None:
    repository = copy(unharmed, tmp_path / "cut-off")
    lend_environment(repository)
    repository.git("add", "dvc.lock", "metrics")
    lock = repository.root / "dvc.lock"
    lock.write_bytes(lock.read_bytes()[:8192])
    (repository.root / ".dvc/tmp/rwlock").write_text("", encoding="utf-8")
    repository.dvc("repro", fails=True)
    said = repository.run("make", "repro").out
    assert "dvc.lock was cut off" in said
    assert "rwlock was cut off" in said
    assert_same(repository, unharmed)

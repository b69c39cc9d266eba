"""One process of this machine at a time: who waits is told why, and who dies lets go."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from stages.common.locks import locked
from tests.repository import ROOT, Repository

HOLDS = """
import sys, time
from pathlib import Path
from stages.common.locks import locked
with locked(Path(sys.argv[1]), "holding"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(tmp_path / "batches")], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    return process


def test_who_waits_is_told_why_and_goes_on_when_the_holder_dies(
    holder: subprocess.Popen[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    threading.Timer(1, holder.send_signal, (signal.SIGKILL,)).start()
    with locked(tmp_path / "batches", "adding a batch"):
        assert holder.wait(timeout=10) == -signal.SIGKILL
    assert capsys.readouterr().err == "waiting: another process is adding a batch\n"


def test_two_names_of_a_folder_are_one_lock(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    (tmp_path / "batches").mkdir()
    (tmp_path / "link").symlink_to("batches")
    entered = threading.Event()

    def enter() -> None:
        with locked(tmp_path / "link", "adding a batch"):
            entered.set()

    thread = threading.Thread(target=enter)
    thread.start()
    assert not entered.wait(timeout=0.5)
    holder.kill()
    thread.join(timeout=10)
    assert entered.is_set()


def test_no_lock_shows_in_git_or_in_what_dvc_hashes(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    repository.git("init", "--quiet")
    (repository.root / ".gitignore").write_bytes((ROOT / ".gitignore").read_bytes())
    folder = repository.root / "data/annotations"
    folder.mkdir(parents=True)
    for path in (folder, repository.root / "mlflow.db", repository.root / ".git/behealthy"):
        with locked(path, "working"):
            pass
    assert not list(folder.iterdir())
    assert repository.git("status", "--porcelain", "--untracked-files=all").strip() == "?? .gitignore"

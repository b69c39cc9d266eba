"""A command is shown, and does not outlive who started it, nor a full disk."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import namedtuple
from pathlib import Path

import psutil
import pytest

from delivery.revision import processes
from stages.common.command import run_command

WAITS = "import subprocess, sys, time; print('begun', flush=True); subprocess.run(['sleep', '600'])"


def gone(folder: Path) -> bool:
    return not [one for one in psutil.process_iter(["cwd"]) if one.info["cwd"] == str(folder)]


def test_what_it_prints_is_shown_and_returned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = (sys.executable, "-c", "import sys; print('one'); print('two', file=sys.stderr); sys.exit(3)")
    status, lines = processes.run_shown(command, tmp_path)
    assert status == 3
    assert sorted(lines) == ["one\n", "two\n"]
    assert sorted(capsys.readouterr().out.split()) == ["one", "two"]


def test_a_signal_that_ended_it_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = (sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGBUS)")
    status, lines = processes.run_shown(command, tmp_path)
    assert status == -signal.SIGBUS
    assert lines == ["ERROR: the command was ended by SIGBUS\n"]
    assert capsys.readouterr().out == lines[0]


def test_on_a_full_disk_it_is_ended_with_all_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "PATIENCE", 2)
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(processes.shutil, "disk_usage", lambda folder: usage(100))
    status, lines = processes.run_shown((sys.executable, "-c", WAITS), tmp_path)
    assert status == -signal.SIGKILL
    assert lines[0] == "begun\n"
    assert "the disk is full" in lines[1]
    assert gone(tmp_path)


def test_an_interrupt_ends_it_with_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    threading.Timer(2, os.kill, (os.getpid(), signal.SIGINT)).start()
    status = run_command("reproduce", lambda: processes.run_shown((sys.executable, "-c", WAITS), tmp_path)[0])
    assert status == 130
    assert "run the same command again" in capsys.readouterr().err
    limit = time.monotonic() + 10
    while not gone(tmp_path) and time.monotonic() < limit:
        time.sleep(0.1)
    assert gone(tmp_path)

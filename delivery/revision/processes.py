"""A long command that this room starts: shown while it runs, and ended with all it started."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

LEAST, PATIENCE = 1 << 20, 20
"""A disk with fewer free bytes than this, for as many seconds, is full."""


def run_shown(command: Sequence[str], root: Path) -> tuple[int, list[str]]:
    """Run a command, show what it prints while it does, and return its exit code and that.

    It does not outlive an interrupt of this process. On a full disk DVC's databases would wait for room, silently and
    for ever: then it is ended. The last line says so, and of any signal that ended it.
    """
    lines = []
    with subprocess.Popen(
        command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        watch = _DiskWatch(process.pid, root)
        try:
            for line in process.stdout:
                print(line, end="", flush=True)
                lines.append(line)
        except BaseException:
            end(process.pid)
            raise
        finally:
            watch.stop()
    if process.returncode < 0 and not watch.said:
        watch.say(f"ERROR: the command was ended by {signal.Signals(-process.returncode).name}\n")
    return process.returncode, [*lines, *watch.said]


def end(pid: int) -> None:
    """Kill a process and all that it started."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for running in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                running.kill()


class _DiskWatch:
    """Looks every second at the room that is left, and ends a command that goes on without any."""

    def __init__(self, pid: int, root: Path) -> None:
        self.said: list[str] = []
        self._pid, self._folders = pid, (root, Path(tempfile.gettempdir()))
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def say(self, line: str) -> None:
        """Show a line as one of the command's."""
        self.said.append(line)
        print(line, end="", flush=True)

    def _watch(self) -> None:
        full = 0
        while full < PATIENCE:
            if self._stopped.wait(1):
                return
            free = min(shutil.disk_usage(folder).free for folder in self._folders)
            full = full + 1 if free < LEAST else 0
        self.say("ERROR: the disk is full, and the command waited for room: it was ended\n")
        end(self._pid)

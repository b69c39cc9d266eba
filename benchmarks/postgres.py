"""A new PostgreSQL of this benchmark's own: a folder, a socket in it, no port; gone with the block."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.environment import ROOT
from stages.common.errors import BeHealthyError

_UNPRIVILEGED = "nobody"
"""Whose it is where this process is root, which initdb refuses."""
_PATIENCE = 60.0


@contextmanager
def postgres() -> Iterator[tuple[str, int]]:
    """Run PostgreSQL as it comes; yield the address of its database and the number of its first process.

    Raises
    ------
    BeHealthyError
        When there is none on this machine, or it does not start.
    """
    command = [str(ROOT / ".ci/find-postgres")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (our own command)
    if found.returncode:
        raise BeHealthyError(found.stderr.strip())
    programs = Path(found.stdout.strip())
    folder = Path(tempfile.mkdtemp(prefix="behealthy-postgres-"))
    user = _UNPRIVILEGED if os.geteuid() == 0 else None
    try:
        if user:
            shutil.chown(folder, user)
        process = _start(programs, folder, user)
        try:
            _wait(folder, process)
            yield f"postgresql://behealthy@/postgres?host={folder}", process.pid
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(_PATIENCE)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(programs: Path, folder: Path, user: str | None) -> subprocess.Popen[bytes]:
    make = "initdb --username=behealthy --auth=trust --encoding=UTF8 --no-locale --no-instructions".split()
    command = [str(programs / make[0]), *make[1:], str(folder / "data")]
    subprocess.run(command, cwd=folder, user=user, capture_output=True, check=True)  # noqa: S603 (our own commands)
    settings = ("listen_addresses=", f"unix_socket_directories={folder}")
    command = [str(programs / "postgres"), "-D", str(folder / "data")]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(  # noqa: S603 (our own commands)
            [*command, *(word for setting in settings for word in ("-c", setting))],
            cwd=folder,
            user=user,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _wait(folder: Path, process: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + _PATIENCE
    while time.monotonic() < limit and process.poll() is None:
        status = folder / "data" / "postmaster.pid"
        if status.is_file() and "ready" in status.read_text(encoding="utf-8", errors="replace"):
            return
        time.sleep(0.05)
    raise BeHealthyError("PostgreSQL does not start on this machine")

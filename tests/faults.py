"""What goes wrong on a machine: processes that die, disks that are full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from tests.repository import Repository, environment


def started(repository: Repository, *command: str, log: Path | None = None) -> subprocess.Popen[str]:
    """Start a command in a process group of its own; what it prints goes to a file or into a pipe."""
    with log.open("w", encoding="utf-8") if log else nullcontext(subprocess.PIPE) as output:
        return subprocess.Popen(
            command,
            cwd=repository.root,
            env={**environment(repository.root), **repository.environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )


def processes_in(folder: Path) -> list[int]:
    """Return the processes that work in a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if (entry / "cwd").readlink() == folder:
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    """Mount a disk of that many bytes, where this user may."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here: it takes root")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def resize(disk: Path, size: int) -> None:
    """Give a small disk another size, in bytes."""
    subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)


def used(disk: Path) -> int:
    """Return the bytes in use on the disk that holds a folder."""
    about = os.statvfs(disk)
    return (about.f_blocks - about.f_bfree) * about.f_frsize

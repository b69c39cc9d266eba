"""One process of this machine at a time."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def locked(path: Path, activity: str) -> Iterator[None]:
    """Hold the lock of a file or folder for the block; a process that dies releases it.

    The lock is a hidden file beside `path`, not in it: DVC hashes what lies in its folders. It stays when the lock is
    released, for removing it would let two in at once; `.gitignore` keeps it out of git.

    Parameters
    ----------
    path : Path
        Need not be there, but the folder that holds it must.
    activity : str
        What the holder is doing, to print when another process has to wait for it.
    """
    resolved = path.resolve()
    lock = FileLock(resolved.with_name(f".{resolved.name}.lock"), thread_local=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        print(f"waiting: another process is {activity}", file=sys.stderr, flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()

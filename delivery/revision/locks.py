"""One process of this machine at a time."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(folder: Path, reason: str) -> Iterator[None]:
    """Hold the lock of a folder; a process that dies releases it, and no lock file stays.

    Parameters
    ----------
    folder : Path
        Must be there.
    reason : str
        What another process is doing, to print when this one has to wait for it.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting: another process is {reason}", file=sys.stderr, flush=True)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)

"""Rows of the serving log that are in no part yet, on this machine's disk: what a kill leaves, the next start writes.

A journal is a file that a living process holds a lock on; the system takes the lock away with the process. It has the
rows of one part, one on a line, and the part is named after it: what was written before the journal could be removed
is recognised by its name, and no row comes twice.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Self
from uuid import uuid4

from production.database.engine import ensure_private

MOST_BYTES = 64_000_000
"""Of all journals of a folder: where parts cannot be written for so long, no more is kept."""


class Row(NamedTuple):
    """A row of the serving log that no database has."""

    log_id: int
    served_at: datetime
    model_version: str
    probability: float
    row: dict[str, Any]


class Journal:
    """A file of rows that this process holds.

    Parameters
    ----------
    path : Path
    descriptor : int
        Of the file, open and locked.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path, self._descriptor = path, descriptor
        self.rows = 0
        self._synced = 0

    @property
    def name(self) -> str:
        """Nobody else's; that of its part."""
        return self._path.stem

    @classmethod
    def begin(cls, folder: Path) -> Self:
        """Make a new one."""
        while True:
            path = folder / f"{uuid4().hex}.jsonl"
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            journal = cls(path, os.open(path, flags, 0o600))
            if journal._is_ours():
                return journal
            journal.leave()

    @classmethod
    def take(cls, path: Path) -> Self | None:
        """Take what a process left; None where one that lives has it, or it is gone."""
        with suppress(FileNotFoundError):
            journal = cls(path, os.open(path, os.O_RDONLY | os.O_CLOEXEC))
            if journal._is_ours():
                return journal
            journal.leave()
        return None

    def _is_ours(self) -> bool:
        """Lock it; somebody else may have been first, and removed it since."""
        with suppress(BlockingIOError):
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return os.fstat(self._descriptor).st_nlink > 0
        return False

    def append(self, row: Row) -> None:
        """Write a row: a kill of the process cannot lose it any more, a machine that stops can until `sync`."""
        values = [row.log_id, row.served_at.isoformat(), *row[2:]]
        line = json.dumps(values).encode() + b"\n"
        if os.write(self._descriptor, line) < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.rows += 1

    def sync(self) -> None:
        """Let it be on the disk."""
        if self._synced < self.rows:
            os.fsync(self._descriptor)
            self._synced = self.rows

    def read(self) -> list[Row]:
        """Return the rows that are whole."""
        rows = []
        for line in self._path.read_bytes().splitlines(keepends=True):
            try:
                number, served_at, *rest = json.loads(line) if line.endswith(b"\n") else []
                rows.append(Row(number, datetime.fromisoformat(served_at), *rest))
            except (ValueError, TypeError):  # the machine, or the process, stopped in the middle of it
                break
        return rows

    def leave(self) -> None:
        """Let others take it."""
        os.close(self._descriptor)

    def remove(self) -> None:
        """Remove it: its rows are in parts."""
        self._path.unlink(missing_ok=True)
        self.leave()


class Journals:
    """A folder of journals that only its owner can enter; it is made with the first.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def paths(self) -> list[Path]:
        """Return all that are there, whoever has them."""
        return sorted(self._folder.glob("*.jsonl"))

    def begin(self) -> Journal:
        """Begin a journal.

        Raises
        ------
        OSError
            Also when they are `MOST_BYTES` already.
        """
        ensure_private(self._folder)
        if sum(map(_size, self.paths())) >= MOST_BYTES:
            raise OSError(errno.EDQUOT, "there are too many rows that wait")
        return Journal.begin(self._folder)

    def left(self) -> Iterator[Journal]:
        """Yield what no living process has, one at a time; whoever gets it removes or leaves it."""
        for path in self.paths():
            if journal := Journal.take(path):
                yield journal


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # its rows are in parts by now
        return 0

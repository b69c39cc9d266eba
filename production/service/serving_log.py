"""What the service has served, as rows of the serving log: a folder that `python -m stages.monitor --log` judges.

A request only hands over its notes. A thread of its own describes them, and writes many at a time. Until then their
rows are in a journal (`production.service.journals`), where a kill leaves them for the next start, and a part that
cannot be written for the next attempt. What the thread cannot keep up with, or what neither can be written, is lost
and counted: the log is a sample, and no note waits for it.
"""

from __future__ import annotations

import hashlib
import itertools
import queue
import secrets
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from random import SystemRandom
from typing import Any, NamedTuple
from uuid import uuid4

from production.inference.host import Found, NoteFailedError
from production.inference.load_model import Model
from production.log.folder import LogFolder
from production.log.rows import alike, month_of, table_of
from production.service.journals import Journal, Journals, Row
from production.service.pool import NotAskedError
from stages.common.command import place_of
from stages.common.documents import Document
from stages.common.pseudonyms import pseudonym
from stages.monitor.serving import quarantined_row, serving_row

ROWS = 5_000
"""Rows after which a part is written."""

SECONDS = 300.0
"""Seconds after which it is written though it has fewer."""

WAITING = 20_000_000
"""Characters of notes that may wait to be described; what comes then is lost."""

_NOTES = 20_000  # that may wait
_SYNCING = 2.0  # seconds after which a journal is on the disk, also if the machine stops
_ENDING = 20.0  # seconds for the rest, when the service ends
_LEAP = 2**31  # rows of one service that have numbers of their own


class _Note(NamedTuple):
    served_at: datetime
    version: str
    labels: tuple[str, ...]
    text: str
    metadata: Mapping[str, str]
    found: Found | None  # None where it failed


class ServingLog:
    """Writes what was served.

    Parameters
    ----------
    folder : LogFolder
    key : str
        Of the names of notes; see `stages.common.pseudonyms.KEY`.
    rate : float
        Probability with which a note is logged; 0 logs none.
    count : callable
        Told how many rows were written, and with ``lost=True`` how many were not.
    journals : Journals, optional
        Where rows are until they are written; only in memory without it.
    failing : callable
        Told why the last attempt to write came to nothing, and None where it did not.
    rows, seconds : number
        After which a part is written.
    """

    def __init__(
        self,
        folder: LogFolder,
        key: str,
        rate: float,
        count: Callable[..., None],
        journals: Journals | None = None,
        failing: Callable[[str | None], None] = lambda _: None,
        *,
        rows: int = ROWS,
        seconds: float = SECONDS,
    ) -> None:
        self._folder, self._key, self._rate, self._count = folder, key, rate, count
        self._most, self._seconds = rows, seconds
        self._draw = SystemRandom().random
        # Below zero, where no database numbers; two services share a number once in two thousand million pairs.
        self._numbers = itertools.count(-_LEAP * (1 + secrets.randbelow(_LEAP)))
        self._waiting: queue.Queue[_Note | None] = queue.Queue(_NOTES)
        self._characters, self._lock = 0, threading.Lock()
        self._rows: list[Row] = []
        self._due = self._unsynced = float("inf")
        self._journals, self._failing = journals, failing
        self._journal: Journal | None = None
        self._kept: dict[str, int] = {}  # rows of journals whose part could not be written
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many rows are not written yet."""
        return self._waiting.qsize() + len(self._rows) + sum(list(self._kept.values()))

    def take(
        self,
        model: Model,
        labels: Sequence[str],
        notes: Sequence[str],
        answers: Sequence[Found | NoteFailedError],
        metadata: Sequence[Mapping[str, str]],
    ) -> None:
        """Note down what was answered, and what failed of itself as a note in quarantine; returns at once."""
        now = datetime.now(UTC)
        for text, answer, known in zip(notes, answers, metadata, strict=True):
            if not isinstance(answer, NotAskedError) and self._draw() < self._rate:
                found = answer if isinstance(answer, Found) else None
                self._hand_over(_Note(now, model.version, tuple(labels), text, known, found))

    def close(self) -> None:
        """Write what waits, if that can be done within seconds."""
        try:
            self._waiting.put(None, timeout=_ENDING)
            self._thread.join(_ENDING)
        except queue.Full:
            pass
        if self._thread.is_alive():
            kept = self._journal.rows if self._journal else 0
            self._lose(self._waiting.qsize() + max(len(self._rows) - kept, 0), "the disk does not answer")

    def _hand_over(self, note: _Note) -> None:
        with self._lock:
            fits = self._characters + len(note.text) <= WAITING
            self._characters += len(note.text) if fits else 0
        try:
            if not fits:
                raise queue.Full
            self._waiting.put_nowait(note)
        except queue.Full:
            if fits:
                self._give_back(note)
            self._count(1, lost=True)

    def _give_back(self, note: _Note) -> None:
        with self._lock:
            self._characters -= len(note.text)

    def _run(self) -> None:
        note: _Note | None
        ended = False
        self._take_up()
        while not ended:
            next_thing = min(self._due, self._unsynced) - time.monotonic()
            try:
                note = self._waiting.get(timeout=max(min(next_thing, self._seconds), 0))
            except queue.Empty:
                note = None
            else:
                ended = note is None
            if note is not None:
                self._describe(note)
            if time.monotonic() >= self._unsynced:
                self._sync()
            if ended or len(self._rows) >= self._most or time.monotonic() >= self._due:
                self._write()

    def _describe(self, note: _Note) -> None:
        try:
            self._keep(Row(next(self._numbers), note.served_at, note.version, self._rate, self._row_of(note)))
        except Exception as error:
            self._lose(1, place_of(error))
        finally:
            self._give_back(note)
        if len(self._rows) == 1:
            self._due = time.monotonic() + self._seconds

    def _row_of(self, note: _Note) -> dict[str, Any]:
        name, document = pseudonym(self._key, note.text), Document("", note.text, metadata=dict(note.metadata))
        if note.found is None:
            return quarantined_row(name, document, len(note.text), note.labels)
        return serving_row(name, document, note.found, note.labels)

    # ---- the journal ----

    def _keep(self, row: Row) -> None:
        """Have a row in memory, and in the journal; one that could not be written to takes no more."""
        self._rows.append(row)
        if self._journals is None or (self._journal.rows if self._journal else 0) < len(self._rows) - 1:
            return
        try:
            self._journal = self._journal or self._journals.begin()
            self._journal.append(row)
        except OSError as error:
            self._fail("rows of the serving log are in memory only", error)
        self._unsynced = min(self._unsynced, time.monotonic() + _SYNCING)

    def _sync(self) -> None:
        self._unsynced = float("inf")
        try:
            if self._journal:
                self._journal.sync()
        except OSError as error:
            self._fail("rows of the serving log may not be on the disk", error)

    def _take_up(self) -> None:
        """Write what is in journals that nobody has: of a process that was killed, or where writing failed."""
        if self._journals is None:
            return
        try:
            there = {path.stem for path in self._journals.paths()}  # another service may have written some
            self._kept = {name: rows for name, rows in self._kept.items() if name in there}
            for journal in self._journals.left():
                rows = journal.read()
                if self._add(journal.name, rows):
                    self._kept[journal.name] = len(rows)
                    journal.leave()
                    break
                self._kept.pop(journal.name, None)
                journal.remove()
        except OSError as error:
            self._fail("journals of the serving log cannot be read", error)

    # ---- the parts ----

    def _write(self) -> None:
        """Write the rows as parts; those that cannot be stay in the journal, or are lost if they are in none."""
        rows, journal = self._rows, self._journal
        failed = self._add(journal.name if journal else uuid4().hex, rows)
        kept = {row.log_id for row in rows[: journal.rows]} if journal else set()
        if lost := [row for row in failed if row.log_id not in kept]:
            self._lose(len(lost), "neither as a part nor in a journal could they be written")
        if journal and len(failed) > len(lost):
            self._kept[journal.name] = len(failed) - len(lost)
            journal.leave()
        elif journal:
            journal.remove()
        self._rows, self._journal = [], None
        self._unsynced = float("inf")
        if not failed:
            self._take_up()
        self._due = time.monotonic() + self._seconds if self._kept else float("inf")

    def _add(self, name: str, rows: Sequence[Row]) -> list[Row]:
        """Write rows as parts of this name, one for each month and set of columns; return those that could not be."""
        failed: list[Row] = []
        for group, members in itertools.groupby(sorted(rows, key=_group), _group):
            part = list(members)
            try:
                table = table_of(part)
            except Exception as error:  # nor would it be one at the next attempt
                self._lose(len(part), place_of(error))
                continue
            try:
                written = self._folder.add(month_of(part[0]), table, f"{name}-{_digest(group)}")
            except Exception as error:  # of a disk, of S3, of a driver: no request may suffer from it
                self._fail("rows of the serving log cannot be written", error)
                failed += part
            else:
                self._count(len(part) if written else 0)
        if rows and not failed:
            self._failing(None)
        return failed

    def _fail(self, what: str, error: Exception) -> None:
        why = f"{place_of(error)}{_said(error)}"
        self._failing(why)
        print(f"serve: ALERT: {what}: {why}", file=sys.stderr, flush=True)

    def _lose(self, rows: int, why: str) -> None:
        self._count(rows, lost=True)
        print(f"serve: ALERT: rows of the serving log that are lost: {rows} ({why})", file=sys.stderr, flush=True)


def _group(row: Row) -> tuple[str, list[str]]:
    month, columns = alike(row)
    return month, sorted(columns)


def _digest(group: tuple[str, list[str]]) -> str:
    return hashlib.sha256("\n".join(group[1]).encode()).hexdigest()[:8]


def _said(error: Exception) -> str:
    return f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""

"""What the service has served, as rows of the serving log: a folder that `python -m stages.monitor --log` judges.

A request only hands over its notes. A thread of its own describes them, and writes many at a time. What it cannot
keep up with, or what cannot be written, is lost and counted: the log is a sample, and no note waits for it.
"""

from __future__ import annotations

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

from production.inference.host import Found, NoteFailedError
from production.inference.load_model import Model
from production.log.folder import LogFolder
from production.log.rows import alike, month_of, table_of
from stages.common.command import place_of
from stages.common.documents import Document
from stages.common.pseudonyms import pseudonym
from stages.monitor.serving import serving_row

ROWS = 5_000
"""Rows after which a part is written."""

SECONDS = 300.0
"""Seconds after which it is written though it has fewer."""

WAITING = 20_000_000
"""Characters of notes that may wait to be described; what comes then is lost."""

_NOTES = 20_000  # that may wait
_ENDING = 20.0  # seconds for the rest, when the service ends
_LEAP = 2**31  # rows of one service that have numbers of their own


class _Row(NamedTuple):
    log_id: int
    served_at: datetime
    model_version: str
    probability: float
    row: dict[str, Any]


class _Note(NamedTuple):
    served_at: datetime
    version: str
    labels: tuple[str, ...]
    text: str
    metadata: Mapping[str, str]
    found: Found


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
    rows, seconds : number
        After which a part is written.
    """

    def __init__(
        self,
        folder: LogFolder,
        key: str,
        rate: float,
        count: Callable[..., None],
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
        self._rows: list[_Row] = []
        self._due = float("inf")
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def take(
        self,
        model: Model,
        labels: Sequence[str],
        notes: Sequence[str],
        answers: Sequence[Found | NoteFailedError],
        metadata: Sequence[Mapping[str, str]],
    ) -> None:
        """Note down what was answered; returns at once."""
        now = datetime.now(UTC)
        for text, found, known in zip(notes, answers, metadata, strict=True):
            if isinstance(found, Found) and self._draw() < self._rate:
                self._hand_over(_Note(now, model.version, tuple(labels), text, known, found))

    def close(self) -> None:
        """Write what waits, if that can be done within seconds."""
        try:
            self._waiting.put(None, timeout=_ENDING)
            self._thread.join(_ENDING)
        except queue.Full:
            pass
        if self._thread.is_alive():
            self._tell(self._waiting.qsize() + len(self._rows), "the disk does not answer")

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
        while not ended:
            try:
                note = self._waiting.get(timeout=max(min(self._due - time.monotonic(), self._seconds), 0))
            except queue.Empty:
                note = None
            else:
                ended = note is None
            if note is not None:
                self._describe(note)
            if ended or len(self._rows) >= self._most or time.monotonic() >= self._due:
                self._write()

    def _describe(self, note: _Note) -> None:
        try:
            document = Document("", note.text, metadata=dict(note.metadata))
            row = serving_row(pseudonym(self._key, note.text), document, note.found, note.labels)
            self._rows.append(_Row(next(self._numbers), note.served_at, note.version, self._rate, row))
        except Exception as error:
            self._tell(1, place_of(error))
        finally:
            self._give_back(note)
        if len(self._rows) == 1:
            self._due = time.monotonic() + self._seconds

    def _write(self) -> None:
        rows, self._rows, self._due = self._rows, [], float("inf")
        for _, group in itertools.groupby(sorted(rows, key=_group), _group):
            part = list(group)
            try:
                self._folder.add(month_of(part[0]), table_of(part))
            except Exception as error:  # of a disk, of S3, of a driver: no request may suffer from it
                self._tell(len(part), f"{place_of(error)}{_said(error)}")
            else:
                self._count(len(part))

    def _tell(self, rows: int, why: str) -> None:
        self._count(rows, lost=True)
        print(f"serve: ALERT: rows of the serving log that are lost: {rows} ({why})", file=sys.stderr, flush=True)


def _group(row: _Row) -> tuple[str, list[str]]:
    month, columns = alike(row)
    return month, sorted(columns)


def _said(error: Exception) -> str:
    return f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""

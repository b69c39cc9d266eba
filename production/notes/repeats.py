"""Identifiers that a file has twice, with different texts: which of them is the note, nobody can tell."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import blake2b

from production.notes.records import Incoming, Place, Rejected


class Repeats:
    """Remembers which text an identifier had first, in a temporary file that is nobody else's and has no name.

    Memory does not grow with the file. What is kept are hashes under a key that ends with the process: those of a
    short note could be guessed otherwise.
    """

    def __init__(self, kept: sqlite3.Connection) -> None:
        self._kept, self._key = kept, secrets.token_bytes(16)
        kept.execute("CREATE TABLE first (name BLOB PRIMARY KEY, text BLOB, line INTEGER) WITHOUT ROWID")

    def checked(self, record: Incoming | Rejected, place: Place) -> Incoming | Rejected:
        """Return a record as it is, or rejected where its identifier stood in the file before, with another text."""
        if isinstance(record, Rejected):
            return record
        name, text = self._hash(record.source_id), self._hash(record.text)
        if self._kept.execute("INSERT OR IGNORE INTO first VALUES (?, ?, ?)", (name, text, place.line)).rowcount:
            return record
        first, line = self._kept.execute("SELECT text, line FROM first WHERE name = ?", (name,)).fetchone()
        if first == text:
            return record
        problem = f"its id stands in line {line}, too, with another text: give each note an id of its own"
        return Rejected(place, problem, record.source_id)

    def _hash(self, value: str) -> bytes:
        return blake2b(value.encode(), key=self._key, digest_size=16).digest()


@contextmanager
def repeats() -> Iterator[Repeats]:
    """Remember within the block."""
    with closing(sqlite3.connect("", isolation_level=None)) as kept:
        kept.execute("PRAGMA journal_mode=OFF")
        kept.execute("BEGIN")  # else each row would be a transaction
        yield Repeats(kept)

"""Which notes a worker takes, so that no two take the same, and a worker that dies keeps none.

PostgreSQL: the transaction that writes the results has the rows locked from before the model is asked; others skip
them, and a connection that ends frees them. SQLite locks no rows, and a transaction that writes keeps all others
from writing: a worker there locks a *block* of note numbers, a byte of a file beside the database, which the system
frees when the process ends; it writes within one short transaction after the model was asked. In both, what was
claimed is looked at again in the transaction that writes (`production.inference.writing`).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Engine, Select, and_, exists, func, select

from production.database.engine import file_of, reading, writing
from production.database.schema import NOTE_TEXTS, NOTES, QUARANTINE, RESULTS
from production.inference.encode_data import Encoded, Key, encode

BLOCK = 200
"""Note numbers that are locked together on SQLite."""
LONGEST = 1 << 30
"""Characters, which no text of either database has."""


@dataclass(frozen=True)
class Scope:
    """Which notes are looked for.

    Parameters
    ----------
    backfill : bool
        Not those that wait, but current texts without a result of the version.
    since : datetime, optional
        Those that arrived from then on.
    source : str, optional
        Those of one source.
    """

    backfill: bool = False
    since: datetime | None = None
    source: str | None = None

    def condition(self, version: str) -> ColumnElement[bool]:
        """Return what is true of a row of `notes` and `note_texts` that is to be looked at by a version."""
        conditions: list[Any] = [] if self.backfill else [NOTE_TEXTS.c.pending]
        if self.backfill:
            conditions = [
                NOTES.c.current_hash == NOTE_TEXTS.c.text_hash,
                ~exists().where(same_text(RESULTS), RESULTS.c.model_version == version, ~RESULTS.c.shadow),
                ~exists().where(same_text(QUARANTINE), QUARANTINE.c.model_version == version),
            ]
        if self.since is not None:
            conditions.append(NOTE_TEXTS.c.received_at >= self.since)
        if self.source is not None:
            conditions.append(NOTES.c.source == self.source)
        return and_(*conditions)

    def size(self, connection: Connection, version: str) -> tuple[int, int]:
        """Return how many texts there are to be looked at, and their characters."""
        query = select(func.count(), func.coalesce(func.sum(func.length(NOTE_TEXTS.c.text)), 0)).select_from(_TEXTS)
        texts, characters = connection.execute(query.where(self.condition(version))).one()
        return int(texts), int(characters)


WAITING = Scope()
"""What arrived and was not looked at yet."""


def same_text(table: Any) -> ColumnElement[bool]:
    """Return that a row of `table` is of the text of a row of `note_texts`."""
    return and_(table.c.note_id == NOTE_TEXTS.c.note_id, table.c.text_hash == NOTE_TEXTS.c.text_hash)


_TEXTS = NOTE_TEXTS.join(NOTES, NOTES.c.note_id == NOTE_TEXTS.c.note_id)


def _columns(longest: int) -> tuple[Any, ...]:
    """Return what is read of a note; of one that is too long, the rest stays where it is."""
    text = NOTE_TEXTS.c.text
    read = func.substr(text, 1, longest + 1).label("text")
    names = NOTE_TEXTS.c.note_id, NOTE_TEXTS.c.text_hash, NOTE_TEXTS.c.metadata, NOTES.c.source
    return *names, read, func.length(text).label("characters")


class Claim(NamedTuple):
    """Notes that nobody else takes meanwhile, and the transaction in which to write what was made of them."""

    notes: Sequence[Encoded]
    writing: Callable[[], AbstractContextManager[Connection]]


@contextmanager
def claimed(
    engine: Engine, condition: ColumnElement[bool], after: int, size: int, longest: int = LONGEST
) -> Iterator[Claim]:
    """Claim notes for the block.

    Parameters
    ----------
    engine : Engine
    condition : ColumnElement
        As a `Scope` returns it.
    after : int
        Numbers of notes from which on they are looked for.
    size : int
        How many at most.
    longest : int
        Characters of a note that are read, and one more: a batch of endless notes would fill the memory.
    """
    claim = _claimed_rows if engine.dialect.name == "postgresql" else _claimed_block
    with claim(engine, select(*_columns(longest)).select_from(_TEXTS).where(condition), after, size) as claimed_now:
        yield claimed_now


def _encoded(rows: Sequence[Any]) -> list[Encoded]:
    return [
        encode(Key(note_id, text_hash), source, text, metadata, characters)
        for note_id, text_hash, metadata, source, text, characters in rows  # as `_columns` has them
    ]


@contextmanager
def _claimed_rows(engine: Engine, texts: Select[Any], after: int, size: int) -> Iterator[Claim]:
    query = texts.where(NOTE_TEXTS.c.note_id >= after)
    query = query.order_by(NOTE_TEXTS.c.note_id, NOTE_TEXTS.c.text_hash).limit(size)
    with engine.begin() as connection:
        rows = connection.execute(query.with_for_update(of=NOTE_TEXTS, skip_locked=True)).all()

        @contextmanager
        def same() -> Iterator[Connection]:
            yield connection

        yield Claim(_encoded(rows), same)


@contextmanager
def _claimed_block(engine: Engine, texts: Select[Any], after: int, size: int) -> Iterator[Claim]:
    file = file_of(engine.url)
    assert file is not None
    descriptor = os.open(_locks(file), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        rows = _first_free(engine, descriptor, texts, after, size)
        yield Claim(_encoded(rows), lambda: writing(engine))
    finally:
        os.close(descriptor)  # releases the lock


def _locks(file: Path) -> Path:
    return file.with_name(f"{file.name}-claims")


def _first_free(engine: Engine, descriptor: int, texts: Select[Any], after: int, size: int) -> Sequence[Any]:
    """Lock the first block that has such notes and is nobody's; return its notes."""
    first = texts.with_only_columns(NOTE_TEXTS.c.note_id).order_by(NOTE_TEXTS.c.note_id).limit(1)
    while True:
        with reading(engine) as connection:
            found = connection.execute(first.where(NOTE_TEXTS.c.note_id >= after)).scalar()
        if found is None:
            return []
        block = found // BLOCK
        if _lock(descriptor, block):
            within = NOTE_TEXTS.c.note_id.between(max(block * BLOCK, after), block * BLOCK + BLOCK - 1)
            with reading(engine) as connection:
                query = texts.where(within).order_by(NOTE_TEXTS.c.note_id, NOTE_TEXTS.c.text_hash).limit(size)
                rows = connection.execute(query).all()
            if rows:
                return rows
            fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, block)  # another one did them just before
        after = block * BLOCK + BLOCK


def _lock(descriptor: int, block: int) -> bool:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, block)
    except OSError:
        return False
    return True


def sample(engine: Engine, condition: ColumnElement[bool], size: int) -> list[str]:
    """Return some texts of those that a condition is true of; the same each time."""
    query = select(NOTE_TEXTS.c.text).select_from(_TEXTS).where(condition)
    with reading(engine) as connection:
        return list(connection.execute(query.order_by(NOTE_TEXTS.c.text_hash).limit(size)).scalars())

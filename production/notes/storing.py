"""Notes into the database, a chunk in each transaction; the same notes again change nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection, Engine, and_, exists, insert, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from production.database.engine import writing
from production.database.schema import NOTE_TEXTS, NOTES, QUARANTINE, RESULTS
from production.notes.records import Incoming, Rejected

CHUNK_NOTES = 500
CHUNK_CHARACTERS = 4_000_000
READ = "read"

Kind = Literal["new", "changed", "known", "quarantined"]


def add(engine: Engine, records: Iterable[Incoming | Rejected], source: str) -> Counter[Kind]:
    """Store notes and quarantine what is none; return how many were new, changed, known and quarantined.

    Parameters
    ----------
    engine : Engine
    records : iterable of Incoming or Rejected
        Read as they are stored: memory holds one chunk.
    source : str
        Where they come from; with the identifier it tells a note from all others.
    """
    counts: Counter[Kind] = Counter()
    for chunk in _chunks(records):
        with writing(engine) as connection:
            counts.update(_store(connection, [one for one in chunk if isinstance(one, Incoming)], source))
            counts["quarantined"] += _reject(connection, [one for one in chunk if isinstance(one, Rejected)], source)
    return counts


def _chunks(records: Iterable[Incoming | Rejected]) -> Iterator[list[Incoming | Rejected]]:
    chunk: list[Incoming | Rejected] = []
    characters = 0
    for one in records:
        chunk.append(one)
        characters += len(one.text) if isinstance(one, Incoming) else 0
        if len(chunk) >= CHUNK_NOTES or characters >= CHUNK_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk


def _store(connection: Connection, notes: Sequence[Incoming], source: str) -> Iterator[Kind]:
    if not notes:
        return
    created = _create(connection, notes, source)
    current = {row.source_id: row for row in _locked(connection, notes, source)}
    hashes = {name: row.current_hash for name, row in current.items()}
    texts = _texts_of(connection, [row.note_id for row in current.values()])
    for note in notes:
        key = (current[note.source_id].note_id, note.text_hash)
        if key not in texts:
            texts.add(key)
            _insert_text(connection, key, note)
            yield "new" if note.source_id in created else "changed"
        elif hashes[note.source_id] != note.text_hash:
            _wake(connection, key)
            yield "changed"
        else:
            yield "known"
        created.discard(note.source_id)
        hashes[note.source_id] = note.text_hash
    changed = {name: text_hash for name, text_hash in hashes.items() if text_hash != current[name].current_hash}
    for name, text_hash in changed.items():
        connection.execute(update(NOTES).where(NOTES.c.note_id == current[name].note_id).values(current_hash=text_hash))


def _create(connection: Connection, notes: Sequence[Incoming], source: str) -> set[str]:
    """Insert the notes that are not there yet, also where another process inserts the same; return their names."""
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    first = {note.source_id: note for note in reversed(notes)}
    rows = [{"source": source, "source_id": name, "current_hash": first[name].text_hash} for name in sorted(first)]
    statement = dialect.insert(NOTES).values(rows).on_conflict_do_nothing().returning(NOTES.c.source_id)
    return set(connection.execute(statement).scalars())


def _locked(connection: Connection, notes: Sequence[Incoming], source: str) -> Sequence[Any]:
    names = {note.source_id for note in notes}
    query = select(NOTES.c.note_id, NOTES.c.source_id, NOTES.c.current_hash).where(
        NOTES.c.source == source, NOTES.c.source_id.in_(names)
    )
    return connection.execute(query.order_by(NOTES.c.note_id).with_for_update()).all()


def _texts_of(connection: Connection, note_ids: Sequence[int]) -> set[tuple[int, str]]:
    query = select(NOTE_TEXTS.c.note_id, NOTE_TEXTS.c.text_hash).where(NOTE_TEXTS.c.note_id.in_(note_ids))
    return {(row.note_id, row.text_hash) for row in connection.execute(query)}


def _insert_text(connection: Connection, key: tuple[int, str], note: Incoming) -> None:
    connection.execute(
        insert(NOTE_TEXTS).values(
            note_id=key[0],
            text_hash=key[1],
            text=note.text,
            metadata=note.metadata,
            received_at=datetime.now(UTC),
            pending=True,
        )
    )


def _wake(connection: Connection, key: tuple[int, str]) -> None:
    """Let a text that came back be looked at, unless that was done while it was current before."""

    def of(table: Any) -> Any:
        return and_(table.c.note_id == NOTE_TEXTS.c.note_id, table.c.text_hash == NOTE_TEXTS.c.text_hash)

    done = exists().where(of(RESULTS), ~RESULTS.c.shadow)
    refused = exists().where(of(QUARANTINE))
    connection.execute(
        update(NOTE_TEXTS)
        .where(tuple_(NOTE_TEXTS.c.note_id, NOTE_TEXTS.c.text_hash) == key, ~done, ~refused)
        .values(pending=True)
    )


def _reject(connection: Connection, rejected: Sequence[Rejected], source: str) -> int:
    """Quarantine what could not be read; the same fault of the same place is kept once."""
    for one in rejected:
        values = {
            "source": source,
            "source_id": one.source_id,
            "file": one.place.file,
            "line": one.place.line,
            "step": READ,
            "reason": one.reason[:400],
        }
        same = [column.is_not_distinct_from(values[name]) for name, column in QUARANTINE.c.items() if name in values]
        if not connection.execute(select(exists().where(*same))).scalar():
            connection.execute(insert(QUARANTINE).values(at=datetime.now(UTC), **values))
    return len(rejected)

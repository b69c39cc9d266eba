"""Current results as they leave the database: a few hundred at a time, with their text, mentions and pairs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from production.database.schema import EXPORTED, MENTIONS, NOTE_TEXTS, NOTES, PAIRS, RESULTS
from stages.monitor.times import as_utc

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

STEP = 250
"""Numbers of notes that are looked at at once: what bounds the memory, and not how many notes there are."""

CURRENT = sa.table(
    "current_results",
    *(sa.column(name, RESULTS.c[name].type) for name in ("note_id", "text_hash", "model_version", "created_at")),
    sa.column("source", NOTES.c.source.type),
    sa.column("source_id", NOTES.c.source_id.type),
)
_KEY = ("note_id", "text_hash", "model_version")


class Key(NamedTuple):
    """What a result is known by."""

    note_id: int
    text_hash: str
    model_version: str


class Span(NamedTuple):
    """A mention or suggestion of a note; `surface` is what stands there."""

    kind: str
    number: int
    start: int
    end: int
    label: str
    confidence: float
    accepted: bool
    assertion: str
    surface: str


class Pair(NamedTuple):
    """A disease beside a treatment in a note; `flag` says why it does not count, and is empty where it does."""

    disease: Span
    treatment: Span
    weight: float
    confidence: float
    flag: str


@dataclass(frozen=True)
class Result:
    """What a version of the model found in a text of a note.

    Parameters
    ----------
    key : Key
    source, source_id : str
        What the note is called where it comes from.
    created_at : datetime
        In UTC.
    text : str
    metadata : mapping of str to object
        As it came with the note.
    spans : tuple of Span
        Mentions and suggestions, in order of their kind and number.
    pairs : tuple of Pair
    """

    key: Key
    source: str
    source_id: str
    created_at: datetime
    text: str
    metadata: Mapping[str, Any]
    spans: tuple[Span, ...] = ()
    pairs: tuple[Pair, ...] = ()

    @property
    def mentions(self) -> tuple[Span, ...]:
        """The spans that the model stands by."""
        return tuple(span for span in self.spans if span.kind == "mention")


@dataclass(frozen=True)
class Scope:
    """Which results are exported: those made at `since` or later, of notes of one `source`; None: all."""

    since: datetime | None = None
    source: str | None = None


def due_results(engine: Engine, scope: Scope, target: str | None, *, pairs: bool = True) -> Iterator[list[Result]]:
    """Walk over the current results that a target does not have, in order of the notes' numbers.

    A target has a result when it was exported to it, and nothing else of the same note since: after a rollback, or
    when an older text comes back, the result that is current again is exported again.

    Parameters
    ----------
    engine : Engine
    scope : Scope
    target : str or None
        As `production.export.target` names it; None: nothing was exported.
    pairs : bool
        Whether the pairs are read, too: they are many, and made for whoever asks.

    Yields
    ------
    list of Result
        Of at most `STEP` notes; none is empty. No connection is held in between.
    """
    with engine.connect() as connection:
        first, last = connection.execute(sa.select(sa.func.min(NOTES.c.note_id), sa.func.max(NOTES.c.note_id))).one()
    for low in range(first or 0, (last or -1) + 1, STEP):
        with engine.connect() as connection:
            results = _read(connection, _due(scope, target, low, low + STEP - 1), pairs)
        if results:
            yield results


def _due(scope: Scope, target: str | None, low: int, high: int) -> sa.Select[Any]:
    same_text = sa.and_(NOTE_TEXTS.c.note_id == CURRENT.c.note_id, NOTE_TEXTS.c.text_hash == CURRENT.c.text_hash)
    query = (
        sa.select(CURRENT, NOTE_TEXTS.c.text, NOTE_TEXTS.c.metadata)
        .select_from(CURRENT.join(NOTE_TEXTS, same_text))
        .where(CURRENT.c.note_id.between(low, high))
        .order_by(CURRENT.c.note_id)
    )
    if scope.since is not None:
        query = query.where(CURRENT.c.created_at >= scope.since)
    if scope.source is not None:
        query = query.where(CURRENT.c.source == scope.source)
    return query if target is None else query.where(~_is_there(target))


def _is_there(target: str) -> sa.Exists:
    later = EXPORTED.alias("later")
    superseded = sa.exists().where(
        later.c.target == target, later.c.note_id == EXPORTED.c.note_id, later.c.at > EXPORTED.c.at
    )
    same = (EXPORTED.c[name] == CURRENT.c[name] for name in _KEY)
    return sa.exists().where(EXPORTED.c.target == target, *same, ~superseded)


def _read(connection: Connection, query: sa.Select[Any], with_pairs: bool) -> list[Result]:
    rows = connection.execute(query).all()
    if not rows:
        return []
    spans = _of_keys(connection, MENTIONS, rows)
    pairs = _of_keys(connection, PAIRS, rows) if with_pairs else {}
    return [
        _result(row, spans.get(_key(row), []), pairs.get(_key(row), []))
        for row in rows
    ]  # fmt: skip


def _of_keys(connection: Connection, table: sa.FromClause, rows: Sequence[sa.Row[Any]]) -> dict[Key, list[sa.Row[Any]]]:
    """Return the rows of a table by result, of the notes of some results."""
    kind = [table.c.kind] if "kind" in table.c else []
    query = sa.select(table).where(table.c.note_id.in_([row.note_id for row in rows]))
    found: dict[Key, list[sa.Row[Any]]] = defaultdict(list)
    for row in connection.execute(query.order_by(table.c.note_id, *kind, table.c.number)):
        found[_key(row)].append(row)
    return found


def _key(row: sa.Row[Any]) -> Key:
    return Key(row.note_id, row.text_hash, row.model_version)


def _result(row: sa.Row[Any], spans: Sequence[sa.Row[Any]], pairs: Sequence[sa.Row[Any]]) -> Result:
    found = tuple(_span(span, row.text) for span in spans)
    numbered = {span.number: span for span in found if span.kind == "mention"}
    beside = tuple(
        Pair(numbered[pair.disease], numbered[pair.treatment], pair.weight, pair.confidence, pair.flag)
        for pair in pairs
    )
    return Result(
        _key(row), row.source, row.source_id, as_utc(row.created_at), row.text, row.metadata or {}, found, beside
    )


def _span(row: sa.Row[Any], text: str) -> Span:
    surface = text[row.start : row.end]
    columns = (row.start, row.end, row.label, row.confidence, row.accepted, row.assertion)
    return Span(row.kind, row.number, *columns, surface)

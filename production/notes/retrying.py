"""Quarantined notes that wait once more: after a limit was raised, or what made the model fail was mended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Table, and_, bindparam, delete, exists, select, update

from production.database.engine import writing
from production.database.schema import NOTE_TEXTS, NOTES, QUARANTINE, RESULTS
from production.notes.storing import READ


def retry(engine: Engine, *, source: str | None = None, step: str | None = None) -> int:
    """Let quarantined notes wait, and forget why they were; return how many.

    A note stays where it is when its text is not the current one, or has a result by now; what could not be read is
    no note, and is added again.

    Parameters
    ----------
    engine : Engine
    source, step : str, optional
        Only notes of one source, or that one step refused.
    """
    refused = [QUARANTINE.c.step != READ if step is None else QUARANTINE.c.step == step]
    if source is not None:
        refused.append(QUARANTINE.c.source == source)
    with writing(engine) as connection:
        keys = _keys(connection, refused)
        if keys:
            connection.execute(delete(QUARANTINE).where(*_bound(QUARANTINE)), keys)
            connection.execute(update(NOTE_TEXTS).where(*_bound(NOTE_TEXTS)).values(pending=True), keys)
    return len(keys)


def _bound(table: Table) -> tuple[ColumnElement[bool], ...]:
    return table.c.note_id == bindparam("of_note"), table.c.text_hash == bindparam("of_text")


def _keys(connection: Connection, refused: Sequence[ColumnElement[bool]]) -> list[dict[str, Any]]:
    is_current = and_(NOTES.c.note_id == QUARANTINE.c.note_id, NOTES.c.current_hash == QUARANTINE.c.text_hash)
    of_text = and_(RESULTS.c.note_id == QUARANTINE.c.note_id, RESULTS.c.text_hash == QUARANTINE.c.text_hash)
    columns = QUARANTINE.c.note_id.label("of_note"), QUARANTINE.c.text_hash.label("of_text")
    query = select(*columns).distinct().join_from(QUARANTINE, NOTES, is_current)
    query = query.where(*refused, ~exists().where(of_text, ~RESULTS.c.shadow))
    return [dict(row) for row in connection.execute(query).mappings()]

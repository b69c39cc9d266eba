"""What a database holds, in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, and_, exists, func, or_, select

from production.database.engine import reading
from production.database.schema import NOTE_TEXTS, NOTES, QUARANTINE, RESULTS


def counts(engine: Engine) -> dict[str, Any]:
    """Return how many notes, texts and results there are, and how many wait: for a worker, or in quarantine, by step.

    What was in quarantine and has a result since is `mended`.
    """
    with reading(engine) as connection:
        rows = {
            name: int(connection.execute(select(func.count()).select_from(table)).scalar_one())
            for name, table in (("notes", NOTES), ("texts", NOTE_TEXTS))
        }
        waiting = select(func.count()).select_from(NOTE_TEXTS).where(NOTE_TEXTS.c.pending)
        versions = select(RESULTS.c.model_version, RESULTS.c.shadow, func.count()).group_by("model_version", "shadow")
        steps = _by_step(connection)
        return {
            **rows,
            "waiting": int(connection.execute(waiting).scalar_one()),
            "results": {
                f"version {version}{' (shadow)' if shadow else ''}": number
                for version, shadow, number in connection.execute(versions.order_by("model_version", "shadow"))
            },
            "quarantine": {step: number for step, mended, number in steps if not mended},
            "mended": {step: number for step, mended, number in steps if mended},
        }


def _by_step(connection: Connection) -> Sequence[Any]:
    rows = select(QUARANTINE.c.step, _is_mended().label("mended")).subquery()
    query = select(rows.c.step, rows.c.mended, func.count()).group_by(rows.c.step, rows.c.mended)
    return connection.execute(query.order_by(rows.c.step)).all()


def quarantined(engine: Engine, last: int, *, mended: bool = False) -> Sequence[Any]:
    """Return the newest rows of the quarantine, oldest first: source, id, file, line, version, step, reason.

    Parameters
    ----------
    engine : Engine
    last : int
        How many at most.
    mended : bool
        Also those whose note has a result of its newest text since.
    """
    columns = ("file", "line", "model_version", "step", "reason")
    rows = select(QUARANTINE) if mended else select(QUARANTINE).where(~_is_mended())
    newest = rows.order_by(QUARANTINE.c.quarantine_id.desc()).limit(last).subquery()
    with reading(engine) as connection:
        source_id = func.coalesce(newest.c.source_id, NOTES.c.source_id)
        query = select(newest.c.source, source_id.label("source_id"), *[newest.c[name] for name in columns])
        named = query.outerjoin(NOTES, NOTES.c.note_id == newest.c.note_id)
        return connection.execute(named.order_by(newest.c.quarantine_id)).all()


def _is_mended() -> ColumnElement[bool]:
    """Return that the note of a row of the quarantine has a result since, and of a later text where none was read."""
    note = NOTES.alias()
    found = exists().where(
        RESULTS.c.note_id == note.c.note_id,
        RESULTS.c.text_hash == note.c.current_hash,
        RESULTS.c.created_at > QUARANTINE.c.at,
        ~RESULTS.c.shadow,
    )
    arrived = exists().where(
        NOTE_TEXTS.c.note_id == note.c.note_id,
        NOTE_TEXTS.c.text_hash == note.c.current_hash,
        NOTE_TEXTS.c.received_at > QUARANTINE.c.at,
    )
    same_name = and_(note.c.source == QUARANTINE.c.source, note.c.source_id == QUARANTINE.c.source_id)
    read = exists().where(note.c.note_id == QUARANTINE.c.note_id, found)
    unread = exists().where(QUARANTINE.c.note_id.is_(None), same_name, arrived, found)
    return or_(read, unread)

"""What a database holds, in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Engine, and_, exists, func, or_, select

from production.database.engine import reading
from production.database.schema import NOTE_TEXTS, NOTES, QUARANTINE, RESULTS
from stages.monitor.times import as_utc


def counts(engine: Engine) -> dict[str, Any]:
    """Return how many notes, texts and results there are, and how many wait: for a worker, or in quarantine, by step.

    What was in quarantine and has a result since is `mended`.
    """
    with reading(engine) as connection:
        rows = {
            name: int(connection.execute(select(func.count()).select_from(table)).scalar_one())
            for name, table in (("notes", NOTES), ("texts", NOTE_TEXTS))
        }
        steps = quarantine_by_step(connection)
        return {
            **rows,
            "waiting": queue(connection).waiting,
            "results": {
                f"version {version}{' (shadow)' if shadow else ''}": number
                for version, shadow, number in results_by_version(connection)
            },
            "quarantine": {step: number for step, mended, number in steps if not mended},
            "mended": {step: number for step, mended, number in steps if mended},
        }


class Queue(NamedTuple):
    """Notes that no champion has looked at yet.

    Parameters
    ----------
    waiting : int
    oldest : datetime or None
        When the one that waits longest arrived.
    """

    waiting: int
    oldest: datetime | None


def queue(connection: Connection) -> Queue:
    """Return what waits for a worker."""
    found = select(func.count(), func.min(NOTE_TEXTS.c.received_at)).where(NOTE_TEXTS.c.pending)
    waiting, oldest = connection.execute(found).one()
    return Queue(waiting, as_utc(oldest) if oldest else None)


def results_by_version(connection: Connection) -> Sequence[Any]:
    """Return version, whether it is a shadow's, and number of results."""
    versions = select(RESULTS.c.model_version, RESULTS.c.shadow, func.count()).group_by("model_version", "shadow")
    return connection.execute(versions.order_by("model_version", "shadow")).all()


class Done(NamedTuple):
    """What became of notes since a moment."""

    results: int
    quarantined: int

    @property
    def share(self) -> float | None:
        """The share in quarantine, None where no note was looked at."""
        return self.quarantined / self.looked if self.looked else None

    @property
    def looked(self) -> int:
        """All of them."""
        return self.results + self.quarantined


def done_since(connection: Connection, since: datetime | None = None) -> Done:
    """Return how many notes were dealt with since a moment, or ever: shadows' results and what was mended left out."""
    results = select(func.count()).select_from(RESULTS).where(~RESULTS.c.shadow)
    set_aside = select(func.count()).select_from(QUARANTINE).where(~_is_mended())
    if since is not None:
        results, set_aside = results.where(RESULTS.c.created_at > since), set_aside.where(QUARANTINE.c.at > since)
    return Done(*(int(connection.execute(query).scalar_one()) for query in (results, set_aside)))


def quarantine_by_step(connection: Connection) -> Sequence[Any]:
    """Return step, whether it was mended, and number of rows."""
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

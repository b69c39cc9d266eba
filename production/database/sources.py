"""What commands refuse to look for among the notes: any, where there are none; a source that none has."""

from __future__ import annotations

from sqlalchemy import Engine, select

from production.database.engine import DatabaseError, reading
from production.database.schema import NOTES
from production.terminal import on_one_line

SHOWN = 10


def refuse_unknown_source(engine: Engine, source: str | None) -> None:
    """Make sure that there are notes of a source, where one is given: a name with a slip would look like no work.

    Raises
    ------
    DatabaseError
        When there are none; names the sources that there are.
    """
    if source is None:
        return
    with reading(engine) as connection:
        if connection.execute(select(NOTES.c.note_id).where(NOTES.c.source == source).limit(1)).first():
            return
        query = select(NOTES.c.source).distinct().order_by(NOTES.c.source).limit(SHOWN + 1)
        names = list(connection.execute(query).scalars())
    raise DatabaseError(f"no note has this source: there are {_listed(names)}")


def refuse_no_notes(engine: Engine) -> None:
    """Make sure that there are notes at all.

    Raises
    ------
    DatabaseError
        When there are none.
    """
    with reading(engine) as connection:
        if connection.execute(select(NOTES.c.note_id).limit(1)).first() is None:
            raise DatabaseError("there are no notes yet: `python -m production.notes add` stores them")


def _listed(names: list[str]) -> str:
    shown = ", ".join(on_one_line(name) for name in names[:SHOWN])
    return f"{shown} and others" if len(names) > SHOWN else shown or "no notes yet"

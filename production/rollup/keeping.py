"""Computing every subject, and keeping it: one row each, all in one transaction."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from production.database.engine import kind_of, reading, writing
from production.database.rollup_tables import ROLLUPS
from production.database.schema import NOTE_TEXTS
from production.database.watch_tables import DECISIONS
from production.rollup.drift import drift
from production.rollup.place import Place
from production.rollup.quality import quality
from production.rollup.today import today
from stages.common.errors import BeHealthyError
from stages.common.files import rounded
from stages.monitor.times import as_utc

if TYPE_CHECKING:
    from sqlalchemy import Engine

SUBJECTS: Mapping[str, Callable[[Place, datetime], dict[str, Any]]] = {
    "today": today,
    "drift": drift,
    "quality": quality,
}
FAULT = "fault"
"""The only key of a subject that could not be computed: a sentence that says why."""
_DIGITS = 6


class RolledUp(NamedTuple):
    """A subject as it was kept, and what has come since.

    Parameters
    ----------
    content : dict
    written_at : datetime
        In UTC.
    """

    content: dict[str, Any]
    written_at: datetime


class Live(NamedTuple):
    """What is asked of the database itself, since it is cheap.

    Parameters
    ----------
    waiting : int
        Notes that no champion has looked at yet.
    decided_at : datetime or None
        When something was decided last.
    """

    waiting: int
    decided_at: datetime | None


def roll_up(place: Place, now: datetime) -> dict[str, dict[str, Any]]:
    """Compute all subjects and keep them; return them by name."""
    subjects = {name: _computed(name, compute, place, now) for name, compute in SUBJECTS.items()}
    with writing(place.engine) as connection:
        dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
        for name, content in subjects.items():
            row = {"content": content, "written_at": now}
            statement = dialect.insert(ROLLUPS).values(name=name, **row)
            connection.execute(statement.on_conflict_do_update(index_elements=[ROLLUPS.c.name], set_=row))
    return subjects


def _computed(
    name: str, compute: Callable[[Place, datetime], dict[str, Any]], place: Place, now: datetime
) -> dict[str, Any]:
    """Return a subject, or why there is none: what was kept before must not look like today's."""
    try:
        found = compute(place, now)
        content: dict[str, Any] = json.loads(json.dumps(rounded(found, _DIGITS), allow_nan=False))
        return content
    except BeHealthyError as error:
        why = str(error)
    except DBAPIError as error:
        why = f"the database did not do it ({kind_of(error)})"
    except Exception as error:  # which may quote a note
        why = f"it was stopped by an unforeseen {type(error).__name__}"
    sys.stderr.write(f"rollup: {name}: NOT computed: {why}\n")
    return {FAULT: why}


def read(engine: Engine, name: str) -> RolledUp | None:
    """Return a subject as it was kept last; None where it never was."""
    with reading(engine) as connection:
        row = connection.execute(select(ROLLUPS).where(ROLLUPS.c.name == name)).one_or_none()
    return None if row is None else RolledUp(row.content, as_utc(row.written_at))


def live(engine: Engine) -> Live:
    """Return what is asked of the database itself."""
    waiting = select(func.count()).select_from(NOTE_TEXTS).where(NOTE_TEXTS.c.pending)
    decided = select(DECISIONS.c.at).order_by(DECISIONS.c.number.desc()).limit(1)
    with reading(engine) as connection:
        at = connection.execute(decided).scalar()
        return Live(int(connection.execute(waiting).scalar_one()), as_utc(at) if at else None)

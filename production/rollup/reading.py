"""What was kept, as pages read it: a row, and what is asked of the database itself since it is cheap."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import func, select

from production.database.engine import reading
from production.database.rollup_tables import ROLLUPS
from production.database.schema import NOTE_TEXTS
from production.database.watch_tables import DECISIONS
from stages.monitor.times import as_utc

if TYPE_CHECKING:
    from sqlalchemy import Engine

FAULT = "fault"
"""The only key of a subject that could not be computed: a sentence that says why."""
SHAPE = 2
"""Of the content: one more wherever a key comes, goes or changes its meaning. Pages show no other."""
SHAPE_KEY = "shape"


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

    @property
    def is_of_this_code(self) -> bool:
        """Whether pages of this code can read it: it may be from before an upgrade, or from after a step back."""
        return isinstance(self.content, dict) and (FAULT in self.content or self.content.get(SHAPE_KEY) == SHAPE)


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

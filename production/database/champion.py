"""Which version of the model is at work: the one that became champion here last."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import select

from production.database.engine import DatabaseError
from production.database.schema import MODEL_VERSIONS
from stages.monitor.times import as_utc

if TYPE_CHECKING:
    from sqlalchemy import Connection


class AtWork(NamedTuple):
    """The champion.

    Parameters
    ----------
    version : str
    labels : tuple of str
    since : datetime
        Of its promotion.
    """

    version: str
    labels: tuple[str, ...]
    since: datetime


def at_work(connection: Connection) -> AtWork:
    """Return the champion.

    Raises
    ------
    DatabaseError
        When none was champion here yet.
    """
    if (found := found_at_work(connection)) is None:
        raise DatabaseError("no champion has looked at a note here yet: `python -m production.infer` first")
    return found


def found_at_work(connection: Connection) -> AtWork | None:
    """Return the champion, None where none was champion here yet."""
    since = MODEL_VERSIONS.c.champion_since
    newest = select(MODEL_VERSIONS).where(since.is_not(None)).order_by(since.desc()).limit(1)
    row = connection.execute(newest).one_or_none()
    if row is None:
        return None
    return AtWork(row.model_version, tuple(row.labels), as_utc(row.champion_since))

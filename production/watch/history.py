"""What the watch found of each window, column by column, and what followed from it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import select

from production.database.engine import reading
from production.database.watch_tables import DECISIONS, WATCH_WINDOWS
from production.watch.consequences import KINDS
from production.watch.finding import is_harmed
from stages.monitor.times import as_utc

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection, Engine

STEP = 100
"""Windows that are read at once: what is kept of one is some kilobytes."""


_WINDOWS = select(WATCH_WINDOWS, DECISIONS.c.at).join(DECISIONS, DECISIONS.c.number == WATCH_WINDOWS.c.decided_by)


class Follows(NamedTuple):
    """What followed from a window.

    Parameters
    ----------
    kind : {"trigger", "held", "alert", "over"}
    number : int
        Of the decision.
    why : str
        Why a retraining was held back; empty elsewhere.
    told : bool
        Whether there was anybody to tell.
    """

    kind: str
    number: int
    why: str
    told: bool


class WindowJudged(NamedTuple):
    """A window as it was kept.

    Parameters
    ----------
    name, scheme, model_version : str
    since, until, at : datetime
        Its notes, and when it was judged; in UTC.
    notes : int
    reference : {"profile", "served"}
        What it was held against.
    decision : str
    acts : bool
    judged : mapping
        As `production.watch.judging` keeps it: columns, slices, reasons, quality.
    number : int
        Of the decision.
    follows : tuple of Follows
    """

    name: str
    scheme: str
    model_version: str
    since: datetime
    until: datetime
    at: datetime
    notes: int
    reference: str
    decision: str
    acts: bool
    judged: Mapping[str, Any]
    number: int
    follows: tuple[Follows, ...]

    @property
    def harmed(self) -> bool:
        """Whether people had found in audits that the promise is broken."""
        return is_harmed(self.judged)


def history(engine: Engine, since: datetime) -> Iterator[WindowJudged]:
    """Yield the windows that end later, in the order in which they were judged."""
    columns = WATCH_WINDOWS.c
    query = _WINDOWS.where(columns.until > since).order_by(columns.window_id).limit(STEP)
    with reading(engine) as connection:
        rows = connection.execute(query).all()
        followed = _followed(connection, rows[0].decided_by) if rows else {}
        while rows:
            yield from (_judged(row, tuple(followed[row.decided_by])) for row in rows)
            rows = connection.execute(query.where(columns.window_id > rows[-1].window_id)).all()


def newest(engine: Engine) -> WindowJudged | None:
    """Return the window that was judged last; None where none was yet."""
    with reading(engine) as connection:
        row = connection.execute(_WINDOWS.order_by(WATCH_WINDOWS.c.window_id.desc()).limit(1)).one_or_none()
        if row is None:
            return None
        return _judged(row, tuple(_followed(connection, row.decided_by)[row.decided_by]))


def _judged(row: Any, follows: tuple[Follows, ...]) -> WindowJudged:
    times = as_utc(row.since), as_utc(row.until), as_utc(row.at)
    found = row.notes, row.reference, row.decision, row.acts, row.judged, row.decided_by
    return WindowJudged(row.name, row.scheme, row.model_version, *times, *found, follows)


def _followed(connection: Connection, after: int) -> dict[int, list[Follows]]:
    """Return what followed from a decision and those after it, by the number of the decision that it followed from."""
    found: dict[int, list[Follows]] = defaultdict(list)
    query = select(DECISIONS.c.number, DECISIONS.c.kind, DECISIONS.c.body).where(DECISIONS.c.kind.in_(KINDS))
    query = query.where(DECISIONS.c.number > after)
    for number, kind, written in connection.execute(query.order_by(DECISIONS.c.number)):
        body = json.loads(written)
        found[body.get("finding", 0)].append(Follows(kind, number, body.get("why", ""), bool(body.get("channels"))))
    return found

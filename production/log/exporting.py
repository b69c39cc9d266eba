"""Rows of the serving log, from the database into a folder of parts; what is there already is not written again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from production.database.schema import SERVING_LOG
from production.log.folder import LogError, LogFolder, Numbers, gaps
from production.log.rows import alike, month_of, table_of
from stages.monitor.times import as_utc

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

ROWS = 50_000
"""Rows of a part at most; and what is held in memory."""
_PATIENCE = 60
"""Seconds that PostgreSQL waits for writers that are at work."""


class Window(NamedTuple):
    """Times of serving, from `since` to before `until`; None: no end."""

    since: datetime | None = None
    until: datetime | None = None

    def __contains__(self, time: object) -> bool:
        assert isinstance(time, datetime)
        return (self.since is None or time >= self.since) and (self.until is None or time < self.until)


class Written(NamedTuple):
    """How many rows and parts were written."""

    rows: int
    parts: int


def export_log(engine: Engine, folder: LogFolder, window: Window = Window(), *, rows: int = ROWS) -> Written:  # noqa: B008
    """Write the rows of a window that the folder does not have.

    A part is a run of rows of one month that stand in the log one after the other, and all have the same columns.
    Kill it anywhere: what was written is whole, and the same command writes the rest.

    Parameters
    ----------
    engine : Engine
    folder : LogFolder
    window : Window
    rows : int
        Of a part, at most.

    Raises
    ------
    LogError
        When the folder has rows of another database.
    """
    parts = folder.parts()
    with engine.connect() as connection:
        settled = _settled(connection)
        _refuse_others(connection, folder, parts, settled)
        bounds = _bounds(connection, window, settled)
    written = Written(0, 0)
    for gap in gaps(parts, *bounds) if bounds else []:
        for month, numbers, run in _runs(_rows(engine, gap, rows), gap.first, window, rows):
            folder.write(month, numbers, table_of(run))
            written = Written(written.rows + len(run), written.parts + 1)
    return written


def _settled(connection: Connection) -> int:
    """Return the number up to which nothing can come any more.

    PostgreSQL gives numbers out before it commits: a row may appear below one that is there. A lock that waits for
    all who are writing, and is given back at once, tells where none can. SQLite has one writer at a time.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text(f"SET LOCAL lock_timeout = '{_PATIENCE}s'"))
        with _waiting():
            connection.execute(sa.text("LOCK TABLE serving_log IN SHARE MODE"))
    settled = connection.execute(sa.select(sa.func.max(SERVING_LOG.c.log_id))).scalar_one()
    connection.rollback()
    return settled or 0


@contextmanager
def _waiting() -> Iterator[None]:
    try:
        yield
    except sa.exc.OperationalError:
        raise LogError(
            f"somebody has been writing the serving log for {_PATIENCE} s without an end: run the same command again"
        ) from None


def _bounds(connection: Connection, window: Window, settled: int) -> Numbers | None:
    """Return the least and the greatest number of a window."""
    query = sa.select(sa.func.min(SERVING_LOG.c.log_id), sa.func.max(SERVING_LOG.c.log_id))
    query = query.where(SERVING_LOG.c.log_id <= settled)
    if window.since is not None:
        query = query.where(SERVING_LOG.c.served_at >= window.since)
    if window.until is not None:
        query = query.where(SERVING_LOG.c.served_at < window.until)
    first, last = connection.execute(query).one()
    return None if first is None else Numbers(first, last)


def _refuse_others(connection: Connection, folder: LogFolder, parts: dict[Numbers, str], settled: int) -> None:
    """Refuse a folder whose rows this database does not have under the same numbers."""
    other = LogError(f"{folder.root} has rows of another database's serving log: choose another --to")
    if parts and max(numbers.last for numbers in parts) > settled > 0:
        raise other
    for path in list(parts.values())[-1:]:
        theirs = folder.last_row(path)
        ours = connection.execute(sa.select(SERVING_LOG).where(SERVING_LOG.c.log_id == theirs["log_id"])).one_or_none()
        if ours and (as_utc(ours.served_at), ours.row["note"]) != (theirs["served_at"], theirs["note"]):
            raise other


def _rows(engine: Engine, gap: Numbers, at_once: int) -> Iterator[sa.Row[Any]]:
    """Read rows in order of their numbers, so many at once; no connection is held in between."""
    first = gap.first
    while True:
        query = sa.select(SERVING_LOG).where(SERVING_LOG.c.log_id.between(first, gap.last))
        with engine.connect() as connection:
            rows = connection.execute(query.order_by(SERVING_LOG.c.log_id).limit(at_once)).all()
        yield from rows
        if len(rows) < at_once:
            return
        first = rows[-1].log_id + 1


def _runs(
    rows: Iterator[sa.Row[Any]], first: int, window: Window, longest: int
) -> Iterator[tuple[str, Numbers, list[sa.Row[Any]]]]:
    """Cut rows where the month or the columns change, where one is outside of the window, and where a run is long.

    Numbers that no row has are covered by the run after them.
    """
    run: list[sa.Row[Any]] = []
    for row in rows:
        inside = as_utc(row.served_at) in window
        if run and (not inside or len(run) == longest or alike(row) != alike(run[-1])):
            yield month_of(run[-1]), Numbers(first, run[-1].log_id), run
            first, run = run[-1].log_id + 1, []
        if inside:
            run.append(row)
        else:
            first = row.log_id + 1
    if run:
        yield month_of(run[-1]), Numbers(first, run[-1].log_id), run

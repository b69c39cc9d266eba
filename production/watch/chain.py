"""The log of decisions: rows that are only ever added, each with the hash of the one before.

A row that was changed, taken away, put in or moved does not go with its neighbours. Rows cut off at the end leave
others that still refer to them, and heads that a message carried or a person noted. Who can write the whole database
can write a whole chain anew: then only what was noted elsewhere tells, and every alert carries it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select, text

from production.database.watch_tables import ALERTS, DECISIONS, OUTBOX, WATCH_RESETS, WATCH_WINDOWS
from stages.monitor.times import as_utc

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

START = "0" * 64
"""What the first decision has for the hash of the one before."""
PAGE = 2000
_LOCK = 4712
"""Of PostgreSQL's advisory locks; SQLite's transactions exclude each other."""
_REFERRING = (
    WATCH_WINDOWS.c.decided_by,
    WATCH_RESETS.c.decided_by,
    ALERTS.c.opened_by,
    ALERTS.c.closed_by,
    OUTBOX.c.decided_by,
)


@dataclass(frozen=True)
class Link:
    """A decision as others refer to it."""

    number: int
    hash: str


@dataclass(frozen=True)
class Verified:
    """What was found of the log.

    Parameters
    ----------
    decisions : int
        That were read, up to the first one at fault.
    head : str
        The hash of the last of them.
    number : int, optional
        The first decision at fault; None where all is whole.
    why : str
    """

    decisions: int
    head: str
    number: int | None = None
    why: str = ""


def append(connection: Connection, kind: str, body: Mapping[str, Any], now: datetime) -> int:
    """Add a decision within the caller's transaction; return its number, one more than the last.

    Whoever else adds one waits until that transaction ends, and sees it then.
    """
    return append_link(connection, kind, body, now).number


def append_link(connection: Connection, kind: str, body: Mapping[str, Any], now: datetime) -> Link:
    """Do as `append` does; return the hash, too."""
    lock(connection)
    last = head(connection)
    content = canonical(body)
    made = Link(last.number + 1, hash_of(last.number + 1, now, kind, content, last.hash))
    row = {"at": as_utc(now), "kind": kind, "body": content, "previous": last.hash}
    connection.execute(insert(DECISIONS), {"number": made.number, "hash": made.hash, **row})
    return made


def lock(connection: Connection) -> None:
    """Let nobody else decide until the caller's transaction ends; what was decided before is seen from here on."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def head(connection: Connection) -> Link:
    """Return the last decision; number 0 before the first."""
    row = connection.execute(
        select(DECISIONS.c.number, DECISIONS.c.hash).order_by(DECISIONS.c.number.desc()).limit(1)
    ).first()
    return Link(row.number, row.hash) if row else Link(0, START)


def canonical(content: Mapping[str, Any]) -> str:
    """Return JSON with one form only: keys sorted, no blanks, ASCII."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def hash_of(number: int, at: datetime, kind: str, body: str, previous: str) -> str:
    """Return the SHA-256 of a row; of the body, its very characters."""
    time = as_utc(at).isoformat(timespec="microseconds")
    content = canonical({"number": number, "at": time, "kind": kind, "body": body, "previous": previous})
    return hashlib.sha256(content.encode()).hexdigest()


def verify(connection: Connection, expected: Sequence[str] = ()) -> Verified:
    """Read the whole log, page by page, and find the first decision at fault.

    Parameters
    ----------
    connection : Connection
    expected : sequence of str
        Hashes that were noted elsewhere: each must be that of some decision.
    """
    needed, missing = _last_referred(connection), set(expected)
    last = Link(0, START)
    for rows in _pages(connection):
        told = _told(connection, rows[0].number, rows[-1].number)
        for row in rows:
            if fault := _fault_of(row, last, told.get(row.number, row.hash)):
                return Verified(last.number, last.hash, *fault)
            last = Link(row.number, row.hash)
            missing.discard(row.hash)
    if needed > last.number:
        why = f"is missing, with all after it: other tables refer to decisions up to {needed}"
        return Verified(last.number, last.hash, last.number + 1, why)
    if missing:
        noted = min(missing)[:12]
        why = f"may be missing: no decision has the hash {noted}…, which was noted: rows were cut off or written anew"
        return Verified(last.number, last.hash, last.number + 1, why)
    return Verified(last.number, last.hash)


def _fault_of(row: Row[Any], last: Link, told: str) -> tuple[int, str] | None:
    if row.number > last.number + 1:
        return last.number + 1, "is missing"
    if row.number < 1:
        return row.number, "was put in: the first decision has the number 1"
    if row.hash != hash_of(row.number, row.at, row.kind, row.body, row.previous):
        return row.number, "is not what was written: its hash is another one"
    if row.previous != last.hash:
        return last.number or 1, "was written anew, or the one after it put in: that was made on another one"
    if row.hash != told:
        return row.number, "was written anew: a message of it carries another hash"
    return None


def _pages(connection: Connection) -> Iterator[Sequence[Row[Any]]]:
    query = select(DECISIONS).order_by(DECISIONS.c.number).limit(PAGE)
    rows = connection.execute(query).all()
    while rows:
        yield rows
        rows = connection.execute(query.where(DECISIONS.c.number > rows[-1].number)).all()


def _told(connection: Connection, first: int, last: int) -> dict[int, str]:
    """Return of each decision that a message tells of the hash that it carries."""
    query = select(OUTBOX.c.decided_by, OUTBOX.c.body).where(OUTBOX.c.decided_by.between(first, last))
    return {row.decided_by: json.loads(row.body)["decision"]["hash"] for row in connection.execute(query)}


def _last_referred(connection: Connection) -> int:
    return max(connection.scalar(select(func.max(column))) or 0 for column in _REFERRING)

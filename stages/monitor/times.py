"""Times on a command line, and what is said of what is none."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime


def as_time(given: str) -> datetime:
    """Read a time in ISO 8601; without a zone it is UTC.

    >>> as_time("2026-11-01").isoformat(), as_time("2026-11-01T01:00+01:00").isoformat()
    ('2026-11-01T00:00:00+00:00', '2026-11-01T00:00:00+00:00')
    """
    return as_utc(datetime.fromisoformat(given))


def as_utc(time: datetime) -> datetime:
    """Return a time in UTC; without a zone it is that already, as SQLite keeps it."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def time_argument(given: str) -> datetime:
    """Read a time as `as_time` does, for an option of a command.

    Raises
    ------
    argparse.ArgumentTypeError
        When it is none.
    """
    try:
        return as_time(given)
    except (ValueError, OverflowError):  # the first hour of the year 1, in a zone where it is not that year yet
        raise argparse.ArgumentTypeError(
            "this is no time: write 2026-11-01, or 2026-11-01T08:00+01:00 (UTC without a zone)"
        ) from None

"""Times on a command line."""

from __future__ import annotations

from datetime import UTC, datetime


def as_time(given: str) -> datetime:
    """Read a time in ISO 8601; without a zone it is UTC.

    >>> as_time("2026-11-01").isoformat(), as_time("2026-11-01T01:00+01:00").isoformat()
    ('2026-11-01T00:00:00+00:00', '2026-11-01T00:00:00+00:00')
    """
    time = datetime.fromisoformat(given)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)

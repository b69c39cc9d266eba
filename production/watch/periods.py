"""Windows of the serving log as spans of time: days and weeks of UTC, from when a model began to serve."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Literal

Scheme = Literal["day", "week"]

SETTLED = timedelta(minutes=15)
"""After the end of a window until it is judged: a batch at work writes its rows with the time at which it began to."""


@dataclass(frozen=True)
class Period:
    """A span of time in which notes were served.

    Parameters
    ----------
    name : str
        As people write it: ``2026-11-30``, ``2026-W49``, or ``count-1000 from 4001``.
    since, until : datetime
        UTC; `until` is not in it.
    first, last : int or None
        Numbers of the log's rows, where the window is so many of them.
    """

    name: str
    since: datetime
    until: datetime
    first: int | None = None
    last: int | None = None


def periods(scheme: Scheme, start: datetime, now: datetime) -> Iterator[Period]:
    """Yield all windows from a start on that are over.

    Parameters
    ----------
    scheme : {"day", "week"}
        A week begins on Monday.
    start : datetime
        When the first one begins; it ends with its day or week, however short it is.
    now : datetime

    Examples
    --------
    >>> start, now = datetime(2026, 11, 28, 12, tzinfo=UTC), datetime(2026, 12, 8, tzinfo=UTC)
    >>> [(one.name, one.since.day, one.until.day) for one in periods("week", start, now)]
    [('2026-W48', 28, 30), ('2026-W49', 30, 7)]
    """
    since = start.astimezone(UTC)
    while (until := _end_of(scheme, since)) + SETTLED <= now:
        yield Period(_name(scheme, since), since, until)
        since = until


def running(scheme: Scheme, start: datetime, now: datetime) -> Period:
    """Return the window that is not over yet; it is judged some time after its end (`SETTLED`).

    >>> running("week", datetime(2026, 11, 28, 12, tzinfo=UTC), datetime(2026, 12, 7, 0, 5, tzinfo=UTC)).name
    '2026-W49'
    """
    since = start.astimezone(UTC)
    for period in periods(scheme, start, now):
        since = period.until
    return Period(_name(scheme, since), since, _end_of(scheme, since))


def _end_of(scheme: Scheme, moment: datetime) -> datetime:
    days = 1 if scheme == "day" else 7 - moment.weekday()
    return datetime.combine(moment.date(), time(), UTC) + timedelta(days=days)


def _name(scheme: Scheme, since: datetime) -> str:
    if scheme == "day":
        return since.strftime("%Y-%m-%d")
    year, week, _ = since.isocalendar()
    return f"{year}-W{week:02}"

"""Simulated weeks before today: commands take the time of their clock, so that what they wrote is dated back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, func, select, update

from production.database.engine import reading, writing
from production.database.schema import MODEL_VERSIONS, NOTE_TEXTS, RESULTS, SERVING_LOG

WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Calendar:
    """Weeks of UTC up to the one that is not over.

    Parameters
    ----------
    today : datetime
    """

    today: datetime

    def monday(self, weeks_ago: int = 0) -> datetime:
        """Return when a week began."""
        midnight = self.today.replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight - timedelta(days=midnight.weekday()) - weeks_ago * WEEK


@dataclass(frozen=True)
class Mark:
    """How far the database had been filled."""

    note: int
    log: int

    @classmethod
    def of(cls, engine: Engine) -> Mark:
        """Read it."""
        with reading(engine) as connection:
            return cls(
                *(
                    connection.execute(select(func.max(column))).scalar() or 0
                    for column in (NOTE_TEXTS.c.note_id, SERVING_LOG.c.log_id)
                )
            )


def date_back(engine: Engine, since: datetime, mark: Mark) -> int:
    """Let notes that came since a mark have arrived, and been served, evenly over a week; return how many."""
    with writing(engine) as connection:
        newer = select(SERVING_LOG.c.log_id).where(SERVING_LOG.c.log_id > mark.log).order_by(SERVING_LOG.c.log_id)
        rows = connection.execute(newer).scalars().all()
        for place, number in enumerate(rows):
            at = since + WEEK * (place + 1) / (len(rows) + 2)
            connection.execute(update(SERVING_LOG).where(SERVING_LOG.c.log_id == number).values(served_at=at))
        notes = connection.execute(select(NOTE_TEXTS.c.note_id).where(NOTE_TEXTS.c.note_id > mark.note)).scalars().all()
        for place, number in enumerate(notes):
            at = since + WEEK * (place + 1) / (len(notes) + 2)
            of_note = NOTE_TEXTS.c.note_id == number
            connection.execute(update(NOTE_TEXTS).where(of_note).values(received_at=at - timedelta(minutes=5)))
            connection.execute(update(RESULTS).where(RESULTS.c.note_id == number).values(created_at=at))
    return len(rows)


def champion_since(engine: Engine, at: datetime) -> None:
    """Let the champion have been at work since then."""
    with writing(engine) as connection:
        connection.execute(update(MODEL_VERSIONS).values(champion_since=at, first_seen=at))

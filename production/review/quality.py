"""What audits and the model's own confidence say of the quality, as the drift decision weighs it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import Engine

from production.review.estimates import precision
from production.review.evidence import LATE, PlannedAudit, audited, audited_plans, audits, confidences, evidence_of
from stages.monitor.audited import ALL, FEWEST_WEEKS, PromiseWatch, harm_of, watch_promise
from stages.monitor.decision import Harm
from stages.monitor.times import as_utc

YEAR = timedelta(days=365)
"""For so long the level of the bet lasts; then it begins anew."""
QUARTER = timedelta(weeks=13)
"""Of which the precision is estimated: what was a year ago says nothing of today."""


@dataclass(frozen=True)
class Quality:
    """What is known of the accepted mentions.

    Parameters
    ----------
    harm : Harm
    watched : PromiseWatch
    low, value, high : float or None
        The audited precision of the last quarter, with its interval of 95%.
    reviewed : int
        Notes that it stands on.
    """

    harm: Harm
    watched: PromiseWatch
    low: float | None
    value: float | None
    high: float | None
    reviewed: int

    def as_json(self) -> dict[str, Any]:
        """Return what is kept with the decision."""
        return {
            "verdict": self.harm.verdict,
            "audited": self.harm.audited,
            "precision": {"value": self.value, "low": self.low, "high": self.high, "notes": self.reviewed},
            "promise": {"log_evidence": dict(self.watched.labels), "broken": self.watched.found is not None},
        }


@dataclass(frozen=True)
class Promise:
    """What a version promised, and since when it is held to it.

    Parameters
    ----------
    engine : Engine
    version : str
    labels : tuple of str
    promised : float
        Precision of the accepted mentions of each label.
    since : datetime
        When it became champion.
    """

    engine: Engine
    version: str
    labels: tuple[str, ...]
    promised: float
    since: datetime

    def quality(self, now: datetime) -> Quality:
        """Return what is known now, from all reviews that were handed in."""
        year = as_utc(self.since) + (now - as_utc(self.since)) // YEAR * YEAR
        watched = watch_promise(audits(self.engine, self.version, year), self.labels, self.promised)
        notes, frame = audited(self.engine, self.version, max(year, now - QUARTER))
        found = precision(notes, frame.strata, ALL, accepted=True)
        return Quality(self._harm(watched, found.low), watched, found.low, found.value, found.high, len(notes))

    def of_changed(self, known: Quality, since: datetime) -> Quality:
        """Return what is known of notes that changed: that quality holds must have been found in what came since then.

        Parameters
        ----------
        known : Quality
        since : datetime
            When they changed.
        """
        if known.harm.verdict != "holds":
            return known
        notes, frame = evidence_of(one for one in self._plans if one.since >= as_utc(since) - LATE)
        found = precision(notes, frame.strata, ALL, accepted=True)
        return replace(known, harm=self._harm(known.watched, found.low))

    def _harm(self, watched: PromiseWatch, low: float | None) -> Harm:
        weeks = self._confidences
        reference, last = weeks[:FEWEST_WEEKS], weeks[FEWEST_WEEKS:][-1:]
        return harm_of(watched, low, last[0] if last else None, reference, promised=self.promised)

    @cached_property
    def _plans(self) -> list[PlannedAudit]:
        """All that was audited: a watch that is late asks of each of its windows, with the same clock."""
        return audited_plans(self.engine, self.version)

    @cached_property
    def _confidences(self) -> list[float]:
        return confidences(self.engine, self.version, self.since)

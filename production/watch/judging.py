"""Windows of one reign of a champion, judged one after the other by the rules of `stages.monitor`.

The first windows under a champion are compared with the training profile: are these the notes that the model learned
from? They become the reference of those after them: do the notes change? What an audit found is weighed in both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy.exc import DBAPIError

from production.review.quality import Quality
from production.watch.finding import Finding
from production.watch.params import WatchParams
from production.watch.periods import Period
from production.watch.serving import Served
from stages.common.errors import BeHealthyError
from stages.monitor.decision import Decision, Harm, unknown
from stages.monitor.params import MonitorParams
from stages.monitor.reading import read_profile
from stages.monitor.slices import Comparison, judge

DRIFT, LEARNED = "drift", "learned"
CHANGED = ("retrain_and_alert", "redevelop")
"""Decisions of a window that is so far from its reference that audits of notes before it say nothing of it."""


@dataclass(frozen=True)
class Reference:
    """The first windows under a champion.

    Parameters
    ----------
    period : Period
        All of them.
    rows : int
        Of the log.
    """

    period: Period
    rows: int


@dataclass(frozen=True)
class Judged:
    """What a window was found to be.

    Parameters
    ----------
    period : Period
    finding : Finding
    reference : {"profile", "served"}
        What it was compared with.
    begins : Reference or None
        What later windows are compared with, where this one completes it.
    comparison : Comparison or None
    sides : tuple of DataFrame or None
        Reference and window that were compared.
    """

    period: Period
    finding: Finding
    reference: str
    begins: Reference | None
    comparison: Comparison | None
    sides: tuple[pd.DataFrame, pd.DataFrame] | None = None


@dataclass
class Reign:
    """What one version served since it became champion, or since a reset.

    Parameters
    ----------
    served : Served
    version : str
    params : WatchParams
    monitor : MonitorParams
        As `watching` returns them.
    profile : Path
        The training profile.
    quality : callable
        What audits and estimates say of the quality now.
    of_changed : callable
        The same of notes that changed at some time, from what is known of all.
    reference : Reference or None
        As it was kept.
    changed : datetime or None
        Where the newest windows, of those held against the same reference, are all far from it: when the first began.
    """

    served: Served
    version: str
    params: WatchParams
    monitor: MonitorParams
    profile: Path
    quality: Callable[[], Quality]
    of_changed: Callable[[Quality, datetime], Quality]
    reference: Reference | None = None
    changed: datetime | None = None
    _past: list[Period] = field(default_factory=list)
    _frames: dict[Period, pd.DataFrame] = field(default_factory=dict)

    def remember(self, periods: Iterable[Period]) -> None:
        """Take up windows that were judged before."""
        self._past = list(periods)

    def judge(self, period: Period, *, newest: bool = True) -> Judged:
        """Judge the next window; whatever goes wrong ends as `unknown`, but for a database that does not answer.

        A window that is not the newest one starts nothing: it was passed over, and what it asked for is late.
        """
        learning, comparison, sides, quality = self._is_learning(period), None, None, None
        if self._was_learning and not learning:
            self.changed = None  # the weeks that made the reference say nothing of those that are far from it
        try:
            quality = self.of_changed(self.quality(), self.changed or period.since)
            reference = self._learned if learning else self._first_served
            frames = self.frames(period, learning)
            sides = reference, frames[-1]
            comparison = judge(reference, frames, self.monitor, quality.harm, "profile" if learning else "reference")
            decision = comparison.decision
        except BeHealthyError as error:
            decision = unknown(_without_paths(error))
        except DBAPIError:
            raise  # the window can be judged when it answers again; until then it is overdue
        except Exception as error:
            decision = unknown(f"the comparison failed ({type(error).__name__})")
        self._past.append(period)
        self.changed = (self.changed or period.since) if decision.decision in CHANGED else None
        begins = self._completed()
        return Judged(
            period,
            self._finding(period, decision, quality, comparison, learning, newest),
            "profile" if learning else "served",
            begins,
            comparison,
            sides,
        )

    def frames(self, period: Period, learning: bool) -> list[pd.DataFrame]:
        """Return the windows that are added up: the last one is `period`."""
        first = 0
        if not learning and self.reference:
            first = sum(map(self._is_learning, self._past))
        before = self._past[first:][-(self.monitor.runs[-1] - 1) :]
        wanted = [*before, period]
        self._frames = {one: self._frames[one] if one in self._frames else self.served.read(one) for one in wanted}
        return [self._frames[one] for one in wanted]

    @cached_property
    def _learned(self) -> pd.DataFrame:
        return read_profile(self.profile)

    @cached_property
    def _first_served(self) -> pd.DataFrame:
        assert self.reference
        if self.served.rows(self.reference.period) != self.reference.rows:
            raise BeHealthyError("the reference has other rows than when it was taken: `production.watch reset`")
        return self.served.read(self.reference.period)

    @property
    def _was_learning(self) -> bool:
        return bool(self._past) and self._is_learning(self._past[-1])

    def _is_learning(self, period: Period) -> bool:
        if self.reference is None:
            return True
        last = self.reference.period.last
        if period.first is None or last is None:
            return period.since < self.reference.period.until
        return period.first <= last  # rows of two batches may lie among each other

    def _completed(self) -> Reference | None:
        """Return the reference where the windows so far are enough for one, and there was none."""
        if self.reference is not None:
            return None
        first, last = self._past[0], self._past[-1]
        whole = replace(last, name="reference", since=min(one.since for one in self._past), first=first.first)
        whole = replace(whole, until=max(one.until for one in self._past))
        try:
            rows = self.served.rows(whole)
        except BeHealthyError:
            return None
        if rows < self._enough():
            return None
        self.reference = Reference(whole, rows)
        return self.reference

    def _enough(self) -> int:
        """Return how many rows make a reference now; in fewer than the least, nothing could ever be compared."""
        late = len(self._past) >= self.params.reference_windows
        return self.monitor.minimum_notes if late else max(self.params.reference_notes, self.monitor.minimum_notes)

    def _finding(
        self,
        period: Period,
        decision: Decision,
        quality: Quality | None,
        comparison: Comparison | None,
        learning: bool,
        newest: bool,
    ) -> Finding:
        figures: dict[str, Any] = {
            "notes": decision.notes,
            **(_audited(quality) if quality else {}),
            "decision": decision.as_json(),
            "drift": comparison.as_json() if comparison else None,
            "quality": quality.as_json() if quality else None,
        }
        found_by_people = quality is not None and quality.harm == Harm("falls", audited=True)
        return Finding(
            topic=LEARNED if learning else DRIFT,
            decision=decision.decision,
            reasons=decision.reasons,
            model_version=self.version,
            period=period.name,
            since=period.since,
            until=period.until,
            acts=newest and (not learning or found_by_people),
            figures=figures,
        )


def _audited(quality: Quality) -> dict[str, float]:
    """Return what audits say of the accepted mentions, as the numbers that an alert carries."""
    precision = {"": quality.value, "_low": quality.low, "_high": quality.high}
    found = {f"audited_precision{end}": round(value, 3) for end, value in precision.items() if value is not None}
    return {"audited_notes": quality.reviewed, **found} if quality.reviewed else {}


def _without_paths(error: BeHealthyError) -> str:
    """Return what was wrong as far as it may leave the machine: what is missing, not where."""
    said = str(error)
    return said if "/" not in said else f"the comparison could not be made ({type(error).__name__})"

"""How soon a broken promise is found by audits, and how often a kept one is: years of weekly audits, invented."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.verdicts.rates import rate
from benchmarks.verdicts.reviewed import own_precision
from stages.monitor.audited import Audit, AuditedNote, Found, watch_promise

WEEKS, A_WEEK, IN_A_NOTE = 52, 20, 4
YEARS = 1000
"""Years at least, where the rate is of the order of one in a hundred; of weaker rules fewer tell."""

_LABELS = ("Disease", "Treatment")


@dataclass(frozen=True)
class Course:
    """How a year goes.

    Parameters
    ----------
    name : str
    precision : tuple of float
        Of each label.
    alike : float
        Correlation of right and wrong within a note.
    change : int
        Week from which that holds; until then the precision is .97.
    uneven : bool
        Whether half of the audited notes are of a kind that was drawn thrice as often, and errs thrice as often.
    """

    name: str
    precision: tuple[float, ...]
    alike: float
    change: int = 0
    uneven: bool = False

    @property
    def seeds(self) -> tuple[int, ...]:
        """What tells its random numbers from those of other courses."""
        return tuple(round(1000 * number) for number in (*self.precision, self.alike))

    def year(self, generator: np.random.Generator) -> list[Audit]:
        """Draw a year of audits."""
        return [self._week(week, generator) for week in range(WEEKS)]

    def _week(self, week: int, generator: np.random.Generator) -> Audit:
        notes = A_WEEK // IN_A_NOTE
        of_label = IN_A_NOTE / len(self.precision)
        often = generator.random(notes) < 0.5 if self.uneven else np.zeros(notes, dtype=np.bool_)
        columns = []
        for precision in self.precision if week >= self.change else (0.97,) * len(self.precision):
            counts = np.minimum(generator.poisson(of_label, size=notes), 3 * IN_A_NOTE // len(self.precision))
            right = np.empty(notes, dtype=np.int64)
            for kind in (False, True):
                here = often == kind
                own = own_precision(generator, self._of_kind(precision, kind), self.alike, int(here.sum()))
                right[here] = generator.binomial(counts[here], own)
            columns.append(list(zip(counts.tolist(), right.tolist(), strict=True)))
        labels = _LABELS[: len(self.precision)]
        return Audit(
            [
                AuditedNote(
                    0.3 if more else 0.1, {label: Found(*pair) for label, pair in zip(labels, pairs, strict=True)}
                )
                for more, pairs in zip(often.tolist(), zip(*columns, strict=True), strict=True)
            ],
            rarest=0.1,
            most=3 * IN_A_NOTE,
        )

    def _of_kind(self, precision: float, often: bool) -> float:
        """Return the precision of a kind: half of the audits, drawn thrice as often, are a quarter of all notes."""
        if not self.uneven:
            return precision
        wrong = (1 - precision) / 1.5
        return 1 - (3 * wrong if often else wrong)


KEPT = (
    Course("kept exactly (.95), mentions err by themselves", (0.95,), 0.0),
    Course("kept exactly, correlation .05 within notes", (0.95,), 0.05),
    Course("kept exactly, correlation .3", (0.95,), 0.3),
    Course("kept exactly, unequal probabilities", (0.95,), 0.05, uneven=True),
    Course("kept exactly by each of two labels", (0.95, 0.95), 0.05),
)

BROKEN = (
    Course(".925, mentions err by themselves", (0.925,), 0.0),
    Course(".90, mentions err by themselves", (0.90,), 0.0),
    Course(".85, mentions err by themselves", (0.85,), 0.0),
    Course(".925, correlation .05", (0.925,), 0.05),
    Course(".90, correlation .05", (0.90,), 0.05),
    Course(".85, correlation .05", (0.85,), 0.05),
    Course(".90, correlation .1", (0.90,), 0.1),
    Course(".90, correlation .05, unequal probabilities", (0.90,), 0.05, uneven=True),
    Course(".90 of each of two labels, correlation .05", (0.90, 0.90), 0.05),
    Course(".85 of one of two labels, .97 of the other", (0.85, 0.97), 0.05),
    Course(".90 from week 27 on, .97 before", (0.90,), 0.05, change=26),
)


def false_alarms(repetitions: int) -> pd.DataFrame:
    """Return how often a kept promise is found to be broken in a year, and by weaker rules."""
    years = max(YEARS, repetitions)
    return pd.DataFrame([_kept(course, years, repetitions) for course in KEPT])


def found(repetitions: int) -> pd.DataFrame:
    """Return after how many weeks a broken promise is found."""
    return pd.DataFrame([_broken(course, repetitions) for course in BROKEN]).fillna("")


def as_it_is(audit: Audit) -> Audit:
    """Leave the rule as it is."""
    return audit


def weeks_until(course: Course, years: int, weaker: Callable[[Audit], Audit] = as_it_is) -> NDArray[np.float64]:
    """Return in which week each year finds it, from the change on; infinite where it does not, 0 for before."""
    labels = _LABELS[: len(course.precision)]
    weeks = []
    for seed in range(years):
        audits = [weaker(audit) for audit in course.year(np.random.default_rng([seed, *course.seeds]))]
        week = watch_promise(audits, labels).found
        weeks.append(np.inf if week is None else max(0, week + 1 - course.change))
    return np.array(weeks)


def mentions_apart(audit: Audit) -> Audit:
    """Bet on each mention by itself, as if none had anything to do with another."""
    notes = []
    for note in audit.notes:
        for label, one in note.found.items():
            right = [1] * one.right + [0] * (one.accepted - one.right)
            notes += [AuditedNote(note.probability, {label: Found(1, each)}) for each in right]
    return Audit(notes, audit.rarest, 1)


def all_alike(audit: Audit) -> Audit:
    """Take no notice of the probabilities."""
    return replace(audit, notes=[replace(note, probability=1.0) for note in audit.notes], rarest=1.0)


def _kept(course: Course, years: int, fewer: int) -> dict[str, str]:
    return {
        "the promise is": course.name,
        "found broken in a year": rate(np.isfinite(weeks_until(course, years))),
        "if every mention were bet on alone": rate(np.isfinite(weeks_until(course, fewer, mentions_apart))),
        "if probabilities were ignored": rate(np.isfinite(weeks_until(course, fewer, all_alike))),
    }


def _broken(course: Course, years: int) -> dict[str, str]:
    weeks = weeks_until(course, years)
    before, weeks = weeks == 0, weeks[weeks > 0]
    return {
        "precision": course.name,
        "median weeks": _median(weeks),
        "found within 10 weeks": rate(weeks <= 10),
        "within 26 weeks": rate(weeks <= 26),
        "within the year": rate(np.isfinite(weeks)),
    } | ({"found before it fell": rate(before)} if course.change else {})


def _median(weeks: NDArray[np.float64]) -> str:
    """Return a median with the interval that the order of the years gives (95%)."""
    ordered, size = np.sort(weeks), len(weeks)
    reach = 0.98 * np.sqrt(size)
    low, high = ordered[max(0, int(size / 2 - reach))], ordered[min(size - 1, int(np.ceil(size / 2 + reach)))]
    return f"{_week(float(np.median(ordered)))} ({_week(low)} to {_week(high)})"


def _week(week: float) -> str:
    return f"{week:.0f}" if np.isfinite(week) else "none"

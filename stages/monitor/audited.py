"""Are the accepted mentions as right as was promised? What people found in audited notes, added up as a bet.

An e-process by betting (Waudby-Smith and Ramdas 2024): it starts with 1, and each audited note is bet on with what was
won before. Where the promise holds nobody can expect to win, whenever they look: having 100 at any time has a
probability of 1% at most (Ville 1939). Decision 45 says why the bet is what it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from stages.monitor.decision import NOTHING_KNOWN, Harm

ALL = "all labels"

ALTERNATIVE = 0.05
"""How far below the promise a precision is that is to be found as early as can be."""

BOLDEST = 0.95
"""Share of what there is that a note may lose at most, so that no note ends the bet for good."""

LATE = 0.1
"""Share of the start that is bet from later periods on, in equal parts: a precision that falls late is found then,
too, where the bet of the first period has been lost."""

FOR_ALL = 0.8
"""Share that is bet on all labels together; the rest on each by itself, in equal parts."""

PERIODS = 52
"""Over how many periods the late share is spread."""

FEWEST_WEEKS = 8
"""Reference weeks from which on an estimate of the model's own is compared with them."""


class Found(NamedTuple):
    """Accepted mentions of a note, and how many of them are right."""

    accepted: int
    right: int


@dataclass(frozen=True)
class AuditedNote:
    """A note that a person looked at.

    Parameters
    ----------
    probability : float
        With which it was drawn.
    found : mapping of str to Found
        By label; those without an accepted mention may be absent.
    """

    probability: float
    found: Mapping[str, Found] = field(default_factory=dict)

    def of(self, label: str) -> Found:
        """Return what was found of a label, or of `ALL` of them."""
        return self._all if label == ALL else self.found.get(label, Found(0, 0))

    @cached_property
    def _all(self) -> Found:
        return Found(sum(one.accepted for one in self.found.values()), sum(one.right for one in self.found.values()))


@dataclass(frozen=True)
class Audit:
    """What was audited in a period.

    Parameters
    ----------
    notes : sequence of AuditedNote
        In an order that what is in them has nothing to do with: whoever put the worst first would find too much.
    rarest : float
        Smallest probability with which any note of the period could be drawn that has accepted mentions.
    most : int
        Accepted mentions of the note of the period, drawn or not, that has most.

    Raises
    ------
    ValueError
        When a note goes beyond either: they bound the bet, and must be known before anybody looks.
    """

    notes: Sequence[AuditedNote]
    rarest: float
    most: int

    def __post_init__(self) -> None:
        for note in self.notes:
            accepted = note.of(ALL).accepted
            if accepted and note.probability < self.rarest:
                raise ValueError("an audited note was drawn with a smaller probability than the rarest")
            if accepted > self.most:
                raise ValueError("an audited note has more accepted mentions than the most")


@dataclass(frozen=True)
class PromiseWatch:
    """The evidence that the promise is broken.

    Parameters
    ----------
    evidence : tuple of float
        Natural logarithm, at the end of each period; 0 says nothing, above ``-log(level)`` it is found.
    found : int or None
        Number, from 0, of the period in which it passed that; None: not found.
    labels : mapping of str to float
        Logarithm of the evidence of each label, and of `ALL`, at the end.
    """

    evidence: tuple[float, ...]
    found: int | None
    labels: Mapping[str, float]


def watch_promise(
    audits: Sequence[Audit], labels: Sequence[str], promised: float = 0.95, level: float = 0.01
) -> PromiseWatch:
    """Bet on every audited note since the model began to serve.

    A label's stake is multiplied by ``1 + bet * (promised * accepted - right) * rarest / probability``: a note in
    which errors come together is one bet, and those that are drawn more often than others count less, so that what
    is expected is what it would be over all notes. The bets are fixed before any note is looked at.

    Parameters
    ----------
    audits : sequence of Audit
        Of the periods, in order. Start anew, with a new level, for another model, and after a year.
    labels : sequence of str
    promised : float
        Of each label.
    level : float
        Largest probability that any of the labels is found to break a promise that all of them keep.
    """
    stakes = _shares(labels)
    held, reserve = np.full(len(stakes), 1 - LATE), LATE
    shares = np.array(list(stakes.values()))
    evidence: list[float] = []
    found = None
    for number, audit in enumerate(audits):
        begun = min(reserve, LATE / PERIODS)
        held, reserve = held + begun, reserve - begun
        growth = np.cumprod(_factors(audit, list(stakes), promised), axis=0)
        highest = float((growth * held @ shares).max(initial=0.0)) + reserve
        held = held * growth[-1] if len(growth) else held
        evidence.append(math.log(float(held @ shares) + reserve))
        if found is None and highest >= 1 / level:
            found = number
    return PromiseWatch(tuple(evidence), found, dict(zip(stakes, np.log(held + reserve).tolist(), strict=True)))


def harm_of(
    watched: PromiseWatch,
    low: float | None,
    confidence: float | None,
    reference: Sequence[float],
    *,
    promised: float = 0.95,
    margin: float = 0.02,
    level: float = 0.01,
) -> Harm:
    """Say whether quality falls, from what people found, else from the model's own confidence.

    It *holds* where the interval of the audited precision ends above the promise less a margin. That is said wrongly
    of a precision below it in one look of forty; what follows is milder by one step, and people are told all the same.

    Parameters
    ----------
    watched : PromiseWatch
    low : float or None
        Lower end of the 95% interval of the accepted mentions' precision, from audits; None: nothing was audited.
    confidence : float or None
        Mean calibrated confidence of the accepted mentions of the window.
    reference : sequence of float
        The same of each reference week.
    promised, margin : float
        An estimate that fell by less than the margin is no harm, however sure it is.
    level : float
        Probability of a wrong *falls* in a year of weekly windows, of the estimate.
    """
    if watched.found is not None:
        return Harm("falls", audited=True)
    if low is not None and low >= promised - margin:
        return Harm("holds", audited=True)
    if confidence is not None and len(reference) >= FEWEST_WEEKS:
        weeks = np.asarray(reference, dtype=np.float64)
        reach = float(stdtrit(len(weeks) - 1, 1 - level / PERIODS)) * weeks.std(ddof=1) * math.sqrt(1 + 1 / len(weeks))
        if weeks.mean() - confidence > max(margin, reach):
            return Harm("falls", audited=False)
    return NOTHING_KNOWN


def _shares(labels: Sequence[str]) -> dict[str, float]:
    """Return what is bet on each label, and on all; a single label is all."""
    if len(labels) < 2:
        return {ALL: 1.0}
    return {ALL: FOR_ALL} | dict.fromkeys(labels, (1 - FOR_ALL) / len(labels))


def _factors(audit: Audit, labels: Sequence[str], promised: float) -> np.ndarray:
    """Return by what each note multiplies the stake of each label."""
    bet = _bet(promised, audit.most)
    rows = [
        [
            1 + bet * (promised * found.accepted - found.right) * audit.rarest / note.probability
            for found in map(note.of, labels)
        ]
        for note in audit.notes
    ]
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(labels))


def _bet(promised: float, most: int) -> float:
    """Return the bet that grows fastest where mentions are right by themselves (Kelly 1956), as far as it is safe."""
    best = ALTERNATIVE / (promised * (1 - promised))
    return min(best, BOLDEST / ((1 - promised) * most)) if most else 0.0

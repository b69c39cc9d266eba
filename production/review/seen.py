"""What people saw in the notes that were drawn, and what is known of all notes without looking."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, Self


class SeenSpan(NamedTuple):
    """A mention of the model in a note that a person looked at; suggestions are none.

    Parameters
    ----------
    label : str
        What the model said.
    confidence : float
        Calibrated, as it stands in the database.
    accepted : bool
        Whether it needed no person.
    correct : bool
        Whether ends and label are right.
    """

    label: str
    confidence: float
    accepted: bool
    correct: bool


class Seen(NamedTuple):
    """Of some mentions: how many, how many of them right, and the sum of their confidence."""

    mentions: int = 0
    right: int = 0
    confidence: float = 0.0

    @classmethod
    def of(cls, spans: Sequence[SeenSpan]) -> Self:
        """Sum up."""
        return cls(len(spans), sum(span.correct for span in spans), sum(span.confidence for span in spans))


@dataclass(frozen=True)
class ReviewedNote:
    """A note of the audit, with what its newest review says.

    Parameters
    ----------
    stratum : str
        In which it was drawn.
    probability : float
        With which it was drawn, above 0 and at most 1.
    slices : mapping of str to str
        What is told apart, as ``{"note_type": "discharge"}``.
    spans : tuple of SeenSpan
    missed : mapping of str to int
        By label: right mentions that no mention of the model is equal to. A mention with a wrong end or label is
        not correct, and what would be right there is missed.
    seconds : float
        Of looking at it, pauses left out.
    """

    stratum: str
    probability: float
    slices: Mapping[str, str] = field(default_factory=dict)
    spans: tuple[SeenSpan, ...] = ()
    missed: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @cached_property
    def seen(self) -> Mapping[tuple[str | None, bool], Seen]:
        """What was seen of each label (None: of all), of every mention (False) and of those accepted (True)."""
        lists: defaultdict[tuple[str | None, bool], list[SeenSpan]] = defaultdict(list)
        for span in self.spans:
            for label in (span.label, None):
                lists[label, False].append(span)
                if span.accepted:
                    lists[label, True].append(span)
        return {key: Seen.of(spans) for key, spans in lists.items()}


class Sums(NamedTuple):
    """Of the model's mentions of one label, in all notes of a part: counts, and sums of calibrated confidence."""

    predicted: int = 0
    accepted: int = 0
    confidence: float = 0.0
    accepted_confidence: float = 0.0


@dataclass(frozen=True)
class Part:
    """All notes of one stratum.

    Parameters
    ----------
    notes : int
    labels : mapping of str to Sums
        Labels without a mention may be absent.
    """

    notes: int
    labels: Mapping[str, Sums] = field(default_factory=dict)


@dataclass(frozen=True)
class Frame:
    """All notes of the period, those that were reviewed among them.

    Parameters
    ----------
    strata : mapping of str to Part
    slices : mapping of (str, str) to mapping of str to Part
        By name and value, as ``("note_type", "discharge")``: its strata.
    """

    strata: Mapping[str, Part]
    slices: Mapping[tuple[str, str], Mapping[str, Part]] = field(default_factory=dict)


@dataclass(frozen=True)
class Estimate:
    """What is held true of all notes of the period.

    Parameters
    ----------
    value, low, high : float or None
        With the ends of an interval of 95%; None where nothing can be said.
    notes : int
        Reviewed notes that it stands on.
    error : float or None
        Its standard error.
    estimated : bool
        Whether it is the model's own opinion, from its confidence alone: nobody looked.
    reason : str
        Why nothing, or less, can be said; empty where there is no such reason.
    """

    value: float | None
    low: float | None
    high: float | None
    notes: int
    error: float | None = None
    estimated: bool = False
    reason: str = ""

    @classmethod
    def nothing(cls, reason: str, notes: int = 0) -> Self:
        """Return what is said where nothing can be."""
        return cls(None, None, None, notes, reason=reason)

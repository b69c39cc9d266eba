"""What people saw in the notes that were drawn, and what is known of all notes without looking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


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


ALL = "all labels"


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
        if label != ALL:
            return self.found.get(label, Found(0, 0))
        return Found(sum(one.accepted for one in self.found.values()), sum(one.right for one in self.found.values()))


@dataclass(frozen=True)
class Audit:
    """What was audited in a period.

    Parameters
    ----------
    notes : sequence of AuditedNote
        In the order in which they were reviewed.
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

"""What was seen of one label in each of the drawn notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from production.review.seen import ReviewedNote, Seen
from production.review.weighing import Drawn, Floats


@dataclass(frozen=True)
class Mentions:
    """Sums over the mentions of each drawn note.

    Parameters
    ----------
    drawn : Drawn
        The notes.
    count, right, confidence, missed : float64 arrays of shape (notes,)
    """

    drawn: Drawn
    count: Floats
    right: Floats
    confidence: Floats
    missed: Floats

    @property
    def seen(self) -> bool:
        """Whether any mention was."""
        return bool(self.count.any())

    @property
    def effective(self) -> float:
        """As how many mentions they count."""
        return self.drawn.effective(self.count)


def mentions_in(
    notes: Sequence[ReviewedNote], sizes: Mapping[str, int], label: str | None, *, accepted: bool
) -> Mentions:
    """Sum up the mentions of each note.

    Parameters
    ----------
    notes : sequence of ReviewedNote
    sizes : mapping of str to int
        Notes of each stratum, drawn or not.
    label : str or None
        None: of every label.
    accepted : bool
        Whether only those are taken that were accepted.
    """
    drawn = Drawn.of([note.stratum for note in notes], [note.probability for note in notes], sizes)
    rows = [(*note.seen.get((label, accepted), Seen()), _missed(note, label)) for note in notes]
    columns = np.array(rows, dtype=np.float64).reshape(len(notes), 4).T
    return Mentions(drawn, *columns)


def _missed(note: ReviewedNote, label: str | None) -> int:
    return sum(note.missed.values()) if label is None else note.missed.get(label, 0)

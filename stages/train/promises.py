"""From which confidence on a mention, and a note, needs no person, so that what is promised is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.train.acceptance import Acceptance
from stages.train.clustered import lower_bound, shift
from stages.train.params import AcceptanceParams

FEWEST = 100
"""Mentions from which on a precision is tested; perfect or not, fewer prove little."""

FEWEST_NOTES = 50
"""The same of notes, of which less is promised."""


FEWEST_CLUSTERS = 30
"""Of what errs together, from which on anything is tested: where ten documents are right, an eleventh may be wrong
throughout, however many mentions the ten have."""


class Judged(NamedTuple):
    """Mentions, or notes, that were judged without being learned from.

    Parameters
    ----------
    confidence : float64 array of shape (judged,)
    right : bool array of shape (judged,)
        Whether the mention is exactly a gold one, the note without any error.
    clusters, parts : int64 arrays of shape (judged,)
        As `stages.train.clustered` numbers them.
    """

    confidence: NDArray[np.float64]
    right: NDArray[np.bool_]
    clusters: NDArray[np.int64]
    parts: NDArray[np.int64]

    def take(self, wanted: NDArray[np.int64] | slice) -> Judged:
        """Return some of them, in the order that is asked for."""
        return Judged(self.confidence[wanted], self.right[wanted], self.clusters[wanted], self.parts[wanted])


@dataclass(frozen=True)
class HeldOut:
    """What a tagger found in notes that it had not learned from.

    Parameters
    ----------
    confidence : float64 array of shape (mentions,)
    right : bool array of shape (mentions,)
        Whether the mention is exactly a gold one.
    labels : array of str of shape (mentions,)
    notes : int64 array of shape (mentions,)
        Number of the note that each stands in.
    missed, suggestions : int64 arrays of shape (notes,)
        Gold mentions that were not found, and spans beside the mentions that are held possible.
    clusters, parts : int64 arrays of shape (notes,)
        As `stages.train.clustered` numbers them.
    """

    confidence: NDArray[np.float64]
    right: NDArray[np.bool_]
    labels: NDArray[np.str_]
    notes: NDArray[np.int64]
    missed: NDArray[np.int64]
    suggestions: NDArray[np.int64]
    clusters: NDArray[np.int64]
    parts: NDArray[np.int64]

    def of_label(self, label: str) -> Judged:
        """Return the mentions of one label."""
        here = self.labels == label
        notes = self.notes[here]
        return Judged(self.confidence[here], self.right[here], self.clusters[notes], self.parts[notes])

    def of_notes(self, accepted: NDArray[np.bool_]) -> Judged:
        """Return the notes of which all is accepted, something was found, and nothing is suggested."""
        count = len(self.missed)
        found, taken, wrong = (
            np.bincount(self.notes[these], minlength=count) for these in (slice(None), accepted, ~self.right)
        )
        sure = np.exp(np.bincount(self.notes, weights=np.log(np.maximum(self.confidence, 1e-300)), minlength=count))
        here = (found > 0) & (taken == found) & (self.suggestions == 0)
        return Judged(sure[here], (wrong + self.missed)[here] == 0, self.clusters[here], self.parts[here])


def choose_acceptance(held_out: HeldOut, labels: Sequence[str], params: AcceptanceParams) -> Acceptance:
    """Choose a threshold for each label, and one for notes that are accepted whole.

    Every promise has the whole of `params.risk` to itself: each label's fails with at most this
    probability, whatever the others do, and so does that of the notes.

    Parameters
    ----------
    held_out : HeldOut
    labels : sequence of str
        Those that a threshold is looked for, in this order.
    params : AcceptanceParams
    """
    thresholds = {
        label: choose_threshold(held_out.of_label(label), params.precision, params.risk, params.start)
        for label in labels
    }
    acceptance = Acceptance(params.precision, params.risk, thresholds, params.suggestion, params.whole)
    mentions = zip(held_out.labels.tolist(), held_out.confidence.tolist(), strict=True)
    accepted = np.array([acceptance.accepts(*mention) for mention in mentions], dtype=np.bool_)
    notes = held_out.of_notes(accepted)
    whole = choose_threshold(notes, params.whole, params.risk, params.start, fewest=FEWEST_NOTES)
    return replace(acceptance, whole=whole)


def warnings_of_acceptance(acceptance: Acceptance, labels: Sequence[str]) -> list[str]:
    """Say of which labels nothing is accepted, and whether no note is accepted whole.

    Parameters
    ----------
    acceptance : Acceptance
    labels : sequence of str
        Of the project; training may have had no mention of some.
    """
    lines = [
        f"nothing of {label} is accepted without a person: no threshold was shown to keep the promised"
        f" precision of {acceptance.promised:.2f}; annotate more notes"
        for label in labels
        if acceptance.thresholds.get(label) is None
    ]
    if acceptance.whole is None:
        share = f"{acceptance.whole_promised:.0%}"
        lines.append(f"no note is accepted whole: none was shown to hold no error in {share} of such notes")
    return lines


def choose_threshold(
    judged: Judged, promised: float, risk: float, start: float, *, fewest: int = FEWEST
) -> float | None:
    """Find the lowest threshold whose precision is shown to be at least `promised`.

    Thresholds are tried downwards, each at level `risk`, and the search stops at the first that
    fails (fixed-sequence testing, as in Learn then Test, Angelopoulos et al. 2021): the probability
    that the returned one breaks the promise is at most `risk`. Where the sequence begins is free as
    long as the outcomes do not decide it: it begins where a test has power, since two errors among
    the surest hundred, or one note that is wrong throughout, would end it.

    Parameters
    ----------
    judged : Judged
    promised, risk : float
    start : float
        Share of the surest that is tested first, at least `fewest`, of at least `FEWEST_CLUSTERS`.
    fewest : int
        From so many on anything is tested at all.

    Returns
    -------
    float or None
        None where no threshold was shown to keep the promise.
    """
    surest = judged.take(np.argsort(-judged.confidence, kind="stable"))
    shifted = shift(judged.right, judged.clusters, judged.parts)
    threshold = None
    for count in _steps(surest.confidence, start, fewest):
        tested = surest.take(slice(count))
        if len(np.unique(tested.clusters)) < FEWEST_CLUSTERS:
            continue
        if lower_bound(tested.right, tested.clusters, risk, shifted) < promised:
            break
        threshold = float(tested.confidence[-1])
    # Rounded upwards, so that what is stored accepts no more than what was tested.
    return None if threshold is None else float(np.ceil(threshold * 1e6) / 1e6)


def _steps(confidence: NDArray[np.float64], start: float, fewest: int) -> Sequence[int]:
    """Numbers of the surest to test: about every hundredth part, never between equal confidences."""
    total = len(confidence)
    if total < fewest:
        return []
    first = max(fewest, round(start * total))
    wanted = np.unique(np.linspace(first, total, 100).astype(int))
    ends = [int(np.searchsorted(-confidence, -confidence[count - 1], side="right")) for count in wanted]
    return sorted(set(ends))

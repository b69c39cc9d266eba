"""How right the model is on all notes of a period, from the notes that people looked at.

Every estimate is a ratio of totals over all notes. What is right among the mentions has a control: the calibrated
confidence of every mention is known, reviewed or not, and only what it is off by is estimated from the reviews
(a difference estimator: where confidence is wrong, the interval is wider and still holds). What was missed has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from production.review.mentions import Mentions, mentions_in
from production.review.seen import Estimate, Frame, Part, ReviewedNote
from production.review.weighing import Drawn, Spread, symmetric, wilson
from stages.monitor.audited import ALL

HIDDEN = 0.05
"""Share of the notes that may lie in strata without a reviewed note: chance leaves out no more, from 100 notes on.
They are taken to be like the others."""

Parts = Mapping[str, Part]

_DIGITS = 12  # beyond them a sum of confidences is not exact, and what is all right would not be


@dataclass(frozen=True)
class Estimates:
    """What is held true of all notes, each by label and over `ALL` of them.

    Parameters
    ----------
    accepted : mapping of str to Estimate
        Precision of the accepted mentions.
    precision, recall, f1 : mapping of str to Estimate
        Of all mentions, strict.
    minutes : Estimate
        Of a person, a note.
    accepted_unlabelled, precision_unlabelled : mapping of str to Estimate
        What the model's confidence says by itself, which is right as long as it is calibrated on notes like these.
    """

    accepted: Mapping[str, Estimate]
    precision: Mapping[str, Estimate]
    recall: Mapping[str, Estimate]
    f1: Mapping[str, Estimate]
    minutes: Estimate
    accepted_unlabelled: Mapping[str, Estimate]
    precision_unlabelled: Mapping[str, Estimate]


def estimates(notes: Sequence[ReviewedNote], parts: Parts, labels: Sequence[str]) -> Estimates:
    """Estimate everything from the notes of an audit.

    Parameters
    ----------
    notes : sequence of ReviewedNote
        Of the period and of nothing else; a note that was drawn stands in it once.
    parts : mapping of str to Part
        All notes by stratum: ``Frame.strata``, or those of one slice.
    labels : sequence of str

    Raises
    ------
    ValueError
        When a note is of a stratum without notes.
    """
    if unknown := {note.stratum for note in notes} - {name for name, part in parts.items() if part.notes}:
        raise ValueError(f"reviewed notes of strata that have no notes: {', '.join(sorted(unknown))}")
    wanted = (*labels, ALL)
    found = {label: _found(notes, parts, label) for label in wanted}
    return Estimates(
        {label: precision(notes, parts, label, accepted=True) for label in wanted},
        {label: precision(notes, parts, label, accepted=False) for label in wanted},
        {label: recall for label, (recall, _) in found.items()},
        {label: f1 for label, (_, f1) in found.items()},
        minutes(notes, parts),
        {label: unlabelled(parts, label, accepted=True) for label in wanted},
        {label: unlabelled(parts, label, accepted=False) for label in wanted},
    )


def by_slice(notes: Sequence[ReviewedNote], frame: Frame, labels: Sequence[str]) -> dict[tuple[str, str], Estimates]:
    """Estimate everything in each slice by itself, from its own notes only."""
    return {
        (name, value): estimates([note for note in notes if note.slices.get(name) == value], parts, labels)
        for (name, value), parts in frame.slices.items()
    }


def precision(notes: Sequence[ReviewedNote], parts: Parts, label: str, *, accepted: bool) -> Estimate:
    """Return the share of the mentions that are right.

    A stratum that has such mentions and no reviewed note leaves them open: the value takes their confidence for
    granted, the interval has room for all of them to be wrong, or right.
    """
    count, confidence = _known(parts.values(), label, accepted=accepted)
    if not count:
        return Estimate.nothing("there is no such mention", len(notes))
    reviewed = {note.stratum for note in notes}
    seen, seen_confidence = _known((parts[name] for name in reviewed), label, accepted=accepted)
    sizes = {name: parts[name].notes for name in reviewed}
    mentions = mentions_in(notes, sizes, None if label == ALL else label, accepted=accepted)
    if not mentions.seen:
        return Estimate.nothing("no such mention was reviewed", len(notes))
    value, spread = _share_right(mentions, seen_confidence / seen)
    low, high = wilson(value, spread, mentions.effective)
    part, error = seen / count, float(np.sqrt(spread.variance))
    if seen == count:
        return Estimate(value, low, high, len(notes), error)
    reason = _no_review(_unreviewed(parts, notes))
    granted = part * value + (confidence - seen_confidence) / count
    return Estimate(granted, part * low, part * high + 1 - part, len(notes), reason=reason)


def minutes(notes: Sequence[ReviewedNote], parts: Parts) -> Estimate:
    """Return what a note takes a person on average, in minutes."""
    if fault := _cannot(notes, parts):
        return Estimate.nothing(fault, len(notes))
    drawn = Drawn.of([note.stratum for note in notes], [note.probability for note in notes], _sizes(parts))
    taken, total = np.array([note.seconds / 60 for note in notes]), float(drawn.weights.sum())
    value = drawn.total(taken) / total
    spread = drawn.spread((taken - value) / total)
    low, high = symmetric(value, spread)
    return Estimate(value, max(0.0, low), high, len(notes), float(np.sqrt(spread.variance)))


def unlabelled(parts: Parts, label: str, *, accepted: bool) -> Estimate:
    """Return the mean confidence of the mentions, and what chance leaves of it where each is right by itself.

    As NannyML's confidence-based performance estimation. The interval knows nothing of a confidence that is off.
    """
    count, confidence = _known(parts.values(), label, accepted=accepted)
    if not count:
        return Estimate(None, None, None, 0, estimated=True, reason="there is no such mention")
    share = min(1.0, confidence / count)
    spread = Spread(share * (1 - share) / count, np.inf)
    low, high = wilson(share, spread, count)
    return Estimate(share, low, high, 0, float(np.sqrt(spread.variance)), estimated=True)


def _found(notes: Sequence[ReviewedNote], parts: Parts, label: str) -> tuple[Estimate, Estimate]:
    """Return recall and F1: of the right mentions that were found, and of those missed, for each mention of the model.

    A stratum without a reviewed note may hide any number of missed mentions: nothing is said then.
    """
    mentions = mentions_in(notes, _sizes(parts), None if label == ALL else label, accepted=False)
    predicted, confidence = _known(parts.values(), label, accepted=False)
    fault = _cannot(notes, parts) or (
        "no such mention was reviewed" if predicted and not mentions.seen
        else "there is no such mention, and none was missed" if not predicted and not mentions.missed.any()
        else ""
    )  # fmt: skip
    if fault:
        nothing = Estimate.nothing(fault, len(notes))
        return nothing, nothing
    if not predicted:
        most = Estimate(0.0, *wilson(0.0, Spread(0.0, len(notes)), float(mentions.missed.sum())), len(notes))
        return most, most
    return _recall_and_f1(mentions, confidence / predicted, len(notes))


def _recall_and_f1(mentions: Mentions, confidence: float, notes: int) -> tuple[Estimate, Estimate]:
    """Linearize both in the share of right mentions and the missed ones for each mention of the model."""
    drawn, total = mentions.drawn, mentions.drawn.total(mentions.count)
    right, off = _off(mentions, confidence)
    missed = drawn.total(mentions.missed) / total
    by_right = (mentions.right - mentions.confidence - off * mentions.count) / total
    by_missed = (mentions.missed - missed * mentions.count) / total
    gold, both = right + missed, 1 + right + missed
    cases = mentions.right + mentions.missed
    made = []
    for value, of_right, of_missed, among in (
        (right / gold if gold else 0.0, missed / gold**2 if gold else 0.0, -right / gold**2 if gold else 0.0, cases),
        (2 * right / both, 2 * (1 + missed) / both**2, -2 * right / both**2, cases + mentions.count),
    ):
        spread = drawn.spread(of_right * by_right + of_missed * by_missed)
        low, high = wilson(value, spread, drawn.effective(among))
        made.append(Estimate(value, low, high, notes, float(np.sqrt(spread.variance))))
    return made[0], made[1]


def _share_right(mentions: Mentions, confidence: float) -> tuple[float, Spread]:
    """Return the share of right mentions, from the confidence of all, and what that is off by among the reviewed."""
    right, off = _off(mentions, confidence)
    residuals = mentions.right - mentions.confidence - off * mentions.count
    return right, mentions.drawn.spread(residuals / mentions.drawn.total(mentions.count))


def _off(mentions: Mentions, confidence: float) -> tuple[float, float]:
    """Return the share of right mentions, and by how much confidence is off."""
    drawn = mentions.drawn
    off = drawn.total(mentions.right - mentions.confidence) / drawn.total(mentions.count)
    return min(1.0, max(0.0, round(confidence + off, _DIGITS))), off


def _known(parts: Iterable[Part], label: str, *, accepted: bool) -> tuple[int, float]:
    """Return how many mentions there are in all notes, and the sum of their confidence."""
    sums = [one for part in parts for name, one in part.labels.items() if label in (name, ALL)]
    if accepted:
        return sum(one.accepted for one in sums), sum(one.accepted_confidence for one in sums)
    return sum(one.predicted for one in sums), sum(one.confidence for one in sums)


def _sizes(parts: Parts) -> dict[str, int]:
    return {name: part.notes for name, part in parts.items()}


def _unreviewed(parts: Parts, notes: Sequence[ReviewedNote]) -> list[str]:
    reviewed = {note.stratum for note in notes}
    return sorted(name for name, part in parts.items() if part.notes and name not in reviewed)


def _cannot(notes: Sequence[ReviewedNote], parts: Parts) -> str:
    """Say why nothing can be said of all notes, if so."""
    if not notes:
        return "nothing was reviewed"
    unreviewed = _unreviewed(parts, notes)
    hidden = sum(parts[name].notes for name in unreviewed)
    if hidden <= HIDDEN * sum(part.notes for part in parts.values()):
        return ""
    return _no_review(unreviewed)


def _no_review(strata: Sequence[str]) -> str:
    return f"of {', '.join(strata)} no note was reviewed"

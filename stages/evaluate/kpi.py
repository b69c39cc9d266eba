"""What the extractor saves: hours and errors of the work by hand, before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from stages.evaluate.accepted import needs_nobody
from stages.evaluate.matching import ComparedDocument
from stages.evaluate.params import KpiParams
from stages.train.acceptance import Acceptance


@dataclass(frozen=True)
class EntryMinutes:
    """What typing the mentions of one note takes a person.

    Parameters
    ----------
    minutes : float
    source : str
        ``measured`` where the annotators' exports say it, else ``assumed``.
    notes : int
        How many notes were measured; fewer than the parameter asks for leave the assumption in place.
    """

    minutes: float
    source: str
    notes: int


def entry_minutes(seconds: Sequence[float], params: KpiParams) -> EntryMinutes:
    """Take the median of the measured times (pauses and open tabs make a mean meaningless), or the assumption.

    Parameters
    ----------
    seconds : sequence of float
        Measured seconds of the annotated documents; NaN where there is none.
    params : KpiParams
    """
    measured = np.asarray(seconds, dtype=np.float64)
    measured = measured[~np.isnan(measured)]
    if len(measured) < params.measured_notes:
        return EntryMinutes(params.entry_minutes, "assumed", len(measured))
    return EntryMinutes(float(np.median(measured)) / 60, "measured", len(measured))


def kpi(
    test: Sequence[ComparedDocument], acceptance: Acceptance, params: KpiParams, entry: EntryMinutes
) -> dict[str, Any]:
    """Compare the work by hand with the work that is left.

    By hand, every note is typed and validated. With the extractor, a note that is accepted whole is
    read by nobody: what is wrong or missing in it is an error. Every other note is validated by
    a person who decides on each mention that was not accepted and on each suggestion, and adds what is
    missing, with the same rate of errors as before; wrong mentions among the accepted ones stay.

    Parameters
    ----------
    test : sequence of ComparedDocument
    acceptance : Acceptance
    params : KpiParams
        Minutes, seconds and error rate of the work by hand.
    entry : EntryMinutes
        From `entry_minutes`.

    Returns
    -------
    dict
        ``before`` and ``after`` with hours per 1,000 notes and errors per 1,000 mentions, the
        shares saved, and what is accepted. None where there are no notes or no mentions. ``minutes`` says
        where the time of typing a note comes from.
    """
    before = {
        "hours_per_1000_notes": 1000 * (entry.minutes + params.validation_minutes) / 60,
        "errors_per_1000_mentions": 1000 * params.error_rate,
    }
    after = _after(test, acceptance, params)
    return {
        "accepted": _accepted(test, acceptance),
        "before": before if after else None,
        "after": after,
        "saved": _saved(before, after) if after else None,
        "minutes": {"entry": entry.minutes, "source": entry.source, "notes": entry.notes},
    }


def _accepted(test: Sequence[ComparedDocument], acceptance: Acceptance) -> dict[str, float]:
    predicted = [mention for document in test for mention in document.predicted.items()]
    taken = [acceptance.accepts(span[2], confidence) for span, confidence in predicted]
    whole = [needs_nobody(document, acceptance) for document in test]
    return {name: sum(each) / max(1, len(each)) for name, each in (("mentions", taken), ("notes", whole))}


def _saved(before: dict[str, float], after: dict[str, float]) -> dict[str, float | None]:
    """Return the shares saved of the hours and of the errors; None where there were none."""
    return {name.split("_")[0]: 1 - after[name] / value if value else None for name, value in before.items()}


class _Work(NamedTuple):
    minutes: float
    errors: float


def _after(test: Sequence[ComparedDocument], acceptance: Acceptance, params: KpiParams) -> dict[str, float] | None:
    mentions = sum(len(document.gold) for document in test)
    if not mentions:
        return None
    work = [_work_on(document, acceptance, params) for document in test]
    return {
        "hours_per_1000_notes": 1000 * sum(note.minutes for note in work) / len(test) / 60,
        "errors_per_1000_mentions": 1000 * sum(note.errors for note in work) / mentions,
    }


def _work_on(document: ComparedDocument, acceptance: Acceptance, params: KpiParams) -> _Work:
    """Return a person's minutes with a note, and the errors that are left in it."""
    gold = set(document.gold)
    taken = {span for span, confidence in document.predicted.items() if acceptance.accepts(span[2], confidence)}
    wrong, open_ = len(taken - gold), len(gold - taken)
    if needs_nobody(document, acceptance):
        return _Work(0.0, wrong + open_)
    decisions = len(document.predicted) - len(taken) + len(document.suggested)
    return _Work(params.validation_minutes + decisions * params.review_seconds / 60, wrong + params.error_rate * open_)

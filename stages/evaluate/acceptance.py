"""What can be accepted without a person, and what that saves: the business figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from stages.common.params import KpiParams
from stages.evaluate.comparison import ComparedDocument, judged
from stages.train.acceptance import Acceptance


@dataclass(frozen=True)
class Accepted:
    """What the model's threshold does on test.

    Parameters
    ----------
    promised : float
        The precision that was promised.
    threshold : float or None
        Chosen in training, out of fold; None where no threshold was shown to keep the promise.
    precision : float or None
        Of the accepted mentions of test; None when there are none.
    mentions : float
        Share of the predicted mentions that are accepted.
    notes : float
        Share of the documents that are accepted whole: something was found in them, and all of it
        is accepted. Where nothing was found there is nothing to be sure of.
    """

    promised: float
    threshold: float | None
    precision: float | None
    mentions: float
    notes: float

    def as_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return asdict(self)


def accepted(test: Sequence[ComparedDocument], acceptance: Acceptance) -> Accepted:
    """Apply the threshold that training chose."""
    confidence, right = judged(test)
    taken = np.array([acceptance.accepts(value) for value in confidence.tolist()], dtype=np.bool_)
    return Accepted(
        acceptance.promised,
        acceptance.threshold,
        float(right[taken].mean()) if taken.any() else None,
        float(taken.mean()) if len(taken) else 0.0,
        float(np.mean([is_whole(document, acceptance) for document in test])) if test else 0.0,
    )


def is_whole(document: ComparedDocument, acceptance: Acceptance) -> bool:
    """Tell whether a document needs no person at all."""
    return bool(document.predicted) and all(map(acceptance.accepts, document.predicted.values()))


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
    a person who decides on each mention that was not accepted and adds what is missing, with
    the same rate of errors as before; wrong mentions among the accepted ones stay.

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
    minutes_of_entry = {"entry": entry.minutes, "source": entry.source, "notes": entry.notes}
    notes, mentions = len(test), sum(len(document.gold) for document in test)
    share = accepted(test, acceptance)
    if not notes or not mentions:
        return {
            "accepted": {"mentions": 0.0, "notes": 0.0},
            "before": None,
            "after": None,
            "saved": None,
            "minutes": minutes_of_entry,
        }
    minutes, errors = 0.0, 0.0
    for document in test:
        taken = {span for span, confidence in document.predicted.items() if acceptance.accepts(confidence)}
        wrong = len(taken - set(document.gold))
        if is_whole(document, acceptance):
            errors += wrong + len(set(document.gold) - taken)
        else:
            left = len(document.predicted) - len(taken)
            minutes += params.validation_minutes + left * params.review_seconds / 60
            errors += wrong + params.error_rate * len(set(document.gold) - taken)
    before = {
        "hours_per_1000_notes": 1000 * (entry.minutes + params.validation_minutes) / 60,
        "errors_per_1000_mentions": 1000 * params.error_rate,
    }
    after = {
        "hours_per_1000_notes": 1000 * minutes / notes / 60,
        "errors_per_1000_mentions": 1000 * errors / mentions,
    }
    saved = {name: 1 - after[name] / before[name] if before[name] else None for name in before}
    return {
        "accepted": {"mentions": share.mentions, "notes": share.notes},
        "before": before,
        "after": after,
        "saved": {name.split("_")[0]: value for name, value in saved.items()},
        "minutes": minutes_of_entry,
    }

"""What the model's thresholds accept without a person, and whether that keeps what was promised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.common.scoring import Span
from stages.evaluate.matching import ComparedDocument
from stages.train.acceptance import Acceptance
from stages.train.assertion.context import assertions_of
from stages.train.clustered import clusters_of, interval, standard_error


@dataclass(frozen=True)
class AcceptedMentions:
    """What is accepted of some mentions.

    Parameters
    ----------
    number : int
        Of the accepted mentions.
    mentions : float
        Their share of the predicted ones.
    precision, precision_low, precision_high : float or None
        Of the accepted mentions, with its 95% interval; None when there are none.
    standard_error : float or None
        Of the precision, the mentions of a document, or of a run of neighbouring blocks, counted as right and wrong
        together; None with fewer than two of these.
    """

    number: int
    mentions: float
    precision: float | None
    precision_low: float | None
    precision_high: float | None
    standard_error: float | None


@dataclass(frozen=True)
class AcceptedNotes:
    """Notes that no person needs to look at.

    Parameters
    ----------
    promised : float
        The promised share of them without any error.
    threshold : float or None
        None where none was shown to keep the promise: no note is accepted whole.
    number, faultless : int
        How many notes are accepted whole, and in how many of these nothing is wrong and nothing missing.
    """

    promised: float
    threshold: float | None
    number: int
    faultless: int


@dataclass(frozen=True)
class Accepted:
    """What the model's thresholds do on test.

    Parameters
    ----------
    promised : float
        The precision that was promised, of each label.
    overall : AcceptedMentions
    labels : dict of str to AcceptedMentions
    thresholds : dict of str to float or None
        Chosen in training, out of fold; None where no threshold was shown to keep the promise.
    notes : float
        Share of the documents that are accepted whole (`needs_nobody`).
    whole : AcceptedNotes
    """

    promised: float
    overall: AcceptedMentions
    labels: dict[str, AcceptedMentions]
    thresholds: dict[str, float | None]
    notes: float
    whole: AcceptedNotes

    def as_dict(self) -> dict[str, Any]:
        """Return what `metrics/evaluation.json` says.

        `accepts_nothing` is true of a label without a threshold, and over all where no label has one.
        """
        silent = [threshold is None for threshold in self.thresholds.values()]
        return {
            "promised": self.promised,
            "accepts_nothing": all(silent),
            **asdict(self.overall),
            "labels": {
                label: {"threshold": threshold, "accepts_nothing": threshold is None, **asdict(self.labels[label])}
                for label, threshold in self.thresholds.items()
            },
            "notes": self.notes,
            "whole": asdict(self.whole),
        }


def accepted(test: Sequence[ComparedDocument], acceptance: Acceptance, labels: Sequence[str]) -> Accepted:
    """Apply the thresholds that training chose.

    Parameters
    ----------
    test : sequence of ComparedDocument
    acceptance : Acceptance
    labels : sequence of str
        Of the project; what the model knows no threshold of, it accepts nothing of.
    """
    clusters = clusters_of([document.context or document.name for document in test]).tolist()
    rows = [
        (span[2], acceptance.accepts(span[2], confidence), span in gold, cluster)
        for document, gold, cluster in zip(test, (set(document.gold) for document in test), clusters, strict=True)
        for span, confidence in document.predicted.items()
    ]
    found, taken, right, of = (np.array(column) for column in (zip(*rows, strict=True) if rows else ((), (), (), ())))
    whole = [document for document in test if needs_nobody(document, acceptance)]
    return Accepted(
        acceptance.promised,
        _accepted(taken, right, of),
        {label: _accepted(taken[found == label], right[found == label], of[found == label]) for label in labels},
        {label: acceptance.thresholds.get(label) for label in labels},
        len(whole) / len(test) if test else 0.0,
        AcceptedNotes(acceptance.whole_promised, acceptance.whole, len(whole), sum(map(is_faultless, whole))),
    )


def _accepted(taken: NDArray[np.bool_], right: NDArray[np.bool_], clusters: NDArray[np.int64]) -> AcceptedMentions:
    taken = taken.astype(np.bool_)
    if not taken.any():
        return AcceptedMentions(0, 0.0, None, None, None, None)
    right, clusters = right[taken], clusters[taken]
    error = standard_error(right, clusters)
    return AcceptedMentions(
        len(right),
        float(taken.mean()),
        float(right.mean()),
        *interval(right, clusters),
        error if np.isfinite(error) else None,
    )


def accepted_spans(document: ComparedDocument, acceptance: Acceptance) -> set[Span]:
    """Return the mentions of a document that need no person."""
    return {span for span, confidence in document.predicted.items() if acceptance.accepts(span[2], confidence)}


def needs_nobody(document: ComparedDocument, acceptance: Acceptance) -> bool:
    """Tell whether a document is accepted whole, as `stages.train.extractor.Extraction.accepted` does."""
    mentions = [(span[2], confidence) for span, confidence in document.predicted.items()]
    if not acceptance.accepts_whole(mentions, len(document.suggested)):
        return False
    spans = [(start, end) for start, end, _ in document.predicted]
    return all(assertion.sure for assertion in assertions_of(document.text, spans))


def is_faultless(document: ComparedDocument) -> bool:
    """Tell whether nothing is wrong and nothing missing."""
    gold: set[Span] = set(document.gold)
    return gold == set(document.predicted)

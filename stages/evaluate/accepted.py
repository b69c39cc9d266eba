"""What the model's threshold accepts without a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from stages.common.scoring import Span
from stages.evaluate.matching import ComparedDocument, judged
from stages.train.acceptance import Acceptance, is_whole
from stages.train.assertion.context import assertions_of


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
        Share of the documents that are accepted whole (`stages.train.acceptance.is_whole`).
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
        float(np.mean([needs_nobody(document, acceptance) for document in test])) if test else 0.0,
    )


def accepted_spans(document: ComparedDocument, acceptance: Acceptance) -> set[Span]:
    """Return the mentions of a document that need no person."""
    return {span for span, confidence in document.predicted.items() if acceptance.accepts(confidence)}


def needs_nobody(document: ComparedDocument, acceptance: Acceptance) -> bool:
    """Tell whether a document is accepted whole, as `stages.train.extractor.Extraction.accepted` does."""
    accepted = [acceptance.accepts(confidence) for confidence in document.predicted.values()]
    if not is_whole(accepted, len(document.suggested)):
        return False
    spans = [(start, end) for start, end, _ in document.predicted]
    return all(assertion.sure for assertion in assertions_of(document.text, spans))

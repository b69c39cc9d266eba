"""The business figure: what can be accepted without a person at a promised precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from stages.evaluate.comparison import ComparedDocument, judged
from stages.evaluate.curves import precision_by_coverage


@dataclass(frozen=True)
class Acceptance:
    """What accepting every prediction of at least `threshold` brings.

    Parameters
    ----------
    promised : float
        The precision that was asked for.
    threshold : float or None
        The confidence from which on a prediction is accepted, chosen on dev; None where none keeps
        the promise there, and nothing is accepted.
    precision : float or None
        Of the accepted predictions of test; None when there are none.
    mentions : float
        Share of the predicted mentions of test that are accepted.
    notes : float
        Share of the test documents that are accepted whole: something was found in them, and all
        of it is accepted. Where nothing was found there is nothing to be sure of.
    """

    promised: float
    threshold: float | None
    precision: float | None
    mentions: float
    notes: float

    def as_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return asdict(self)


def acceptance(dev: Sequence[ComparedDocument], test: Sequence[ComparedDocument], promised: float) -> Acceptance:
    """Choose the lowest threshold that keeps the promise on dev, and see what it does on test.

    The threshold is not chosen on test: a promise kept by construction is none.
    """
    curve = precision_by_coverage(*judged(dev), points=10**9)
    kept = curve.loc[curve["precision"] >= promised, "confidence"]
    if not len(kept):
        return Acceptance(promised, None, None, 0.0, 0.0)
    threshold = float(kept.min())
    confidence, right = judged(test)
    accepted = confidence >= threshold
    precision = float(right[accepted].mean()) if accepted.any() else None
    notes = [bool(d.predicted) and min(d.predicted.values()) >= threshold for d in test]
    return Acceptance(
        promised,
        threshold,
        precision,
        float(accepted.mean()) if len(accepted) else 0.0,
        float(np.mean(notes)) if notes else 0.0,
    )

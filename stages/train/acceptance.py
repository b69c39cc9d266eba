"""From which confidence on a mention needs no person, so that the promised precision is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from stages.common.checked import Header, read_header
from stages.common.files import write_json
from stages.common.params import Share

FEWEST = 100
"""Mentions from which on a precision is tested; perfect or not, fewer prove little."""


@dataclass(frozen=True)
class HeldOutPredictions:
    """Mentions that a tagger found in documents it had not learned from.

    Parameters
    ----------
    confidence : float64 array of shape (mentions,)
    right : bool array of shape (mentions,)
        Whether the mention is exactly a gold one.
    documents : int64 array of shape (mentions,)
        Number of the document that each stands in.
    """

    confidence: NDArray[np.float64]
    right: NDArray[np.bool_]
    documents: NDArray[np.int64]


class _Promise(Header):
    """What the file of an `Acceptance` says."""

    promised: Share
    risk: Share
    threshold: Share | None
    suggestion: Share


@dataclass(frozen=True)
class Acceptance:
    """The promise, and the threshold that keeps it.

    Parameters
    ----------
    promised : float
        Precision of the accepted mentions.
    risk : float
        Largest probability with which the promise may fail.
    threshold : float or None
        None when no threshold could be shown to keep the promise: nothing is accepted.
    suggestion : float
        Confidence from which a span that is no mention is shown to a person as a suggestion; 1: none is.
    """

    promised: float
    risk: float
    threshold: float | None
    suggestion: float = 1.0

    def accepts(self, confidence: float) -> bool:
        """Tell whether a mention needs no person."""
        return self.threshold is not None and confidence >= self.threshold

    def save(self, path: Path) -> None:
        """Write as JSON."""
        write_json(path, asdict(self), digits=6)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        ModelError
            When the file is missing, or holds anything but shares of one.
        """
        return cls(**read_header(path, _Promise).model_dump())


def is_whole(accepted: Sequence[bool], suggestions: int) -> bool:
    """Tell whether a note needs no person at all.

    Where nothing was found there is nothing to be sure of, and where something may be missing a person looks.

    Parameters
    ----------
    accepted : sequence of bool
        Of each mention of the note.
    suggestions : int
        How many spans beside the mentions are held possible.
    """
    return bool(accepted) and all(accepted) and not suggestions


NOTHING_ACCEPTED = Acceptance(promised=1.0, risk=0.0, threshold=None)
"""For a model without a promise: a person sees everything."""


def choose_threshold(predictions: HeldOutPredictions, *, promised: float, risk: float) -> Acceptance:
    """Find the lowest threshold whose precision is shown to be at least `promised`.

    Thresholds are tried from the surest mentions downwards, each at level `risk`, and the search
    stops at the first that fails (fixed-sequence testing, as in Learn then Test, Angelopoulos et
    al. 2021): the probability that the returned one breaks the promise is at most `risk`. Each
    test uses the lower confidence bound of a ratio over clusters, since the mentions of one document
    are right and wrong together (Cochran 1977, ch. 6), and the Wilson bound beside it, which holds
    up where hardly any mention is wrong.

    Parameters
    ----------
    predictions : HeldOutPredictions
    promised, risk : float

    Returns
    -------
    Acceptance
    """
    order = np.argsort(-predictions.confidence, kind="stable")
    confidence, right = predictions.confidence[order], predictions.right[order]
    _, documents = np.unique(predictions.documents[order], return_inverse=True)
    threshold = None
    for count in _steps(confidence):
        if _lower_bound(right[:count], documents[:count], risk) < promised:
            break
        threshold = float(confidence[count - 1])
    # Rounded upwards, so that what is stored accepts no more than what was tested.
    rounded = None if threshold is None else float(np.ceil(threshold * 1e6) / 1e6)
    return Acceptance(promised, risk, rounded)


def _steps(confidence: NDArray[np.float64]) -> Sequence[int]:
    """Numbers of accepted mentions to test: about every hundredth part, never between equal confidences."""
    total = len(confidence)
    wanted = np.unique(np.linspace(FEWEST, total, 100).astype(int)) if total >= FEWEST else np.empty(0, dtype=int)
    ends = [int(np.searchsorted(-confidence, -confidence[count - 1], side="right")) for count in wanted]
    return sorted(set(ends))


def _lower_bound(right: NDArray[np.bool_], documents: NDArray[np.int64], risk: float) -> float:
    from scipy.stats import binomtest, norm

    residuals = np.bincount(documents, weights=right - right.mean())
    clusters = int(np.count_nonzero(np.bincount(documents)))
    if clusters < 2:
        return 0.0
    correct, total = int(right.sum()), len(right)
    wilson = binomtest(correct, total, alternative="greater").proportion_ci(1 - risk, method="wilson").low
    error = np.sqrt(clusters / (clusters - 1) * float((residuals**2).sum())) / total
    return float(min(wilson, correct / total - norm.ppf(1 - risk) * error))

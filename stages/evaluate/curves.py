"""Confidence against truth: reliability, calibration error, precision by coverage."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

BINS = 10
POINTS = 200


def reliability(confidence: NDArray[np.float64], right: NDArray[np.bool_], *, bins: int = BINS) -> pd.DataFrame:
    """Compare mean confidence with the share of right predictions, in bins of equal mass.

    Predictions are sorted by confidence and cut into `bins` parts whose sizes differ by one at
    most (adaptive binning, Nguyen & O'Connor 2015); fewer predictions make fewer bins. Where equal
    confidences fall on a cut, each of them counts as their average, so that the order of the
    input plays no part.

    Parameters
    ----------
    confidence : float64 array of shape (predictions,)
    right : bool array of shape (predictions,)
    bins : int

    Returns
    -------
    DataFrame
        Columns ``confidence`` (mean), ``observed`` (share of right ones), ``perfect`` (the diagonal: equal to
        ``confidence``), ``mentions``; ascending.
    """
    order = np.argsort(confidence, kind="stable")
    _, ties = np.unique(confidence, return_inverse=True)
    truth = (np.bincount(ties, weights=right) / np.bincount(ties))[ties] if len(order) else right
    parts = np.array_split(order, min(bins, len(order))) if len(order) else []
    rows = [(confidence[part].mean(), truth[part].mean(), len(part)) for part in parts]
    frame = pd.DataFrame(rows, columns=["confidence", "observed", "mentions"])
    frame.insert(2, "perfect", frame["confidence"])
    return frame


def expected_calibration_error(curve: pd.DataFrame) -> float | None:
    """Average distance between confidence and share of right predictions, weighted by mentions.

    ``ECE = sum_b n_b / n * |observed_b - confidence_b|`` (Naeini, Cooper & Hauskrecht 2015), here over
    the bins of equal mass of `reliability`; 0 is perfect.

    Returns
    -------
    float or None
        None when nothing was predicted.
    """
    if not len(curve):
        return None
    return float(np.average((curve["observed"] - curve["confidence"]).abs(), weights=curve["mentions"]))


def precision_by_coverage(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], *, points: int = POINTS
) -> pd.DataFrame:
    """Accept the surest predictions first and say how many of the accepted ones are right.

    Equal confidences are accepted together: a threshold cannot tell them apart.

    Returns
    -------
    DataFrame
        Columns ``coverage`` (share of the predictions accepted, ascending to 1), ``precision`` (of
        the accepted ones), ``confidence`` (the threshold, included); at most `points` rows, of
        which the last accepts everything.
    """
    order = np.argsort(-confidence, kind="stable")
    ranked = confidence[order]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)) if len(ranked) else np.empty(0, dtype=np.int64)
    if len(last) > points:
        last = last[np.linspace(0, len(last) - 1, points).round().astype(np.int64)]
    accepted = last + 1
    hits = np.cumsum(right[order])[last]
    return pd.DataFrame(
        {"coverage": accepted / max(1, len(ranked)), "precision": hits / accepted, "confidence": ranked[last]}
    )

"""Would a reviewer accept this mention? A leaderboard of models that answer, on out-of-fold mentions."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.train.automl import Metric, compare
from stages.train.params import AcceptanceParams
from stages.train.taggers.spans.out_of_fold import fold_of
from stages.train.taggers.spans.stacked import OutOfFold, StackedTagger

COLUMNS = ["model", "coverage", "log_loss"]
SPAN_MODEL = "span model"
_FOLDS = 3


def acceptance_leaderboard(tagger: object, documents: list[str], params: AcceptanceParams, seed: int) -> pd.DataFrame:
    """Compare classifiers of mentions by how many they would accept at the promised precision.

    Each learns from the evidence on the mentions that were found out of fold, with the span
    model's own score as one more column; the span model stands among them as it is. The folds are
    runs of neighbouring documents.

    Parameters
    ----------
    tagger : Tagger
        Only a `StackedTagger` that was just fitted has out-of-fold mentions; for any other the
        leaderboard is empty.
    documents : list of str
        Document of each training sentence.
    params : AcceptanceParams
        `models` by PyCaret's names; none: an empty leaderboard.
    seed : int

    Returns
    -------
    DataFrame
        Columns ``model``, ``coverage`` (share of mentions accepted at the promised precision, mean
        over folds) and ``log_loss``; best first.
    """
    found = tagger.out_of_fold if isinstance(tagger, StackedTagger) else None
    if found is None or not params.models or found.right.all() or not found.right.any():
        return pd.DataFrame(columns=COLUMNS)
    folds = fold_of([documents[s] for s in found.sentences.tolist()], _FOLDS)
    metrics = {
        "coverage": Metric(lambda y, p: coverage_at_precision(y, p, params.precision), "pred_proba"),
        "log_loss": Metric(log_loss, "pred_proba", greater_is_better=False),
    }
    board = compare(
        _table(found, folds),
        "right",
        include=params.models,
        sort_metric="coverage",
        folds=_FOLDS,
        seed=seed,
        metric_functions=metrics,
        groups="fold",
        tunings=params.tunings,
    ).leaderboard
    parts = [(found.right[folds == fold], found.confidence[folds == fold]) for fold in range(_FOLDS)]
    own = {
        name: round(float(np.mean([metric.function(*part) for part in parts])), 4) for name, metric in metrics.items()
    }
    board = pd.concat([board, pd.DataFrame([{"model": SPAN_MODEL, **own}])])
    return board[COLUMNS].sort_values(["coverage", "model"], ascending=[False, True], ignore_index=True)


def coverage_at_precision(right: NDArray[np.bool_], confidence: NDArray[np.float64], precision: float) -> float:
    """Return the largest share of mentions, surest first, whose precision is at least `precision`.

    Mentions of equal confidence are accepted together.

    >>> coverage_at_precision(np.array([True, True, False, True]), np.array([0.9, 0.8, 0.7, 0.6]), 0.75)
    1.0
    >>> coverage_at_precision(np.array([True, True, False, True]), np.array([0.9, 0.8, 0.7, 0.6]), 0.9)
    0.5
    """
    confidence = np.asarray(confidence, dtype=np.float64)
    order = np.argsort(-confidence, kind="stable")
    kept = np.cumsum(np.asarray(right, dtype=bool)[order]) / np.arange(1, len(order) + 1)
    last_of_equals = np.append(np.diff(confidence[order]) != 0, True)
    enough = np.flatnonzero((kept >= precision) & last_of_equals)
    return float((enough[-1] + 1) / len(order)) if len(enough) else 0.0


def log_loss(right: NDArray[np.bool_], confidence: NDArray[np.float64]) -> float:
    """Mean negative log probability of what was the case."""
    p = np.clip(np.asarray(confidence, dtype=np.float64), 1e-6, 1 - 1e-6)
    return float(-np.mean(np.where(np.asarray(right, dtype=bool), np.log(p), np.log1p(-p))))


def _table(found: OutOfFold, folds: NDArray[np.int64]) -> pd.DataFrame:
    table = pd.DataFrame(found.evidence, columns=[f"evidence_{i:02d}" for i in range(found.evidence.shape[1])])
    odds = np.clip(found.confidence, 1e-9, 1 - 1e-9)
    return table.assign(span_model=np.log(odds / (1 - odds)), right=found.right.astype(int), fold=folds)

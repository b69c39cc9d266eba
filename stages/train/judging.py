"""Learns a judge of mentions, and finds out in nested cross-validation what it is worth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.train.coverage import coverage_at_precision, log_loss
from stages.train.leaderboard import compare_classifiers
from stages.train.params import AcceptanceParams
from stages.train.taggers.comparing import Comparison, Grid, Metric
from stages.train.taggers.spans.mention_judge import MentionJudge
from stages.train.taggers.spans.out_of_fold import fold_of
from stages.train.taggers.spans.trees import BoostedTrees

FOLDS = 3
KEPT = ("lr", "lda", "lightgbm")
"""PyCaret's names of the models that can judge: linear ones and boosted trees are kept without pickle."""

_GRIDS: dict[str, Grid] = {
    "lr": {"C": [0.003, 0.01, 0.03, 0.1, 0.3, 3.0]},
    "lda": {"solver": ["lsqr"], "shrinkage": [0.001, 0.003, 0.01, 0.03, 0.1, 0.3]},
    "lightgbm": {"num_leaves": [3, 7, 15], "learning_rate": [0.03, 0.05, 0.1], "n_estimators": [50, 100]},
}
_NOTHING = 1e-9
_CONSTANT = 1e-6
_TO_THE_OPTIMUM = {"solver": "newton-cg", "tol": 1e-8, "max_iter": 1000}
"""Columns of evidence are nearly collinear: lbfgs gives up on the way there, where rounding has led it."""
_DIGITS = 6
"""Of the weights of a linear model, on columns of unit spread: beyond them is how sums happened to be rounded."""


def compare_judges(
    table: NDArray[np.float32],
    right: NDArray[np.bool_],
    documents: list[str],
    params: AcceptanceParams,
    seed: int,
    *,
    only_kept: bool = False,
    tunings: int = 0,
) -> Comparison:
    """Cross-validate the models of `params` on mentions; folds are runs of neighbouring documents.

    Parameters
    ----------
    table : float32 array of shape (mentions, columns)
        As `stages.train.taggers.spans.mention_judge.judge_table` makes it.
    right : bool array of shape (mentions,)
    documents : list of str
        Document of each mention.
    params : AcceptanceParams
    seed : int
    only_kept : bool
        Whether to leave out the models that cannot be kept.
    tunings : int
        Settings tried of the best one that can be kept.
    """
    frame = pd.DataFrame(table / _scale(table), columns=[f"column_{i:03d}" for i in range(table.shape[1])])
    return compare_classifiers(
        frame.assign(right=right.astype(int), fold=fold_of(documents, FOLDS)),
        "right",
        include=[name for name in params.models if name in KEPT or not only_kept],
        sort_metric="coverage",
        folds=FOLDS,
        seed=seed,
        metric_functions=metrics_of(params.precision),
        groups="fold",
        deployable=[name for name in params.models if name in KEPT] or None,
        tunings=tunings,
        grids=_GRIDS,
    )


def metrics_of(precision: float) -> dict[str, Metric]:
    """Return the columns of the leaderboard: the share that is accepted at the promised precision, and the log loss."""
    return {
        # PyCaret says 0 where a metric failed; that nothing can be accepted is no failure.
        "coverage": Metric(lambda y, p: max(coverage_at_precision(y, p, precision), _NOTHING), "pred_proba"),
        "log_loss": Metric(log_loss, "pred_proba", greater_is_better=False),
    }


def learn_judge(
    table: NDArray[np.float32], right: NDArray[np.bool_], documents: list[str], params: AcceptanceParams, seed: int
) -> MentionJudge:
    """Choose a model among those that can be kept, tune it, and learn it from all of these mentions."""
    from sklearn.base import clone
    from threadpoolctl import threadpool_limits

    comparison = compare_judges(table, right, documents, params, seed, only_kept=True, tunings=params.tunings)
    # PyCaret's tables have 32 bits, in which the weights of a linear model hang on how its sums happened to be rounded.
    scale = _scale(table)
    estimator = clone(comparison.best_estimator)
    if comparison.best_name == "lr":
        estimator.set_params(**_TO_THE_OPTIMUM)
    with threadpool_limits(1):
        estimator.fit((table / scale).astype(np.float64), right.astype(int))
    if hasattr(estimator, "coef_"):
        estimator.coef_, estimator.intercept_ = (np.round(x, _DIGITS) for x in (estimator.coef_, estimator.intercept_))
    return judge_of(estimator, scale)


def nested_log_odds(
    table: NDArray[np.float32], right: NDArray[np.bool_], documents: list[str], params: AcceptanceParams, seed: int
) -> NDArray[np.float64]:
    """Let each mention be judged by what was chosen, tuned and learned without its fold of documents."""
    folds = fold_of(documents, FOLDS)
    odds = np.empty(len(table), dtype=np.float64)
    for fold in range(FOLDS):
        held, inside = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        judge = learn_judge(table[inside], right[inside], [documents[i] for i in inside.tolist()], params, seed)
        odds[held] = judge.log_odds(table[held])
    return odds


def judge_of(estimator: Any, scale: NDArray[np.float32]) -> MentionJudge:
    """Take over a fitted linear model, or LightGBM's trees, whose columns were divided by `scale`."""
    if hasattr(estimator, "coef_"):
        weights = estimator.coef_[0].astype(np.float64) / scale
        return MentionJudge(np.append(weights, float(estimator.intercept_[0])))
    trees = BoostedTrees.of(estimator.booster_)
    inner = trees.features >= 0
    trees.thresholds[inner] *= scale[trees.features[inner]]
    return MentionJudge(trees)


def _scale(table: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a power of two near the spread of each column: linear models need it, and it divides without rounding.

    A column that always says the same stays as it is: divided by next to nothing, it would drown all others.
    """
    spread = table.std(axis=0, dtype=np.float64)
    return np.exp2(np.round(np.log2(np.where(spread > _CONSTANT, spread, 1.0)))).astype(np.float32)

"""PyCaret, in one place: a leaderboard of classifiers over a table, and the tuning of the best of them."""

from __future__ import annotations

import gc
import logging
import os
import sys
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd

from stages.common.importing import without_collecting
from stages.train.taggers.comparing import Comparison, Grid, Metric, MetricFunction


def compare_classifiers(
    table: pd.DataFrame,
    target: str,
    *,
    include: Sequence[str],
    sort_metric: str,
    folds: int,
    seed: int,
    metric_functions: Mapping[str, Metric | MetricFunction],
    groups: str | None = None,
    deployable: Collection[str] | None = None,
    tunings: int = 0,
    grids: Mapping[str, Grid] | None = None,
) -> Comparison:
    """Cross-validate classifiers on a table and choose one.

    One process, one thread and fixed seeds: the same table gives the same leaderboard.

    Parameters
    ----------
    table : DataFrame
        Numbers only.
    target : str
        Column of classes, counted from 0 without gaps.
    include : sequence of str
        PyCaret's names of models: ``lr``, ``lda``, ``rf``, ``lightgbm``, …
    sort_metric : str
        One of `metric_functions`; best first.
    folds : int
    seed : int
    metric_functions : mapping of str to Metric or callable
        A bare function is taken as a `Metric` of predicted classes.
    groups : str, optional
        Column whose equal values stay in one fold; no attribute of the model.
    deployable : collection of str, optional
        Names that may be chosen; all of `include` unless given.
    tunings : int
        Settings of the chosen model that are tried at random; kept when better. The leaderboard
        then has a row ``<name> tuned``.
    grids : mapping of str to mapping of str to list, optional
        Settings to draw from, by model; PyCaret's own where a model has none here.

    Returns
    -------
    leaderboard : DataFrame
        Columns ``model`` and the metrics, rounded to 4 digits: means over the folds. NaN where a
        metric needs probabilities and the model has none.
    best_name : str
    best_estimator
        A scikit-learn classifier.

    Raises
    ------
    ValueError
        When the table is not as described, or a metric is 0 for every model: PyCaret returns 0
        where a metric failed.
    """
    metrics = {n: m if isinstance(m, Metric) else Metric(m) for n, m in metric_functions.items()}
    columns = table.drop(columns=[groups] if groups else [])
    _check(columns, target, sort_metric, metrics)
    splitter = _splitter(columns[target], table[groups] if groups else None, folds, seed)
    with _quiet_thread():
        experiment, faults = _experiment(columns, target, splitter, seed, metrics)
        # None is selected: each selected model would be fitted on the whole table, as `create_model` does below.
        experiment.compare_models(include=list(include), sort=sort_metric, n_select=0, verbose=False, errors="raise")
        board = _sorted(_leaderboard(experiment, metrics), sort_metric, metrics)
        name = next(str(model) for model in board.index if deployable is None or model in deployable)
        best = experiment.create_model(name, cross_validation=False, verbose=False)
        if tunings:
            grid = (grids or {}).get(name)
            best, row = _tuned(experiment, best, tunings, grid, sort_metric, metrics)
            board = _sorted(pd.concat([board, row.set_axis([f"{name} tuned"])]), sort_metric, metrics)
    if faults:
        raise faults[0]
    return Comparison(_checked(board), name, best)


@contextmanager
def _quiet_thread() -> Iterator[None]:
    """Hold the libraries to one thread and no output: PyCaret would write ``logs.log`` beside `params.yaml`."""
    os.environ.setdefault("PYCARET_CUSTOM_LOGGING_PATH", os.devnull)
    import lightgbm
    from threadpoolctl import threadpool_limits

    _import_pycaret()  # only libraries that are loaded already can be held to one thread
    silent = logging.getLogger("stages.train.leaderboard.lightgbm")
    silent.setLevel(logging.CRITICAL)
    lightgbm.register_logger(silent)
    with threadpool_limits(1), _without_chores(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _import_pycaret() -> None:
    """Import PyCaret without MLflow, where that is not loaded: its logger of experiments, which is not used here.

    It does without where there is no MLflow, and MLflow is a third of the time that its import takes.
    """
    absent = "mlflow" not in sys.modules
    if absent:
        sys.modules["mlflow"] = None  # type: ignore[assignment]  # what an import finds missing
    try:
        with without_collecting():
            import pycaret.classification  # noqa: F401
    finally:
        if absent:
            del sys.modules["mlflow"]


@contextmanager
def _without_chores() -> Iterator[None]:
    """Keep PyCaret from what costs it more than its models.

    For its log it imports everything that is installed beside it, Evidently with it, to tell the versions; and after
    each model it collects garbage among all objects there are, so that those made before are put out of its reach.
    """
    from pycaret.utils import _show_versions

    gc.freeze()
    try:
        with patch.object(_show_versions, "show_versions", lambda **_: ""):
            yield
    finally:
        gc.unfreeze()


def _experiment(
    columns: pd.DataFrame, target: str, splitter: Any, seed: int, metrics: Mapping[str, Metric]
) -> tuple[Any, list[Exception]]:
    """Set up PyCaret with our metrics in place of its own, and a list of what goes wrong in them."""
    from pycaret.classification import ClassificationExperiment

    experiment = ClassificationExperiment()
    experiment.setup(
        columns, target=target, test_data=columns, index=False, preprocess=False, session_id=seed, n_jobs=1,
        fold_strategy=splitter, html=False, verbose=False, log_experiment=False, system_log=False, memory=False,
    )  # fmt: skip
    for name in list(experiment.get_metrics().index):
        experiment.remove_metric(name)
    faults: list[Exception] = []
    for name, metric in metrics.items():
        score = _noting(metric.function, faults)
        experiment.add_metric(name, name, score, target=metric.on, greater_is_better=metric.greater_is_better)
    # PyCaret takes a model whose metrics are all 0 for one that failed; on rare classes it may just be bad.
    experiment.add_metric("one", "one", _one)
    return experiment, faults


def _one(truth: Any, said: Any, **_: Any) -> float:
    return 1.0


def _tuned(
    experiment: Any, model: Any, tunings: int, grid: Grid | None, sort_metric: str, metrics: Mapping[str, Metric]
) -> tuple[Any, pd.DataFrame]:
    """Return the better of the model and its best setting, and the means of the latter."""
    better = experiment.tune_model(
        model, n_iter=tunings, optimize=sort_metric, search_library="scikit-learn", choose_better=True,
        custom_grid=grid and dict(grid), verbose=False, tuner_verbose=False,
    )  # fmt: skip
    return better, experiment.pull()[list(metrics)].loc[["Mean"]].astype(np.float64)


def _leaderboard(experiment: Any, metrics: Mapping[str, Metric]) -> pd.DataFrame:
    """Return the means over the folds; nothing where a model has no probabilities to judge."""
    board = experiment.pull()[list(metrics)].astype(np.float64)
    known = experiment.models(internal=True)
    for name in board.index:
        if not hasattr(known.loc[name, "Class"](**known.loc[name, "Args"]), "predict_proba"):
            board.loc[name, [column for column, metric in metrics.items() if metric.on == "pred_proba"]] = np.nan
    return board


def _check(columns: pd.DataFrame, target: str, sort_metric: str, metrics: Mapping[str, Metric]) -> None:
    classes = sorted(columns[target].unique().tolist())
    if len(classes) < 2 or classes != list(range(len(classes))):
        raise ValueError(f"{target} must hold at least two classes, numbered from 0 without gaps: {classes[:10]}")
    if sort_metric not in metrics:
        raise ValueError(f"{sort_metric} is not among the metrics: {', '.join(metrics)}")
    if not all(pd.api.types.is_numeric_dtype(dtype) for dtype in columns.dtypes):
        raise ValueError("every column must be numeric: nothing is encoded here")


def _splitter(target: pd.Series, groups: pd.Series | None, folds: int, seed: int) -> Any:
    """Fix the folds beforehand: PyCaret's own `groupkfold` leaves the column among the attributes."""
    from sklearn.model_selection import PredefinedSplit, StratifiedGroupKFold, StratifiedKFold

    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    number = np.empty(len(target), dtype=np.int64)
    splits = kind(folds, shuffle=True, random_state=seed).split(target.to_frame(), target, groups)
    for fold, (_, held_out) in enumerate(splits):
        number[held_out] = fold
    return PredefinedSplit(number)


def _noting(function: MetricFunction, faults: list[Exception]) -> Callable[..., float]:
    def score(truth: Any, said: Any, **_: Any) -> float:
        try:
            return float(function(np.asarray(truth), np.asarray(said)))
        except Exception as fault:
            faults.append(fault)
            raise

    return score


def _sorted(board: pd.DataFrame, sort_metric: str, metrics: Mapping[str, Metric]) -> pd.DataFrame:
    return board.sort_values(sort_metric, ascending=not metrics[sort_metric].greater_is_better, kind="stable")


def _checked(board: pd.DataFrame) -> pd.DataFrame:
    idle = [name for name in board.columns if not board[name].fillna(0).any()]
    if idle:
        raise ValueError(f"0 for every model: {', '.join(idle)}; PyCaret says 0 where a metric failed")
    return board.round(4).rename_axis("model").reset_index()

"""What a comparison of classifiers is: asked for by families that learn by one, given by `stages.train.leaderboard`.

Types only, so that a family can be served without the library that compared.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import pandas as pd
from numpy.typing import NDArray

MetricFunction = Callable[[NDArray[Any], NDArray[Any]], float]
"""Takes what is true and what a model says of it."""

Grid = Mapping[str, Sequence[Any]]
"""Values by setting."""


class Metric(NamedTuple):
    """A column of the leaderboard.

    Parameters
    ----------
    function : callable
        Of the true classes and, by `on`, the predicted ones or their probabilities: those of the
        second class where there are two, else one column a class.
    on : str
    greater_is_better : bool
    """

    function: MetricFunction
    on: Literal["pred", "pred_proba"] = "pred"
    greater_is_better: bool = True


class Comparison(NamedTuple):
    """What `compare` found; `best_estimator` is fitted on the whole table."""

    leaderboard: pd.DataFrame
    best_name: str
    best_estimator: Any


class Compare(Protocol):
    """Cross-validates classifiers on a table, chooses one, as `stages.train.leaderboard.compare_classifiers` does."""

    def __call__(
        self,
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
        """Compare."""
        ...

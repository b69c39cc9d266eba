"""PyCaret's leaderboard of token classifiers, and the best of them that is linear.

The table is a truncated SVD of the sparse attributes beside the most telling of them as they are.
Both are linear in the attributes, so that a linear classifier of the table is a linear classifier
of the attributes: it is kept as the weights of a `CrfTagger`, with no pickle and nothing of PyCaret
or scikit-learn at run time. Trees and neighbours are compared with, not kept.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.common.tags import TokenSpan
from stages.featurize.attributes.tokens import SparseTokens
from stages.train.taggers.chain.crf import CrfTagger
from stages.train.taggers.comparing import Compare, Comparison, Grid, MetricFunction
from stages.train.taggers.judged import no_leaderboard
from stages.train.taggers.tokens.logistic import sparse_matrix, tag_numbers, tag_set_of, tag_weights, transition_scores

if TYPE_CHECKING:
    from stages.train.params import TokenAutomlParams, TrainParams

INCLUDED = ("lr", "lda", "ridge", "nb", "dt", "et", "lightgbm")
"""PyCaret's names of the models that are compared; all of them are quick on some thousand tokens."""

KEPT = ("lr", "lda")
"""Those that can be kept: linear, and their scores are log probabilities, which a chain can add up."""

_GRIDS: dict[str, Grid] = {
    "lr": {"C": [0.01, 0.03, 0.1, 0.3, 3.0, 10.0]},
    "lda": {"solver": ["lsqr"], "shrinkage": [0.0003, 0.001, 0.003, 0.01, 0.03, 0.1]},
}


class _Table(NamedTuple):
    """Tokens by columns, and how the columns follow from the attributes."""

    columns: NDArray[np.float64]
    back: NDArray[np.float64]
    """Attributes by columns."""


@dataclass(frozen=True)
class TokenAutoml(CrfTagger):
    """A chain whose weights come from the best linear classifier of the leaderboard."""

    compared: pd.DataFrame | None = None
    """The leaderboard; None once the tagger was saved."""

    @classmethod
    def fit(
        cls,
        tokens: SparseTokens,
        spans: Sequence[Sequence[TokenSpan]],
        *,
        documents: Sequence[str] = (),
        n_rows: int,
        params: TrainParams,
        compare: Compare | None = None,
        labels: Sequence[str] | None = None,
    ) -> Self:
        """Compare on a sample of the tokens, folds by document; fit the best linear model to all tokens."""
        if compare is None:
            raise TypeError("the family token-automl learns by comparing classifiers: hand in what compares them")
        from sklearn.base import clone
        from threadpoolctl import threadpool_limits

        settings = params.token_automl
        tag_set = tag_set_of(spans, labels)
        gold = tag_numbers(tokens, spans, tag_set)
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a linear model need not have converged to be the best
            table = _table(tokens, gold, n_rows, settings, params.seed)
            sample = _sample(gold, settings.tokens, params.seed)
            document = np.repeat(pd.factorize(np.asarray(documents))[0], np.diff(tokens.sentence_starts))
            columns, of_documents = table.columns[sample], document[sample]
            comparison = _compared(compare, columns, gold[sample], of_documents, settings, params.seed)
            model = clone(comparison.best_estimator).fit(table.columns, gold)
        weights = _with_intercept(table.back @ model.coef_.T, model.intercept_, tokens)
        transitions = transition_scores(tokens, gold, tag_set, params.token_logistic.transitions)
        return cls(tag_set, tag_weights(model, weights, len(tag_set.tags)), transitions, 1.0, comparison.leaderboard)

    def leaderboard(self) -> pd.DataFrame:
        """Return the classifiers that were compared, best first."""
        return no_leaderboard() if self.compared is None else self.compared


def _table(
    tokens: SparseTokens, gold: NDArray[np.int64], n_rows: int, settings: TokenAutomlParams, seed: int
) -> _Table:
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_selection import chi2

    matrix = sparse_matrix(tokens, n_rows)
    decomposition = TruncatedSVD(min(settings.components, n_rows - 1), random_state=seed)
    components = decomposition.fit_transform(matrix)
    scale = np.maximum(components.std(axis=0), 1e-6)
    telling = np.nan_to_num(chi2(matrix, gold)[0])
    best = np.sort(np.argsort(-telling, kind="stable")[: settings.attributes])
    unchanged = np.zeros((n_rows, len(best)))
    unchanged[best, np.arange(len(best))] = 1
    return _Table(
        np.hstack([components / scale, matrix[:, best].toarray()]),
        np.hstack([decomposition.components_.T / scale, unchanged]),
    )


def _sample(gold: NDArray[np.int64], size: int, seed: int) -> NDArray[np.int64]:
    """Take the tokens of mentions, two thirds of the sample at most, and fill up with others."""
    generator = np.random.default_rng(seed)
    inside, outside = np.flatnonzero(gold), np.flatnonzero(gold == 0)
    inside = generator.permutation(inside)[: size * 2 // 3]
    outside = generator.permutation(outside)[: size - len(inside)]
    return np.sort(np.concatenate([inside, outside]))


def _compared(
    compare: Compare,
    columns: NDArray[np.float64],
    gold: NDArray[np.int64],
    documents: NDArray[np.int64],
    settings: TokenAutomlParams,
    seed: int,
) -> Comparison:
    present, target = np.unique(gold, return_inverse=True)
    table = pd.DataFrame(columns, columns=[f"column_{i}" for i in range(columns.shape[1])])
    return compare(
        table.assign(tag=target, document=documents),
        "tag",
        include=INCLUDED,
        sort_metric="mention_f1",
        folds=settings.folds,
        seed=seed,
        metric_functions=_metrics(mentions=np.flatnonzero(present).tolist()),
        groups="document",
        deployable=KEPT,
        tunings=settings.tunings,
        grids=_GRIDS,
    )


def _metrics(mentions: list[int]) -> dict[str, MetricFunction]:
    from sklearn.metrics import accuracy_score, f1_score

    def mention_f1(truth: NDArray[Any], said: NDArray[Any]) -> float:
        return float(f1_score(truth, said, labels=mentions, average="micro", zero_division=0))

    def macro_f1(truth: NDArray[Any], said: NDArray[Any]) -> float:
        return float(f1_score(truth, said, average="macro", zero_division=0))

    return {"mention_f1": mention_f1, "macro_f1": macro_f1, "accuracy": accuracy_score}


def _with_intercept(
    weights: NDArray[np.float64], intercept: NDArray[np.float64], tokens: SparseTokens
) -> NDArray[np.float64]:
    """Give the intercept to an attribute that every token has.

    Raises
    ------
    ValueError
        When there is none.
    """
    constant = np.flatnonzero(np.bincount(tokens.rows, minlength=len(weights)) == len(tokens))
    if not len(constant):
        raise ValueError("no attribute is on every token, so that there is no place for an intercept")
    weights[constant[0]] += intercept
    return weights

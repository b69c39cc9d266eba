"""Logistic regression of the tag of one token: a linear chain whose weights know no neighbours.

The fitted coefficients are the weights of a `CrfTagger`, so that decoding over legal sequences,
exact posteriors, calibration and storage are the chain's.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from stages.common.tags import TokenSpan, to_bioes
from stages.featurize.attributes.tokens import SparseTokens
from stages.train.taggers.chain.crf import CrfTagger, TagSet

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from stages.train.params import TrainParams
    from stages.train.taggers.comparing import Compare

_SMOOTHING = 0.5


@dataclass(frozen=True)
class TokenLogistic(CrfTagger):
    """A chain whose weights come from a token classifier, and whose transitions are counted."""

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
        """Learn the weights by L-BFGS, one row of probabilities a token; `documents` and `compare` do not matter."""
        from sklearn.linear_model import LogisticRegression
        from threadpoolctl import threadpool_limits

        tag_set = tag_set_of(spans, labels)
        gold = tag_numbers(tokens, spans, tag_set)
        settings = params.token_logistic
        weights = np.zeros((n_rows, len(tag_set.tags)), dtype=np.float32)
        if len(np.unique(gold)) > 1:
            # The attributes hold a constant one, so that no intercept is needed.
            model = LogisticRegression(C=settings.c, fit_intercept=False, max_iter=settings.iterations, tol=1e-3)
            # One thread: the sums of L-BFGS would otherwise depend on how many there are.
            with threadpool_limits(1), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # `iterations` is a limit, not a promise to converge
                model.fit(sparse_matrix(tokens, n_rows), gold)
            weights = tag_weights(model, model.coef_.T, len(tag_set.tags))
        return cls(tag_set, weights, transition_scores(tokens, gold, tag_set, settings.transitions))


def tag_set_of(spans: Sequence[Sequence[TokenSpan]], labels: Sequence[str] | None = None) -> TagSet:
    """Return the tags of `labels`, or else of the labels that occur."""
    return TagSet(tuple(labels or sorted({label for sentence in spans for _, _, label in sentence})))


def tag_numbers(tokens: SparseTokens, spans: Sequence[Sequence[TokenSpan]], tag_set: TagSet) -> NDArray[np.int64]:
    """Return the number of each token's gold tag."""
    number = {tag: place for place, tag in enumerate(tag_set.tags)}
    lengths = np.diff(tokens.sentence_starts).tolist()
    tags = (tag for length, sentence in zip(lengths, spans, strict=True) for tag in to_bioes(length, sentence))
    return np.fromiter((number[tag] for tag in tags), dtype=np.int64, count=len(tokens))


def sparse_matrix(tokens: SparseTokens, n_rows: int) -> csr_matrix:
    """Return tokens by attributes, 1 where the token has the attribute."""
    from scipy.sparse import csr_matrix

    ones = np.ones(len(tokens.rows), dtype=np.float64)
    return csr_matrix((ones, tokens.rows, tokens.starts), shape=(len(tokens), n_rows))


def tag_weights(model: Any, weights: NDArray[np.float64], tags: int) -> NDArray[np.float32]:
    """Bring the coefficients of a fitted linear classifier into the order of the tags.

    Parameters
    ----------
    model
        Tells its `classes_`: numbers of tags, ascending.
    weights : array of shape (attributes, classes), or (attributes, 1) for two classes
    tags : int

    Returns
    -------
    float32 array of shape (attributes, tags)
        A tag that training never saw has the least weight of any tag everywhere, so that it never wins.
    """
    if weights.shape[1] == 1:
        weights = np.hstack([np.zeros_like(weights), weights])
    ordered = np.repeat(weights.min(axis=1, keepdims=True), tags, axis=1)
    ordered[:, model.classes_] = weights
    return ordered.astype(np.float32)


def transition_scores(
    tokens: SparseTokens, gold: NDArray[np.int64], tag_set: TagSet, weight: float
) -> NDArray[np.float32]:
    """Return `weight` times the pointwise mutual information of neighbouring tags.

    The classifier sees the neighbours' words, so it knows part of this already: a weight of 1
    counts that twice.
    """
    tags = len(tag_set.tags)
    inside = np.ones(len(gold), dtype=np.bool_)
    inside[tokens.sentence_starts[:-1][np.diff(tokens.sentence_starts) > 0]] = False
    right = np.flatnonzero(inside)
    counts = np.full((tags, tags), _SMOOTHING)
    np.add.at(counts, (gold[right - 1], gold[right]), 1)
    prior = np.bincount(gold, minlength=tags) + _SMOOTHING
    scores = np.log(counts / counts.sum(axis=1, keepdims=True)) - np.log(prior / prior.sum())
    return (weight * scores).astype(np.float32)

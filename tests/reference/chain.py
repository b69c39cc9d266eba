"""The chain in plain Python: every sequence of tags, and learning with all weights in one table."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from stages.common.tags import spans_of, to_bioes
from stages.featurize.attributes.tokens import SparseTokens
from stages.train.taggers.chain import kernels
from stages.train.taggers.chain.crf import TagSet
from stages.train.taggers.chain.learning_kernels import Run
from tests.callers import called

emissions, viterbi = called(kernels.emissions), called(kernels.viterbi)


def legal_paths(tag_set: TagSet, length: int) -> list[tuple[int, ...]]:
    """List every sequence of tags that some spans make."""
    tags = tag_set.tags
    paths = product(range(len(tags)), repeat=length)
    return [p for p in paths if to_bioes(length, spans_of([tags[y] for y in p])) == [tags[y] for y in p]]


def all_weights(run: Run, attributes: int) -> NDArray[np.float32]:
    """Return the weights of all attributes, most of which have none."""
    weights = np.zeros((attributes, run.weights.shape[1]), dtype=np.float32)
    weights[run.attributes] = run.weights
    return weights


def learned_plainly(
    tokens: SparseTokens,
    gold: NDArray[np.int8],
    orders: list[list[int]],
    tag_set: TagSet,
    bound: float,
    attributes: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Passive-aggressive updates of all weights in one table, the transitions' below the attributes'."""
    n_tags = len(tag_set.tags)
    weights = np.zeros((attributes + n_tags, n_tags), dtype=np.float32)
    drift = np.zeros(weights.shape)
    emitted, between = weights[:attributes], weights[attributes:]
    for step, s in enumerate(s for order in orders for s in order):
        first, stop = tokens.sentence_starts[s : s + 2]
        if first == stop:
            continue
        right, best = gold[first:stop], np.empty(stop - first, dtype=np.int8)
        scores = np.empty((stop - first, n_tags), dtype=np.float32)
        emissions(tokens.starts, tokens.rows, first, stop, emitted, scores)
        viterbi(scores, stop - first, between + tag_set.illegal(), *tag_set.ends(), best)
        counts, margin = np.zeros(weights.shape), 0.0
        for sign, tags in ((1, right), (-1, best)):
            for i, tag in enumerate(tags):
                if i:
                    counts[attributes + tags[i - 1], tag] += sign
                for row in tokens.rows[tokens.starts[first + i] : tokens.starts[first + i + 1]]:
                    counts[row, tag] += sign
        for i, (tag, other) in enumerate(zip(right, best, strict=True)):
            margin += scores[i, other] - scores[i, tag]
            margin += between[best[i - 1], other] - between[right[i - 1], tag] if i else 0
        if (right != best).any():
            change = min(bound, (margin + np.sqrt((right != best).sum())) / max((counts**2).sum(), 1e-9)) * counts
            weights[:] = weights + change
            drift += step * change
    weights -= drift / sum(map(len, orders))
    return emitted, between

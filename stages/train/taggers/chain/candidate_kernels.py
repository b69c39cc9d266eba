"""The compiled loop that lists the spans which a chain holds possible."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stages.common.compiled import kernel
from stages.train.taggers.chain.kernels import (
    Float32,
    Float64,
    Int32,
    Int64,
    exponentials,
    forward_backward,
    sentence_scores,
)

SENTENCE, FIRST, END, LABEL = range(4)
"""Columns of a table of spans; tokens are counted over the whole text, `END` is the one after the last."""

_COLUMNS = LABEL + 1

_O, _BEGIN, _INSIDE, _END, _SINGLE, _TAGS_OF_LABEL = 0, 1, 2, 3, 4, 4
"""Tags of the first label, in the order of `TagSet.tags`, and how many there are of each."""


class Lattice(NamedTuple):
    """One sentence as `forward_backward` sees it.

    Parameters
    ----------
    local, forward, backward : float64 arrays of shape (tokens, tags)
    scale : float64 array of shape (tokens,)
    factors : float64 array of shape (tags, tags)
        Exponentials of the transitions.
    """

    local: Float64
    forward: Float64
    backward: Float64
    scale: Float64
    factors: Float64


class Proposals(NamedTuple):
    """Room for candidates: a row of `SENTENCE`, `FIRST`, `END` and `LABEL` each, and a posterior."""

    spans: Int32
    posteriors: Float64


@kernel
def find_candidates(
    starts: Int64,
    rows: Int32,
    forms: Int32,
    form_scores: Float32,
    sentence_starts: Int64,
    weights: Float32,
    transitions: Float32,
    start: Float32,
    end: Float32,
    temperature: float,
    labels: int,
    least: float,
    longest: int,
) -> tuple[Int32, Float64, Float64]:
    """List every span whose exact posterior is at least `least`.

    Returns
    -------
    spans : int32 array of shape (candidates, 4)
        Sentence, first token and token after the last (of the whole text), label; sorted.
    posteriors : float64 array of shape (candidates,)
    outside : float64 array of shape (tokens,)
        Probability that the token is in no mention.
    """
    # Of the type that it has later: Numba compiles what is called with a literal 0 once more.
    count = np.int64(0)
    proposals = _room(len(starts) // 4)
    outside = np.empty(len(starts) - 1, dtype=np.float64)
    factors = exponentials(transitions, temperature)
    for s in range(len(sentence_starts) - 1):
        first, stop = sentence_starts[s], sentence_starts[s + 1]
        if first == stop:
            continue
        scores = np.empty((stop - first, weights.shape[1]), dtype=np.float32)
        sentence_scores(starts, rows, forms, form_scores, first, stop, weights, scores)
        local, forward, backward, scale = forward_backward(scores, factors, start, end, temperature)
        lattice = Lattice(local, forward, backward, scale, factors)
        for a in range(stop - first):
            outside[first + a] = forward[a, _O] * backward[a, _O]
            if count + labels * longest > len(proposals.posteriors):
                proposals = _copied(proposals, count, _room(2 * len(proposals.posteriors) + labels * longest))
            count = _propose_from(a, lattice, labels, least, longest, s, first, proposals, count)
    proposals = _copied(proposals, count, _room(count))
    return proposals.spans, proposals.posteriors, outside


@kernel(inner=True)
def _propose_from(
    a: int,
    lattice: Lattice,
    labels: int,
    least: float,
    longest: int,
    sentence: int,
    offset: int,
    proposals: Proposals,
    count: int,
) -> int:
    """Add the candidates whose first token is `a` of the sentence; return how many there are then.

    A span is extended only while the probability of being inside of it is still that large.
    """
    local, backward, scale, factors = lattice.local, lattice.backward, lattice.scale, lattice.factors
    for label in range(labels):
        tag = _TAGS_OF_LABEL * label
        inside, last, single = tag + _INSIDE, tag + _END, tag + _SINGLE
        previous = tag + _BEGIN
        value = lattice.forward[a, previous]
        for b in range(a, min(len(scale), a + longest)):
            if b == a:
                p = lattice.forward[a, single] * backward[a, single]
            else:
                p = value * factors[previous, last] * local[b, last] / scale[b] * backward[b, last]
            if p >= least:
                spans = proposals.spans
                spans[count, SENTENCE], spans[count, LABEL] = sentence, label
                spans[count, FIRST], spans[count, END] = offset + a, offset + b + 1
                proposals.posteriors[count] = min(1.0, p)
                count += 1
            if b > a:
                value *= factors[previous, inside] * local[b, inside] / scale[b]
                previous = inside
            if value * backward[b, previous] < least:
                break
    return count


@kernel(inner=True)
def _room(capacity: int) -> Proposals:
    return Proposals(np.empty((capacity, _COLUMNS), dtype=np.int32), np.empty(capacity, dtype=np.float64))


@kernel(inner=True)
def _copied(proposals: Proposals, count: int, target: Proposals) -> Proposals:
    """Return `target` with the first `count` proposals in it."""
    for i in range(count):
        for column in range(_COLUMNS):
            target.spans[i, column] = proposals.spans[i, column]
        target.posteriors[i] = proposals.posteriors[i]
    return target

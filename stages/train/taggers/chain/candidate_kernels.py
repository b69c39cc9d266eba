"""The compiled loop that lists the spans which a chain holds possible."""

from __future__ import annotations

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

COLUMNS = LABEL + 1

_O, _BEGIN, _INSIDE, _END, _SINGLE, _TAGS_OF_LABEL = 0, 1, 2, 3, 4, 4
"""Tags of the first label, in the order of `TagSet.tags`, and how many there are of each."""


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
    spans: Int32,
    posteriors: Float64,
    outside: Float64,
) -> int:
    """List every span whose exact posterior is at least `least`.

    Parameters
    ----------
    starts, rows, forms, form_scores, sentence_starts, weights, transitions, start, end, temperature
        As in `kernels.span_posteriors`.
    labels : int
    least : float
    longest : int
        Tokens of the longest span.
    spans : int32 array of shape (room, 4)
        Filled with sentence, first token and token after the last (of the whole text), label; sorted.
    posteriors : float64 array of shape (room,)
        Filled.
    outside : float64 array of shape (tokens,)
        Filled with the probability that the token is in no mention.

    Returns
    -------
    int
        How many such spans there are; those that there is no room for are not listed.
    """
    # Of the type that it has later: Numba compiles what is called with a literal 0 once more.
    count: int = np.int64(0)  # type: ignore[assignment]
    factors = exponentials(transitions, temperature)
    for s in range(len(sentence_starts) - 1):
        first, stop = sentence_starts[s], sentence_starts[s + 1]
        if first == stop:
            continue
        scores = np.empty((stop - first, weights.shape[1]), dtype=np.float32)
        sentence_scores(starts, rows, forms, form_scores, first, stop, weights, scores)
        local, forward, backward, scale = forward_backward(scores, factors, start, end, temperature)
        for a in range(stop - first):
            outside[first + a] = forward[a, _O] * backward[a, _O]
            for label in range(labels):
                tag = _TAGS_OF_LABEL * label
                inside, last, single = tag + _INSIDE, tag + _END, tag + _SINGLE
                previous = tag + _BEGIN
                value = forward[a, previous]
                p = forward[a, single] * backward[a, single]
                for b in range(a, a + longest):
                    if b > a:
                        p = value * factors[previous, last] * local[b, last] / scale[b] * backward[b, last]
                        value *= factors[previous, inside] * local[b, inside] / scale[b]
                        previous = inside
                    if p >= least:
                        if count < len(posteriors):
                            spans[count, SENTENCE], spans[count, LABEL] = s, label
                            spans[count, FIRST], spans[count, END] = first + a, first + b + 1
                            posteriors[count] = p if p < 1.0 else 1.0
                        count += 1
                    # A span is extended only while the probability of being inside of it is still that large.
                    if b + 1 == stop - first or value * backward[b, previous] < least:
                        break
    return count

"""Compiled loops of the linear-chain CRF: decoding and exact span posteriors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stages.common.compiled import kernel
from stages.featurize.attributes.kernels import offset_of

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int8 = NDArray[np.int8]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]

FORBIDDEN = -1e4
_UNDERFLOW = -300.0


@kernel(inner=True)
def emissions(starts: Int64, rows: Int32, first: int, end: int, weights: Float32, out: Float32) -> None:
    """Sum the weights of each token's attributes.

    Parameters
    ----------
    starts, rows
        Attributes of the tokens, in compressed sparse row form.
    first, end : int
        Range of tokens.
    weights : float32 array of shape (rows, tags)
    out : float32 array of shape (at least end - first, tags)
        Filled.
    """
    tags = weights.shape[1]
    for i in range(first, end):
        y = 0
        if tags >= 5:  # no tag and the tags of a label; so few sums stay in registers
            a = b = c = d = e = np.float32(0)
            for k in range(starts[i], starts[i + 1]):
                row = np.uint32(rows[k])  # no row is negative, which an index would be tested for
                a += weights[row, 0]
                b += weights[row, 1]
                c += weights[row, 2]
                d += weights[row, 3]
                e += weights[row, 4]
            out[i - first, 0], out[i - first, 1], out[i - first, 2] = a, b, c
            out[i - first, 3], out[i - first, 4] = d, e
            y = 5
        while y + 4 <= tags:
            a = b = c = d = np.float32(0)
            for k in range(starts[i], starts[i + 1]):
                row = np.uint32(rows[k])
                a += weights[row, y]
                b += weights[row, y + 1]
                c += weights[row, y + 2]
                d += weights[row, y + 3]
            out[i - first, y], out[i - first, y + 1] = a, b
            out[i - first, y + 2], out[i - first, y + 3] = c, d
            y += 4
        for rest in range(y, tags):
            a = np.float32(0)
            for k in range(starts[i], starts[i + 1]):
                a += weights[np.uint32(rows[k]), rest]
            out[i - first, rest] = a


@kernel(inner=True)
def sentence_scores(
    starts: Int64,
    rows: Int32,
    forms: Int32,
    form_scores: Float32,
    first: int,
    end: int,
    weights: Float32,
    out: Float32,
) -> None:
    """Sum the weights of each token of one sentence: of its attributes, and of the forms of its neighbours.

    Parameters
    ----------
    starts, rows, first, end, weights, out
        As in `emissions`.
    forms : int32 array of shape (tokens,)
        Empty where the rows have all attributes.
    form_scores : float32 array of shape (forms, 7, tags)
        As in `stages.featurize.attributes.tokens.FormScores`.
    """
    emissions(starts, rows, first, end, weights, out)
    if len(forms) == 0:
        return
    for i in range(first, end):
        for column in range(7):
            j = i + offset_of(column)
            if first <= j < end:
                for y in range(weights.shape[1]):
                    out[i - first, y] += form_scores[forms[j], column, y]


@kernel(inner=True)
def viterbi(scores: Float32, length: int, transitions: Float32, start: Float32, end: Float32, best: Int8) -> None:
    """Find the best legal tag sequence of one sentence (Viterbi 1967).

    Parameters
    ----------
    scores : float32 array of shape (at least length, tags)
    transitions : float32 array of shape (tags, tags)
        Score of tag ``y`` after tag ``x`` at ``[x, y]``; `FORBIDDEN` where illegal.
    start, end : float32 arrays of shape (tags,)
    best : int8 array of shape (at least length,)
        Filled. Ties go to the tag that comes first.
    """
    tags = transitions.shape[0]
    back = np.empty((length, tags), dtype=np.int8)
    current = np.empty(tags, dtype=np.float32)
    following = np.empty(tags, dtype=np.float32)
    for y in range(tags):
        current[y] = start[y] + scores[0, y]
    for i in range(1, length):
        for y in range(tags):
            top, source = current[0] + transitions[0, y], 0
            for x in range(1, tags):
                value = current[x] + transitions[x, y]
                if value > top:
                    top, source = value, x
            following[y] = top + scores[i, y]
            back[i, y] = source
        current, following = following, current
    last = 0
    for y in range(1, tags):
        if current[y] + end[y] > current[last] + end[last]:
            last = y
    for i in range(length - 1, -1, -1):
        best[i] = last
        last = back[i, last]


@kernel
def decode(
    starts: Int64,
    rows: Int32,
    forms: Int32,
    form_scores: Float32,
    sentence_starts: Int64,
    weights: Float32,
    transitions: Float32,
    start: Float32,
    end: Float32,
) -> Int8:
    """Tag every sentence.

    Returns
    -------
    int8 array of shape (tokens,)
    """
    best = np.empty(len(starts) - 1, dtype=np.int8)
    longest = 0
    for s in range(len(sentence_starts) - 1):
        longest = max(longest, sentence_starts[s + 1] - sentence_starts[s])
    scores = np.empty((longest, weights.shape[1]), dtype=np.float32)
    for s in range(len(sentence_starts) - 1):
        first, stop = sentence_starts[s], sentence_starts[s + 1]
        if stop > first:
            sentence_scores(starts, rows, forms, form_scores, first, stop, weights, scores)
            viterbi(scores, stop - first, transitions, start, end, best[first:stop])
    return best


@kernel
def span_posteriors(
    starts: Int64,
    rows: Int32,
    forms: Int32,
    form_scores: Float32,
    sentence_starts: Int64,
    weights: Float32,
    transitions: Float32,
    start: Float32,
    end: Float32,
    span_sentences: Int32,
    spans: Int32,
    span_tags: Int8,
    temperature: float,
) -> Float64:
    """Exact probability of each span, by forward-backward (Lafferty et al. 2001; spans: Culotta & McCallum 2004).

    Parameters
    ----------
    starts, rows, forms, form_scores, sentence_starts, weights, transitions, start, end
        As in `decode`.
    span_sentences : int32 array of shape (spans,)
        Sentence of each span, ascending.
    spans : int32 array of shape (spans, 2)
        First token and the token after the last, of the whole text.
    span_tags : int8 array of shape (spans, 4)
        Tags of a single token, and of the first, inner and last one.
    temperature : float
        Scores are divided by it.

    Returns
    -------
    float64 array of shape (spans,)
    """
    tags = weights.shape[1]
    out = np.empty(len(spans), dtype=np.float64)
    factors = exponentials(transitions, temperature)
    k = 0
    while k < len(spans):
        s = span_sentences[k]
        first, stop = sentence_starts[s], sentence_starts[s + 1]
        length = stop - first
        scores = np.empty((length, tags), dtype=np.float32)
        sentence_scores(starts, rows, forms, form_scores, first, stop, weights, scores)
        local, forward, backward, scale = forward_backward(scores, factors, start, end, temperature)
        while k < len(spans) and span_sentences[k] == s:
            a, b = spans[k, 0] - first, spans[k, 1] - first
            single, begin = span_tags[k, 0], span_tags[k, 1]
            inner, close = span_tags[k, 2], span_tags[k, 3]
            if b - a == 1:
                value = forward[a, single] * backward[a, single]
            else:
                value = forward[a, begin]
                previous = begin
                for i in range(a + 1, b):
                    tag = close if i == b - 1 else inner
                    value *= factors[previous, tag] * local[i, tag] / scale[i]
                    previous = tag
                value *= backward[b - 1, close]
            out[k] = value if value < 1.0 else 1.0
            k += 1
    return out


@kernel(inner=True)
def exponentials(transitions: Float32, temperature: float) -> Float64:
    """Return the factor of each transition: the exponential of its score."""
    factors = np.empty(transitions.shape, dtype=np.float64)
    for x in range(len(transitions)):
        for y in range(len(transitions)):
            factors[x, y] = np.exp(np.float64(transitions[x, y]) / temperature)
    return factors


@kernel(inner=True)
def forward_backward(
    scores: Float32, factors: Float64, start: Float32, end: Float32, temperature: float
) -> tuple[Float64, Float64, Float64, Float64]:
    """Scaled forward and backward variables (Rabiner 1989); forward * backward is the tag marginal."""
    length, tags = scores.shape
    local = np.empty((length, tags), dtype=np.float64)
    forward = np.empty((length, tags), dtype=np.float64)
    backward = np.empty((length, tags), dtype=np.float64)
    scale = np.empty(length, dtype=np.float64)
    for i in range(length):
        top = scores[i, 0]
        for y in range(1, tags):
            top = scores[i, y] if scores[i, y] > top else top
        total = 0.0
        for y in range(tags):
            bonus = 0.0
            if i == 0:
                bonus += start[y]
            if i == length - 1:
                bonus += end[y]
            exponent = (scores[i, y] - top) / temperature
            # An illegal tag may outscore the legal ones by so much that these would underflow to nothing.
            local[i, y] = np.exp(max(exponent, _UNDERFLOW) + bonus / temperature)
            value = 1.0
            if i > 0:
                value = 0.0
                for x in range(tags):
                    value += forward[i - 1, x] * factors[x, y]
            forward[i, y] = value * local[i, y]
            total += forward[i, y]
        scale[i] = total
        for y in range(tags):
            forward[i, y] /= total
    for i in range(length - 1, -1, -1):
        for x in range(tags):
            backward[i, x] = 1.0
            if i + 1 < length:
                value = 0.0
                for y in range(tags):
                    value += factors[x, y] * local[i + 1, y] * backward[i + 1, y]
                backward[i, x] = value / scale[i + 1]
    return local, forward, backward, scale

"""Compiled loops of the span model: candidates, and the evidence about them."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from stages.featurize.attributes.kernels import CAPITALISED, CLOSES, HYPHEN, JOINS, OPENS, SEED, extend_key, find
from stages.train.taggers.chain.kernels import forward_backward, sentence_scores

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int8 = NDArray[np.int8]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
UInt64 = NDArray[np.uint64]


@njit(cache=True, inline="always")
def phrase_key(stems: UInt64, first: int, end: int) -> np.uint64:
    """Hash the stems of the phrase ``stems[first:end]``."""
    key = SEED
    for t in range(first, end):
        key = extend_key(key, stems[t])
    return key


@njit(cache=True)
def phrase_keys(stems: UInt64, first: Int64, end: Int64) -> UInt64:
    """Hash the stems of each phrase ``stems[first:end]``."""
    keys = np.empty(len(first), dtype=np.uint64)
    for i in range(len(first)):
        keys[i] = phrase_key(stems, first[i], end[i])
    return keys


@njit(cache=True)
def count_occurrences(
    stems: UInt64, sentence_starts: Int64, table_keys: UInt64, table_rows: Int32, counts: Int32, longest: int
) -> None:
    """Count how often each known phrase stands in the text, marked or not; adds to `counts`."""
    for s in range(len(sentence_starts) - 1):
        start, stop = sentence_starts[s], sentence_starts[s + 1]
        for a in range(start, stop):
            key = SEED
            for b in range(a, min(stop, a + longest)):
                key = extend_key(key, stems[b])
                row = find(key, table_keys, table_rows)
                if row >= 0:
                    counts[row] += 1


@njit(cache=True)
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

    A span is extended only while the probability of being inside of it is still that large.

    Returns
    -------
    spans : int32 array of shape (candidates, 4)
        Sentence, first token and token after the last (of the whole text), label; sorted.
    posteriors : float64 array of shape (candidates,)
    outside : float64 array of shape (tokens,)
        Probability that the token is in no mention.
    """
    capacity, count = 1024, 0
    spans = np.empty((capacity, 4), dtype=np.int32)
    posteriors = np.empty(capacity, dtype=np.float64)
    outside = np.empty(len(starts) - 1, dtype=np.float64)
    factors = np.exp(transitions.astype(np.float64) / temperature)
    for s in range(len(sentence_starts) - 1):
        first, stop = sentence_starts[s], sentence_starts[s + 1]
        length = stop - first
        if length == 0:
            continue
        scores = np.empty((length, weights.shape[1]), dtype=np.float32)
        sentence_scores(starts, rows, forms, form_scores, first, stop, weights, scores)
        local, forward, backward, scale = forward_backward(scores, factors, start, end, temperature)
        for a in range(length):
            outside[first + a] = forward[a, 0] * backward[a, 0]
            for label in range(labels):
                begin = 1 + 4 * label
                inner, close, single = begin + 1, begin + 2, begin + 3
                value, previous = forward[a, begin], begin
                for b in range(a, min(length, a + longest)):
                    if b == a:
                        p = forward[a, single] * backward[a, single]
                    else:
                        p = value * factors[previous, close] * local[b, close] / scale[b] * backward[b, close]
                    if p >= least:
                        if count == capacity:
                            capacity *= 2
                            grown = np.empty((capacity, 4), dtype=np.int32)
                            grown[:count] = spans
                            spans = grown
                            grown_p = np.empty(capacity, dtype=np.float64)
                            grown_p[:count] = posteriors
                            posteriors = grown_p
                        spans[count, 0] = s
                        spans[count, 1] = first + a
                        spans[count, 2] = first + b + 1
                        spans[count, 3] = label
                        posteriors[count] = min(1.0, p)
                        count += 1
                    if b > a:
                        value *= factors[previous, inner] * local[b, inner] / scale[b]
                        previous = inner
                    if value * backward[b, previous] < least:
                        break
    return spans[:count].copy(), posteriors[:count].copy(), outside


@njit(cache=True, inline="always")
def _share(yes: int, no: int) -> float:
    """Smoothed share: 0.2 when nothing is known."""
    return (yes + 0.2) / (yes + no + 1.0)


@njit(cache=True)
def evidence(
    spans: Int32,
    posteriors: Float64,
    outside: Float64,
    keys: UInt64,
    by_key: Int64,
    of_sentence: Int64,
    sentence_starts: Int64,
    words: UInt64,
    stems: UInt64,
    lengths: NDArray[np.int16],
    flags: Int8,
    long_forms: NDArray[np.int16],
    contexts: Int32,
    definitions: Int64,
    definitions_until: Int64,
    stem_keys: UInt64,
    stem_rows: Int32,
    stem_counts: Int32,
    phrase_table: UInt64,
    phrase_rows: Int32,
    phrase_counts: Int32,
    window: int,
    out: Float32,
) -> None:
    """Fill one row of evidence per candidate; the first columns are named by `evidence.SPAN_NAMES`.

    Parameters
    ----------
    spans, posteriors, outside
        From `find_candidates`.
    keys : uint64 array of shape (candidates,)
        From `phrase_keys`.
    by_key : int64 array of shape (candidates,)
        Candidates sorted by key, then by place.
    of_sentence : int64 array of shape (sentences + 1,)
        First candidate of each sentence.
    definitions : int64 array of shape (definitions, 2)
        Sentence and short-form token of each abbreviation, in order.
    definitions_until : int64 array of shape (sentences,)
        How many of them stand in a sentence or before it.
    stem_counts : int32 array of shape (stems, 6)
        How often a stem is first, last, before, after, inside of a mention, and anywhere.
    phrase_counts : int32 array of shape (phrases, labels + 1)
        How often a phrase is a mention of each label, and how often it stands in the text.
    window : int
        How many sentences away other occurrences count.
    out : float32 array of shape (candidates, at least 46)
    """
    none = np.zeros(6, dtype=np.int32)
    labels = phrase_counts.shape[1] - 1
    for i in range(len(spans)):
        s, a, b, label = spans[i, 0], spans[i, 1], spans[i, 2], spans[i, 3]
        p = min(max(posteriors[i], 1e-6), 1 - 1e-6)
        first, stop = sentence_starts[s], sentence_starts[s + 1]
        out[i, 0] = np.log(p / (1 - p))
        # Rivals: candidates that overlap this one.
        best = total = other_best = other_total = inner = outer = same_start = same_end = 0.0
        for j in range(of_sentence[s], of_sentence[s + 1]):
            if j == i or spans[j, 1] >= b or a >= spans[j, 2]:
                continue
            q = posteriors[j]
            if spans[j, 3] != label:
                other_best = max(other_best, q)
                other_total += q
                continue
            best = max(best, q)
            total += q
            if spans[j, 1] >= a and spans[j, 2] <= b:
                inner = max(inner, q)
            if spans[j, 1] <= a and spans[j, 2] >= b:
                outer = max(outer, q)
            if spans[j, 1] == a:
                same_start += q
            if spans[j, 2] == b:
                same_end += q
        out[i, 1], out[i, 2], out[i, 3], out[i, 4] = best, total, other_best, other_total
        out[i, 5], out[i, 6], out[i, 7], out[i, 8] = inner, outer, same_start, same_end
        # How sure the tagger is of each token.
        out[i, 9] = outside[a:b].mean()
        out[i, 10] = outside[a:b].max()
        out[i, 11] = outside[a:b].min()
        out[i, 12] = outside[a - 1] if a > first else -1.0
        out[i, 13] = outside[b] if b < stop else -1.0
        # Form.
        characters = brackets = opens = joins = hyphens = 0
        rarest = 2**30
        for t in range(a, b):
            characters += lengths[t]
            opens += 1 if flags[t] & OPENS else 0
            brackets += (1 if flags[t] & OPENS else 0) - (1 if flags[t] & CLOSES else 0)
            joins += 1 if flags[t] & JOINS else 0
            hyphens += 1 if flags[t] & HYPHEN else 0
            row = find(stems[t], stem_keys, stem_rows)
            rarest = min(rarest, stem_counts[row, 5] if row >= 0 else 0)
        out[i, 14], out[i, 15], out[i, 16] = b - a, characters, label
        out[i, 17], out[i, 18] = brackets, opens > 0
        out[i, 19] = a > first and b < stop and flags[a - 1] & OPENS > 0 and flags[b] & CLOSES > 0
        out[i, 20] = b - a == 1 and flags[a] & CAPITALISED > 0
        out[i, 21], out[i, 22] = joins > 0, hyphens > 0
        out[i, 23] = a > first and flags[a - 1] & HYPHEN > 0
        out[i, 24] = b < stop and flags[b] & HYPHEN > 0
        # What training says of the phrase and of its edges.
        row = find(keys[i], phrase_table, phrase_rows)
        same = other = anywhere = 0
        if row >= 0:
            same = phrase_counts[row, label]
            anywhere = phrase_counts[row, labels]
            for k in range(labels):
                other += phrase_counts[row, k]
            other -= same
        out[i, 25], out[i, 26], out[i, 27] = same, other, anywhere - same - other
        out[i, 28] = (same + 0.1) / (anywhere + 0.5) if row >= 0 and anywhere > 0 else -1.0
        row = find(stems[a], stem_keys, stem_rows)
        left = stem_counts[row] if row >= 0 else none
        row = find(stems[b - 1], stem_keys, stem_rows)
        right = stem_counts[row] if row >= 0 else none
        out[i, 29], out[i, 30] = _share(left[0], left[2]), left[0] + left[2]
        out[i, 31], out[i, 32] = _share(right[1], right[3]), right[1]
        out[i, 33] = out[i, 34] = -1.0
        if a > first:
            row = find(stems[a - 1], stem_keys, stem_rows)
            before = stem_counts[row] if row >= 0 else none
            out[i, 33] = _share(before[0], before[2])
        if b < stop:
            row = find(stems[b], stem_keys, stem_rows)
            after = stem_counts[row] if row >= 0 else none
            out[i, 34] = _share(after[1], after[3])
        out[i, 35] = _share(left[4], left[5] - left[4])
        out[i, 36] = _share(right[4], right[5] - right[4])
        out[i, 37] = rarest
        # An abbreviation is what its long form is, and the other way round.
        out[i, 42] = out[i, 43] = out[i, 44] = out[i, 45] = -1.0
        for d in range(definitions_until[s] - 1, -1, -1):
            where, short = definitions[d, 0], definitions[d, 1]
            if contexts[where] != contexts[s] or s - where > window:
                break
            long_start, long_end = short - long_forms[short], short - 1
            if b - a == 1 and words[a] == words[short] and out[i, 42] < 0:
                out[i, 42] = out[i, 43] = 0.0
                for j in range(of_sentence[where], of_sentence[where + 1]):
                    if spans[j, 2] == long_end and spans[j, 3] == label:
                        out[i, 42] += posteriors[j]
                        if spans[j, 1] == long_start:
                            out[i, 43] = posteriors[j]
            if where == s and b == long_end:
                out[i, 44] = 0.0
                for j in range(of_sentence[s], of_sentence[s + 1]):
                    if spans[j, 2] == short + 1 and spans[j, 3] == label:
                        out[i, 44] += posteriors[j]
                out[i, 45] = 1.0 if a == long_start else 0.5 if a < long_start else 0.0
    _elsewhere(spans, posteriors, keys, by_key, contexts, window, out)


@njit(cache=True)
def _elsewhere(
    spans: Int32, posteriors: Float64, keys: UInt64, by_key: Int64, contexts: Int32, window: int, out: Float32
) -> None:
    """Fill in what the tagger thinks of the same phrase in the sentences around."""
    for place in range(len(by_key)):
        i = by_key[place]
        s, label = spans[i, 0], spans[i, 3]
        count, best, total, other = 0, -1.0, 0.0, -1.0
        for step in (-1, 1):
            q = place + step
            while 0 <= q < len(by_key):
                j = by_key[q]
                if keys[j] != keys[i] or contexts[spans[j, 0]] != contexts[s] or abs(spans[j, 0] - s) > window:
                    break
                if spans[j, 0] != s:
                    if spans[j, 3] == label:
                        count += 1
                        total += posteriors[j]
                        best = max(best, posteriors[j])
                    else:
                        other = max(other, posteriors[j])
                q += step
        out[i, 38], out[i, 39] = count, best
        out[i, 40] = total / count if count else -1.0
        out[i, 41] = other

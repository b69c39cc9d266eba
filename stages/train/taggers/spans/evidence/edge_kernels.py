"""Compiled loops over the edges of spans: neighbouring stems, heads, and phrases one word longer or shorter."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from stages.featurize.attributes.kernels import extend_key, find
from stages.train.taggers.spans.span_kernels import Float32, Int32, Int64, UInt64, phrase_key

BORDER = np.uint64(0)
"""Stands for the stem before the first token of a sentence and after the last one."""

Table = tuple[UInt64, Int32]
"""Keys and rows, from `build_table`."""


@njit(cache=True, inline="always")
def _pair_key(left: np.uint64, right: np.uint64) -> np.uint64:
    return extend_key(extend_key(BORDER, left), right)


@njit(cache=True)
def pair_keys(stems: UInt64, sentence_starts: Int64) -> UInt64:
    """Hash each stem with the one before it, sentence by sentence, and the last stem with the border.

    Returns
    -------
    uint64 array of shape (tokens + sentences,)
        The pair to the left of token ``t`` of sentence ``s`` is at ``t + s``.
    """
    keys = np.empty(len(stems) + len(sentence_starts) - 1, dtype=np.uint64)
    for s in range(len(sentence_starts) - 1):
        left = BORDER
        for t in range(sentence_starts[s], sentence_starts[s + 1]):
            keys[t + s] = _pair_key(left, stems[t])
            left = stems[t]
        keys[sentence_starts[s + 1] + s] = _pair_key(left, BORDER)
    return keys


@njit(cache=True, inline="always")
def _share(yes: float, no: float, prior: float) -> float:
    """Share of `yes`, smoothed by one observation of the prior."""
    return (yes + prior) / (yes + no + 1.0)


@njit(cache=True, inline="always")
def _counts(key: np.uint64, table: Table, counts: Int32) -> Int32:
    """Return the counts of a key; the last row, which is all zeros, for one that is not known."""
    return counts[find(key, table[0], table[1])]


@njit(cache=True)
def _fill_pairs(keys: UInt64, label: int, pairs: Table, counts: Int32, out: Float32) -> None:
    """Fill in what training says of the pairs from the left edge (the first of `keys`) to the right one."""
    left, right = _counts(keys[0], pairs, counts), _counts(keys[-1], pairs, counts)
    out[0], out[1] = _share(left[0], left[3] - left[0], 0.2), left[3]
    out[2], out[3] = _share(right[1], right[3] - right[1], 0.2), right[3]
    out[4] = left[2] / (left[2] + left[0] + 0.5)
    out[5] = right[2] / (right[2] + right[1] + 0.5)
    out[6] = out[7] = out[8] = out[9] = out[10] = -1.0
    if len(keys) > 2:
        head = _counts(keys[-2], pairs, counts)
        out[6], out[7], out[8] = _share(head[4 + label], head[3] - head[4 + label], 0.1), head[4 + label], head[3]
        total, least = 0.0, 1.0
        for key in keys[1:-1]:
            pair = _counts(key, pairs, counts)
            share = _share(pair[2], pair[3] - pair[2], 0.1)
            total += share
            least = min(least, share)
        out[9], out[10] = total / (len(keys) - 2), least


@njit(cache=True)
def _fill_words(
    words: UInt64, label: int, stems: Table, counts: Int32, label_counts: NDArray[np.int32], out: Float32
) -> None:
    """Fill in what training says of the words of a span with this label, and of the words around it.

    `words` begins with the stem before the span and ends with the one after it.
    """
    unknown = 0
    least, most, total, of_mentions = 1.0, 0.0, 0.0, 0.0
    for k in range(len(words)):
        row = find(words[k], stems[0], stems[1])
        anywhere = counts[row, 5] if row >= 0 else 0
        first, last, inside = label_counts[row, label]
        share = _share(inside, anywhere - inside, 0.1)
        if k == 0:
            out[0] = share
        elif k == len(words) - 1:
            out[1] = share
        else:
            unknown += anywhere == 0
            least, most, total = min(least, share), max(most, share), total + share
            of_mentions += _share(inside, label_counts[row, :, 2].sum() - inside, 0.5)
        if k == 1:
            out[2] = _share(first, anywhere - first, 0.1)
        if k == len(words) - 2:
            out[3], out[4] = _share(last, anywhere - last, 0.1), last
            out[5] = _share(last, label_counts[row, :, 1].sum() - last, 0.5)
    tokens = len(words) - 2
    out[6], out[7], out[8], out[9], out[10] = least, total / tokens, most, of_mentions / tokens, unknown


@njit(cache=True)
def _fill_phrases(words: UInt64, label: int, phrases: Table, counts: Int32, out: Float32) -> None:
    """Fill in how often the phrase is a mention with one word less or more; `words` as in `_fill_words`."""
    end = len(words) - 1
    out[0] = out[1] = out[2] = out[3] = 0.0
    if end > 2:
        shorter = _counts(phrase_key(words, 2, end), phrases, counts)
        out[0], out[1] = shorter[:-1].sum() > 0, shorter[label]
        shorter = _counts(phrase_key(words, 1, end - 1), phrases, counts)
        out[2], out[3] = shorter[:-1].sum() > 0, shorter[label]
    out[4] = _counts(phrase_key(words, 0, end), phrases, counts)[label]
    out[5] = _counts(phrase_key(words, 1, end + 1), phrases, counts)[label]


@njit(cache=True)
def edge_evidence(
    spans: Int32,
    stems: UInt64,
    sentence_starts: Int64,
    keys: UInt64,
    stem_table: Table,
    stem_counts: Int32,
    label_counts: NDArray[np.int32],
    pair_table: Table,
    pair_counts: Int32,
    phrase_table: Table,
    phrase_counts: Int32,
    out: Float32,
) -> None:
    """Fill one row of evidence per candidate; the columns are named by `evidence.EDGE_NAMES`.

    Parameters
    ----------
    spans : int32 array of shape (candidates, 4)
    keys : uint64 array
        From `pair_keys`.
    stem_counts, label_counts, pair_counts, phrase_counts
        From `SpanStatistics`, each with a row of zeros at its end.
    out : float32 array of shape (candidates, 28)
    """
    for i in range(len(spans)):
        s, a, b, label = spans[i, 0], spans[i, 1], spans[i, 2], spans[i, 3]
        words = np.empty(b - a + 2, dtype=np.uint64)
        words[0] = stems[a - 1] if a > sentence_starts[s] else BORDER
        words[1:-1] = stems[a:b]
        words[-1] = stems[b] if b < sentence_starts[s + 1] else BORDER
        _fill_pairs(keys[a + s : b + s + 1], label, pair_table, pair_counts, out[i, :11])
        _fill_words(words, label, stem_table, stem_counts, label_counts, out[i, 11:22])
        _fill_phrases(words, label, phrase_table, phrase_counts, out[i, 22:28])

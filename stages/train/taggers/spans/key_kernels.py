"""Compiled loops that make keys of phrases and of neighbouring stems, and count phrases by them."""

from __future__ import annotations

import numpy as np

from stages.common.compiled import kernel
from stages.featurize.attributes.kernels import SEED, extend_key, find
from stages.train.taggers.spans.arrays import Int32, Int64, Table, UInt64

BORDER = np.uint64(0)
"""Stands for the stem before the first token of a sentence and after the last one."""


@kernel(inner=True)
def phrase_key(stems: UInt64, first: int, end: int) -> np.uint64:
    """Hash the stems of the phrase ``stems[first:end]``."""
    key = SEED
    for t in range(first, end):
        key = extend_key(key, stems[t])
    return key


@kernel
def phrase_keys(stems: UInt64, first: Int64, end: Int64) -> UInt64:
    """Hash the stems of each phrase ``stems[first[i]:end[i]]``."""
    keys = np.empty(len(first), dtype=np.uint64)
    for i in range(len(first)):
        keys[i] = phrase_key(stems, first[i], end[i])
    return keys


@kernel
def pair_keys(stems: UInt64, sentence_starts: Int64) -> UInt64:
    """Hash each stem with the one before it, sentence by sentence, and the last stem with the border.

    Returns
    -------
    uint64 array of shape (tokens + sentences,)
        The pair to the left of token ``t`` of sentence ``s`` is at ``t + s``.
    """
    keys = np.empty(len(stems) + len(sentence_starts) - 1, dtype=np.uint64)
    for s in range(len(sentence_starts) - 1):
        start, stop = sentence_starts[s], sentence_starts[s + 1]
        left = BORDER
        for t in range(start, stop + 1):
            right = stems[t] if t < stop else BORDER
            keys[t + s] = extend_key(extend_key(BORDER, left), right)
            left = right
    return keys


@kernel
def count_occurrences(stems: UInt64, sentence_starts: Int64, phrases: Table, counts: Int32, longest: int) -> None:
    """Count how often each known phrase stands in the text, marked or not; adds to `counts`."""
    for s in range(len(sentence_starts) - 1):
        start, stop = sentence_starts[s], sentence_starts[s + 1]
        for first in range(start, stop):
            key = SEED
            for last in range(first, min(stop, first + longest)):
                key = extend_key(key, stems[last])
                row = find(key, phrases.keys, phrases.rows)
                if row >= 0:
                    counts[row] += 1

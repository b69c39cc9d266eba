"""The compiled loop that tells how spans lie to the terms of the terminology."""

from __future__ import annotations

from numba import njit

from stages.featurize.attributes.terminology import CATEGORIES, MOST_TOKENS
from stages.train.taggers.spans.span_kernels import Float32, Int8, Int32, Int64

TERM_NAMES = tuple(
    relation.format(category)
    for relation in (
        "is a term: {}",
        "in a longer term: {}, tokens",
        "longest term inside: {}, share",
        "ends with a term: {}, share",
        "crosses a term: {}, tokens",
    )
    for category in CATEGORIES
)


@njit(cache=True)
def term_evidence(spans: Int32, terms: Int8, sentence_starts: Int64, out: Float32) -> None:
    """Fill the columns of `TERM_NAMES`, a row per span.

    Parameters
    ----------
    spans : int32 array of shape (spans, 4)
        Sentence, first token, token after the last, label.
    terms : int8 array of shape (tokens, categories)
        As in `stages.featurize.attributes.tokens.Surface`: the longest term that starts at each token.
    sentence_starts : int64 array of shape (sentences + 1,)
    out : float32 array of shape (spans, 5 * categories)
        Filled.
    """
    categories = terms.shape[1]
    out[:] = 0.0
    for i in range(len(spans)):
        first, end = spans[i, 1], spans[i, 2]
        earliest = max(sentence_starts[spans[i, 0]], first - MOST_TOKENS + 1)
        for start in range(earliest, end):
            for category in range(categories):
                length = terms[start, category]
                stop = start + length
                if length == 0 or stop <= first:
                    continue
                if start >= first and stop <= end:
                    share = length / (end - first)
                    if start == first and stop == end:
                        out[i, category] = 1.0
                    _raise_to(out, i, 2 * categories + category, share)
                    if stop == end:
                        _raise_to(out, i, 3 * categories + category, share)
                elif start <= first and stop >= end:
                    _raise_to(out, i, categories + category, length)
                else:
                    _raise_to(out, i, 4 * categories + category, length)


@njit(cache=True, inline="always")
def _raise_to(out: Float32, row: int, column: int, value: float) -> None:
    out[row, column] = max(out[row, column], value)

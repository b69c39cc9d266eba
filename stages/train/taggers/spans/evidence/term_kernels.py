"""How a span lies to the terms of the terminology."""

from __future__ import annotations

import numpy as np

from stages.common.compiled import kernel
from stages.featurize.attributes.terminology import CATEGORIES, MOST_TOKENS
from stages.train.taggers.chain.candidate_kernels import END, FIRST, SENTENCE
from stages.train.taggers.spans.arrays import Float32, Int8, Int32, Int64

_RELATIONS = (
    "is a term: {}",
    "in a longer term: {}, tokens",
    "longest term inside: {}, share",
    "ends with a term: {}, share",
    "crosses a term: {}, tokens",
)
TERM_NAMES = tuple(relation.format(category) for relation in _RELATIONS for category in CATEGORIES)
IS_TERM, IN_LONGER, LONGEST_INSIDE, ENDS_WITH, CROSSES = (k * len(CATEGORIES) for k in range(len(_RELATIONS)))
"""First column of each relation; the categories follow."""


@kernel(inner=True)
def term_evidence(spans: Int32, terms: Int8, sentence_starts: Int64, out: Float32, at: int) -> None:
    """Fill the columns of `TERM_NAMES`, a row per candidate.

    A span, and terms as they may lie to it::

        span      . . [a a a a] . . .
        itself    . . [b b b b] . . .     is a term, longest term inside, ends with a term
        around    . [c c c c c] . . .     in a longer term
        inside    . . . . [d d] . . .     longest term inside, ends with a term
        crossing  . . . . . [e e e] .     crosses a term
    """
    for i in range(len(spans)):
        first, end = spans[i, FIRST], spans[i, END]
        for column in range(len(TERM_NAMES)):
            out[i, at + column] = 0.0
        earliest, begin = first - MOST_TOKENS + 1, sentence_starts[spans[i, SENTENCE]]
        for start in range(earliest if earliest > begin else begin, end):
            for category in range(len(CATEGORIES)):
                length = terms[start, category]
                stop = start + length
                if length == 0 or stop <= first:
                    continue
                tokens = np.float64(length)
                if start >= first and stop <= end:
                    share = tokens / (end - first)
                    if start == first and stop == end:
                        out[i, at + IS_TERM + category] = 1.0
                    _raise_to(out, i, at + LONGEST_INSIDE + category, share)
                    if stop == end:
                        _raise_to(out, i, at + ENDS_WITH + category, share)
                elif start <= first and stop >= end:
                    _raise_to(out, i, at + IN_LONGER + category, tokens)
                else:
                    _raise_to(out, i, at + CROSSES + category, tokens)


@kernel(inner=True)
def _raise_to(out: Float32, row: int, column: int, value: float) -> None:
    if value > out[row, column]:  # noqa: PLR1730  (max is compiled by itself for these types)
        out[row, column] = value

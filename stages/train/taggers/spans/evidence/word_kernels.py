"""What training says of the words of a span and of those beside it, whatever the label."""

from __future__ import annotations

from stages.common.compiled import kernel
from stages.train.taggers.chain.candidate_kernels import END, FIRST, SENTENCE
from stages.train.taggers.spans.arrays import (
    STEM_AFTER,
    STEM_ANYWHERE,
    STEM_BEFORE,
    STEM_FIRST,
    STEM_INSIDE,
    STEM_LAST,
    Float32,
    Int32,
    Int64,
)
from stages.train.taggers.spans.evidence.share import smoothed

WORD_NAMES = (
    "first word starts mentions",
    "first word at or before a start, count",
    "last word ends mentions",
    "last word at an end, count",
    "word before starts mentions",
    "word after ends mentions",
    "first word inside of mentions",
    "last word inside of mentions",
    "rarest word, count",
)
(
    FIRST_STARTS,
    FIRST_AT_OR_BEFORE_START,
    LAST_ENDS,
    LAST_AT_END,
    BEFORE_STARTS,
    AFTER_ENDS,
    FIRST_INSIDE,
    LAST_INSIDE,
    RAREST,
) = range(len(WORD_NAMES))

_PRIOR = 0.2


@kernel(inner=True)
def word_evidence(spans: Int32, rows: Int32, sentence_starts: Int64, counts: Int32, out: Float32, at: int) -> None:
    """Fill the columns of `WORD_NAMES`, a row per candidate.

    The words of a span, and the columns that are about them::

        … | before | first  …  last | after | …      there is no word before or after a sentence: -1
            starts   starts    ends   ends
                     inside  inside
    """
    for i in range(len(spans)):
        sentence, first, end = spans[i, SENTENCE], spans[i, FIRST], spans[i, END]
        left, right = rows[first], rows[end - 1]
        at_or_before = counts[left, STEM_FIRST] + counts[left, STEM_BEFORE]
        at_or_after = counts[right, STEM_LAST] + counts[right, STEM_AFTER]
        out[i, at + FIRST_STARTS] = smoothed(counts[left, STEM_FIRST], at_or_before, _PRIOR)
        out[i, at + FIRST_AT_OR_BEFORE_START] = at_or_before
        out[i, at + LAST_ENDS] = smoothed(counts[right, STEM_LAST], at_or_after, _PRIOR)
        out[i, at + LAST_AT_END] = counts[right, STEM_LAST]
        out[i, at + BEFORE_STARTS] = out[i, at + AFTER_ENDS] = -1.0
        if first > sentence_starts[sentence]:
            row = rows[first - 1]
            starting, known = counts[row, STEM_FIRST], counts[row, STEM_FIRST] + counts[row, STEM_BEFORE]
            out[i, at + BEFORE_STARTS] = smoothed(starting, known, _PRIOR)
        if end < sentence_starts[sentence + 1]:
            row = rows[end]
            ending, known = counts[row, STEM_LAST], counts[row, STEM_LAST] + counts[row, STEM_AFTER]
            out[i, at + AFTER_ENDS] = smoothed(ending, known, _PRIOR)
        out[i, at + FIRST_INSIDE] = smoothed(counts[left, STEM_INSIDE], counts[left, STEM_ANYWHERE], _PRIOR)
        out[i, at + LAST_INSIDE] = smoothed(counts[right, STEM_INSIDE], counts[right, STEM_ANYWHERE], _PRIOR)
        rarest = counts[left, STEM_ANYWHERE]
        for t in range(first + 1, end):
            times = counts[rows[t], STEM_ANYWHERE]
            rarest = times if times < rarest else rarest
        out[i, at + RAREST] = rarest

"""What the tagger makes of a span, and of the candidates that overlap it."""

from __future__ import annotations

import numpy as np

from stages.common.compiled import kernel
from stages.train.taggers.chain.candidate_kernels import END, FIRST, LABEL, SENTENCE
from stages.train.taggers.spans.arrays import Float32, Float64, Int32, Int64

RIVAL_NAMES = (
    "log odds of the tagger",
    "best rival of the same label",
    "sum of rivals of the same label",
    "best rival of another label",
    "sum of rivals of another label",
    "best span inside",
    "best span around",
    "rivals with the same start",
    "rivals with the same end",
)
(
    LOG_ODDS,
    BEST_OF_LABEL,
    SUM_OF_LABEL,
    BEST_OF_OTHERS,
    SUM_OF_OTHERS,
    BEST_INSIDE,
    BEST_AROUND,
    SAME_START,
    SAME_END,
) = range(len(RIVAL_NAMES))

_LEAST = 1e-6
"""Posteriors nearer to 0 or 1 count as this near."""


@kernel(inner=True)
def rival_evidence(spans: Int32, posteriors: Float64, of_sentence: Int64, out: Float32, at: int) -> None:
    """Fill the columns of `RIVAL_NAMES`, a row per candidate.

    A span and its rivals, with how they count for it::

        span      . . [a a a a] . . .
        inside    . . . [b b] . . . .     best span inside
        around    . [c c c c c] . . .     best span around
        start     . . [d d] . . . . .     best span inside, rivals with the same start
        crossing  . . . . . [e e e] .     only among the rivals of the same label
    """
    for i in range(len(spans)):
        sentence, first = spans[i, SENTENCE], spans[i, FIRST]
        end, label = spans[i, END], spans[i, LABEL]
        best = total = other_best = other_total = inside = around = same_start = same_end = 0.0
        for j in range(of_sentence[sentence], of_sentence[sentence + 1]):
            rival_first, rival_end, p = spans[j, FIRST], spans[j, END], posteriors[j]
            if j == i or rival_first >= end or first >= rival_end:
                continue
            if spans[j, LABEL] != label:
                other_best = max(other_best, p)
                other_total += p
                continue
            best = max(best, p)
            total += p
            if rival_first >= first and rival_end <= end:
                inside = max(inside, p)
            if rival_first <= first and rival_end >= end:
                around = max(around, p)
            if rival_first == first:
                same_start += p
            if rival_end == end:
                same_end += p
        p = min(max(posteriors[i], _LEAST), 1 - _LEAST)
        out[i, at + LOG_ODDS] = np.log(p / (1 - p))
        out[i, at + BEST_OF_LABEL], out[i, at + SUM_OF_LABEL] = best, total
        out[i, at + BEST_OF_OTHERS], out[i, at + SUM_OF_OTHERS] = other_best, other_total
        out[i, at + BEST_INSIDE], out[i, at + BEST_AROUND] = inside, around
        out[i, at + SAME_START], out[i, at + SAME_END] = same_start, same_end

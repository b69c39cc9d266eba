"""What training says of the words of a span, and of those beside it, as parts of mentions of its label."""

from __future__ import annotations

import numpy as np

from stages.common.compiled import kernel
from stages.train.taggers.chain.candidate_kernels import END, FIRST, LABEL, SENTENCE
from stages.train.taggers.spans.arrays import (
    LABEL_FIRST,
    LABEL_INSIDE,
    LABEL_LAST,
    STEM_ANYWHERE,
    Float32,
    Int32,
    Int64,
)
from stages.train.taggers.spans.evidence.share import smoothed

LABEL_NAMES = (
    "word before inside of this label",
    "word after inside of this label",
    "first word starts this label",
    "last word ends this label",
    "last word, mentions of this label",
    "last word, this label among mentions",
    "words inside of this label, least",
    "words inside of this label, mean",
    "words inside of this label, most",
    "words inside, this label among mentions",
    "unknown words",
)
(
    BEFORE_INSIDE,
    AFTER_INSIDE,
    FIRST_STARTS,
    LAST_ENDS,
    LAST_MENTIONS,
    LAST_AMONG_LABELS,
    INSIDE_LEAST,
    INSIDE_MEAN,
    INSIDE_MOST,
    INSIDE_AMONG_LABELS,
    UNKNOWN_WORDS,
) = range(len(LABEL_NAMES))

_PRIOR, _AMONG_PRIOR = 0.1, 0.5
_NO_WORD = -1
"""Row of the word before or after a sentence: that of an unknown one."""


@kernel(inner=True)
def label_evidence(
    spans: Int32, rows: Int32, sentence_starts: Int64, stem_counts: Int32, label_counts: Int32, out: Float32, at: int
) -> None:
    """Fill the columns of `LABEL_NAMES`, a row per candidate."""
    for i in range(len(spans)):
        sentence, first = spans[i, SENTENCE], spans[i, FIRST]
        end, label = spans[i, END], spans[i, LABEL]
        before = rows[first - 1] if first > sentence_starts[sentence] else _NO_WORD
        after = rows[end] if end < sentence_starts[sentence + 1] else _NO_WORD
        inside, anywhere = label_counts[before, label, LABEL_INSIDE], stem_counts[before, STEM_ANYWHERE]
        out[i, at + BEFORE_INSIDE] = smoothed(inside, anywhere, _PRIOR)
        inside, anywhere = label_counts[after, label, LABEL_INSIDE], stem_counts[after, STEM_ANYWHERE]
        out[i, at + AFTER_INSIDE] = smoothed(inside, anywhere, _PRIOR)
        left, right = rows[first], rows[end - 1]
        starting, last = label_counts[left, label, LABEL_FIRST], label_counts[right, label, LABEL_LAST]
        out[i, at + FIRST_STARTS] = smoothed(starting, stem_counts[left, STEM_ANYWHERE], _PRIOR)
        out[i, at + LAST_ENDS] = smoothed(last, stem_counts[right, STEM_ANYWHERE], _PRIOR)
        out[i, at + LAST_MENTIONS] = last
        of_all = _of_all_labels(label_counts, right, np.int64(LABEL_LAST))  # a literal is compiled for itself
        out[i, at + LAST_AMONG_LABELS] = smoothed(last, of_all, _AMONG_PRIOR)
        unknown = 0
        least, most = 1.0, 0.0
        total = among = 0.0
        for t in range(first, end):
            inside, anywhere = label_counts[rows[t], label, LABEL_INSIDE], stem_counts[rows[t], STEM_ANYWHERE]
            share = smoothed(inside, anywhere, _PRIOR)
            unknown += anywhere == 0
            least, most, total = min(least, share), max(most, share), total + share
            of_all = _of_all_labels(label_counts, rows[t], np.int64(LABEL_INSIDE))
            among += smoothed(inside, of_all, _AMONG_PRIOR)
        tokens = end - first
        out[i, at + INSIDE_LEAST], out[i, at + INSIDE_MEAN], out[i, at + INSIDE_MOST] = least, total / tokens, most
        out[i, at + INSIDE_AMONG_LABELS], out[i, at + UNKNOWN_WORDS] = among / tokens, unknown


@kernel(inner=True)
def _of_all_labels(label_counts: Int32, row: int, column: int) -> int:
    total = 0
    for label in range(label_counts.shape[1]):
        total += label_counts[row, label, column]
    return total

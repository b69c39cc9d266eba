"""How often the phrase of a span is a mention with one word less or more."""

from __future__ import annotations

import numpy as np

from stages.common.compiled import kernel
from stages.featurize.attributes.kernels import find
from stages.train.taggers.chain.candidate_kernels import END, FIRST, LABEL, SENTENCE
from stages.train.taggers.spans.arrays import Float32, Int32, Int64, Table, UInt64
from stages.train.taggers.spans.key_kernels import phrase_key

VARIANT_NAMES = (
    "without the first word a mention",
    "without the first word, times with this label",
    "without the last word a mention",
    "without the last word, times with this label",
    "with the word before, times with this label",
    "with the word after, times with this label",
)
(
    WITHOUT_FIRST_MENTION,
    WITHOUT_FIRST_TIMES,
    WITHOUT_LAST_MENTION,
    WITHOUT_LAST_TIMES,
    WITH_BEFORE_TIMES,
    WITH_AFTER_TIMES,
) = range(len(VARIANT_NAMES))


@kernel(inner=True)
def variant_evidence(
    spans: Int32, stems: UInt64, sentence_starts: Int64, known: Table, counts: Int32, out: Float32, at: int
) -> None:
    """Fill the columns of `VARIANT_NAMES`, a row per candidate; 0 where there is no such phrase.

    The variants of a span of two words::

        before [first last] after
                     [last]              without the first word
               [first]                   without the last word
       [before first last]               with the word before
               [first last after]        with the word after
    """
    labels = counts.shape[1] - 1
    for i in range(len(spans)):
        sentence, label = spans[i, SENTENCE], spans[i, LABEL]
        first, end = np.int64(spans[i, FIRST]), np.int64(spans[i, END])  # as sums are: `_row` is compiled once
        for column in range(len(VARIANT_NAMES)):
            out[i, at + column] = 0.0
        if end - first > 1:
            without_first, without_last = _row(stems, first + 1, end, known), _row(stems, first, end - 1, known)
            for k in range(labels):
                if counts[without_first, k] > 0:
                    out[i, at + WITHOUT_FIRST_MENTION] = 1.0
                if counts[without_last, k] > 0:
                    out[i, at + WITHOUT_LAST_MENTION] = 1.0
            out[i, at + WITHOUT_FIRST_TIMES] = counts[without_first, label]
            out[i, at + WITHOUT_LAST_TIMES] = counts[without_last, label]
        if first > sentence_starts[sentence]:
            out[i, at + WITH_BEFORE_TIMES] = counts[_row(stems, first - 1, end, known), label]
        if end < sentence_starts[sentence + 1]:
            out[i, at + WITH_AFTER_TIMES] = counts[_row(stems, first, end + 1, known), label]


@kernel(inner=True)
def _row(stems: UInt64, first: int, end: int, phrases: Table) -> int:
    return find(phrase_key(stems, first, end), phrases.keys, phrases.rows)

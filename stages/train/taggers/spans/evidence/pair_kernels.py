"""What training says of neighbouring words: at the edges of a span, at its head, and inside of it."""

from __future__ import annotations

from stages.common.compiled import kernel
from stages.train.taggers.chain.candidate_kernels import END, FIRST, LABEL, SENTENCE
from stages.train.taggers.spans.arrays import (
    PAIR_ENDS,
    PAIR_JOINED,
    PAIR_LAST_TWO,
    PAIR_STARTS,
    PAIR_TOGETHER,
    Float32,
    Int32,
)
from stages.train.taggers.spans.evidence.share import smoothed

PAIR_NAMES = (
    "mention starts between the words at the left edge",
    "words at the left edge, count",
    "mention ends between the words at the right edge",
    "words at the right edge, count",
    "words at the left edge in one mention",
    "words at the right edge in one mention",
    "last two words end mentions of this label",
    "last two words, mentions of this label",
    "last two words, count",
    "neighbouring words in one mention, mean",
    "neighbouring words in one mention, least",
)
(
    STARTS_AT_LEFT,
    LEFT_COUNT,
    ENDS_AT_RIGHT,
    RIGHT_COUNT,
    LEFT_JOINED,
    RIGHT_JOINED,
    LAST_TWO_OF_LABEL,
    LAST_TWO_MENTIONS,
    LAST_TWO_COUNT,
    JOINED_MEAN,
    JOINED_LEAST,
) = range(len(PAIR_NAMES))

_EDGE_PRIOR, _INNER_PRIOR = 0.2, 0.1


@kernel(inner=True)
def pair_evidence(spans: Int32, rows: Int32, counts: Int32, out: Float32, at: int) -> None:
    """Fill the columns of `PAIR_NAMES`, a row per candidate; a span of one word has no pair inside: -1.

    The pairs of a span of three words::

        before   [first   middle   last]   after
               ^        ^        ^       ^
               left     inner    head    right       the head is the last of the inner pairs
    """
    for i in range(len(spans)):
        sentence, first = spans[i, SENTENCE], spans[i, FIRST]
        end, label = spans[i, END], spans[i, LABEL]
        left, right = rows[first + sentence], rows[end + sentence]
        starts, joined, together = counts[left, PAIR_STARTS], counts[left, PAIR_JOINED], counts[left, PAIR_TOGETHER]
        out[i, at + STARTS_AT_LEFT], out[i, at + LEFT_COUNT] = smoothed(starts, together, _EDGE_PRIOR), together
        out[i, at + LEFT_JOINED] = joined / (joined + starts + 0.5)
        ends, joined, together = counts[right, PAIR_ENDS], counts[right, PAIR_JOINED], counts[right, PAIR_TOGETHER]
        out[i, at + ENDS_AT_RIGHT], out[i, at + RIGHT_COUNT] = smoothed(ends, together, _EDGE_PRIOR), together
        out[i, at + RIGHT_JOINED] = joined / (joined + ends + 0.5)
        if end - first == 1:
            for column in range(LAST_TWO_OF_LABEL, JOINED_LEAST + 1):
                out[i, at + column] = -1.0
            continue
        head = rows[end + sentence - 1]
        mentions, together = counts[head, PAIR_LAST_TWO + label], counts[head, PAIR_TOGETHER]
        out[i, at + LAST_TWO_OF_LABEL] = smoothed(mentions, together, _INNER_PRIOR)
        out[i, at + LAST_TWO_MENTIONS], out[i, at + LAST_TWO_COUNT] = mentions, together
        total, least = 0.0, 1.0
        for pair in range(first + sentence + 1, end + sentence):
            share = smoothed(counts[rows[pair], PAIR_JOINED], counts[rows[pair], PAIR_TOGETHER], _INNER_PRIOR)
            total += share
            least = min(least, share)
        out[i, at + JOINED_MEAN], out[i, at + JOINED_LEAST] = total / (end - first - 1), least

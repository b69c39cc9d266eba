"""What a span looks like: its length, and brackets, hyphens, conjunctions and capitals in it and around it."""

from __future__ import annotations

from stages.common.compiled import kernel
from stages.featurize.attributes.kernels import CAPITALISED, CLOSES, HYPHEN, JOINS, OPENS
from stages.train.taggers.chain.candidate_kernels import END, FIRST, LABEL, SENTENCE
from stages.train.taggers.spans.arrays import Float32, Int8, Int16, Int32, Int64

SURFACE_NAMES = (
    "tokens",
    "characters",
    "label",
    "bracket balance",
    "has a bracket",
    "alone in brackets",
    "single capitalised word",
    "has a conjunction",
    "has a hyphen",
    "hyphen before",
    "hyphen after",
)
(
    TOKENS,
    CHARACTERS,
    LABEL_NUMBER,
    BRACKET_BALANCE,
    HAS_BRACKET,
    ALONE_IN_BRACKETS,
    SINGLE_CAPITALISED,
    HAS_CONJUNCTION,
    HAS_HYPHEN,
    HYPHEN_BEFORE,
    HYPHEN_AFTER,
) = range(len(SURFACE_NAMES))


@kernel(inner=True)
def surface_evidence(spans: Int32, lengths: Int16, flags: Int8, sentence_starts: Int64, out: Float32, at: int) -> None:
    """Fill the columns of `SURFACE_NAMES`, a row per candidate; a bracket is one that opens."""
    for i in range(len(spans)):
        sentence, first, end = spans[i, SENTENCE], spans[i, FIRST], spans[i, END]
        characters = opening = closing = within = 0
        for t in range(first, end):
            characters += lengths[t]
            opening += flags[t] & OPENS > 0
            closing += flags[t] & CLOSES > 0
            within |= flags[t]
        before = flags[first - 1] if first > sentence_starts[sentence] else 0
        after = flags[end] if end < sentence_starts[sentence + 1] else 0
        out[i, at + TOKENS], out[i, at + CHARACTERS] = end - first, characters
        out[i, at + LABEL_NUMBER] = spans[i, LABEL]
        out[i, at + BRACKET_BALANCE], out[i, at + HAS_BRACKET] = opening - closing, opening > 0
        out[i, at + ALONE_IN_BRACKETS] = before & OPENS > 0 and after & CLOSES > 0
        out[i, at + SINGLE_CAPITALISED] = end - first == 1 and within & CAPITALISED > 0
        out[i, at + HAS_CONJUNCTION], out[i, at + HAS_HYPHEN] = within & JOINS > 0, within & HYPHEN > 0
        out[i, at + HYPHEN_BEFORE], out[i, at + HYPHEN_AFTER] = before & HYPHEN > 0, after & HYPHEN > 0

"""How sure the tagger is that the tokens of a span, and those around it, are in no mention."""

from __future__ import annotations

from stages.common.compiled import kernel
from stages.train.taggers.chain.candidate_kernels import END, FIRST, SENTENCE
from stages.train.taggers.spans.arrays import Float32, Float64, Int32, Int64

CERTAINTY_NAMES = (
    "mean probability of no mention",
    "largest probability of no mention",
    "least probability of no mention",
    "probability of no mention before",
    "probability of no mention after",
)
MEAN, LARGEST, LEAST, BEFORE, AFTER = range(len(CERTAINTY_NAMES))


@kernel(inner=True)
def certainty_evidence(spans: Int32, outside: Float64, sentence_starts: Int64, out: Float32, at: int) -> None:
    """Fill the columns of `CERTAINTY_NAMES`, a row per candidate; -1 before and after a sentence."""
    for i in range(len(spans)):
        sentence, first, end = spans[i, SENTENCE], spans[i, FIRST], spans[i, END]
        total, largest, least = 0.0, outside[first], outside[first]
        for t in range(first, end):
            total += outside[t]
            largest, least = max(largest, outside[t]), min(least, outside[t])
        out[i, at + MEAN], out[i, at + LARGEST], out[i, at + LEAST] = total / (end - first), largest, least
        out[i, at + BEFORE] = outside[first - 1] if first > sentence_starts[sentence] else -1.0
        out[i, at + AFTER] = outside[end] if end < sentence_starts[sentence + 1] else -1.0

"""What the tagger thinks of the same phrase in the sentences around."""

from __future__ import annotations

from stages.common.compiled import kernel
from stages.featurize.attributes.abbreviations import LOOK_BACK
from stages.train.taggers.chain.candidate_kernels import LABEL, SENTENCE
from stages.train.taggers.spans.arrays import Float32, Float64, Int32, Int64, UInt64

NEARBY_NAMES = (
    "same phrase nearby, count",
    "same phrase nearby, best",
    "same phrase nearby, mean",
    "same phrase nearby, other label",
)
COUNT, BEST, MEAN, BEST_OF_OTHERS = range(len(NEARBY_NAMES))


@kernel(inner=True)
def nearby_evidence(
    spans: Int32, posteriors: Float64, phrases: UInt64, by_phrase: Int64, contexts: Int32, out: Float32, at: int
) -> None:
    """Fill the columns of `NEARBY_NAMES`, a row per candidate; -1 where there is none.

    Candidates of one phrase lie side by side, sorted by place, so that those nearby are found by going
    left and right until one is too far away::

        by_phrase   … | gout 3 | gout 9 | gout 12 | gout 90 | migraine 4 | …      phrase, sentence
                          <-------- i -------->     too far
    """
    for place in range(len(by_phrase)):
        i = by_phrase[place]
        sentence, label = spans[i, SENTENCE], spans[i, LABEL]
        count, total = 0, 0.0
        best = other = -1.0
        for step in (-1, 1):
            neighbour = place + step
            while 0 <= neighbour < len(by_phrase):
                j = by_phrase[neighbour]
                there = spans[j, SENTENCE]
                if phrases[j] != phrases[i] or contexts[there] != contexts[sentence]:
                    break
                if abs(there - sentence) > LOOK_BACK:
                    break
                if there != sentence and spans[j, LABEL] == label:
                    count += 1
                    total += posteriors[j]
                    best = max(best, posteriors[j])
                elif there != sentence:
                    other = max(other, posteriors[j])
                neighbour += step
        out[i, at + COUNT], out[i, at + BEST], out[i, at + BEST_OF_OTHERS] = count, best, other
        out[i, at + MEAN] = total / count if count else -1.0

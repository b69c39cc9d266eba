"""An abbreviation is what its long form is, and the other way round."""

from __future__ import annotations

from stages.common.compiled import kernel
from stages.featurize.attributes.abbreviations import LOOK_BACK
from stages.train.taggers.chain.candidate_kernels import END, FIRST, LABEL, SENTENCE
from stages.train.taggers.spans.arrays import SHORT_SENTENCE, SHORT_TOKEN, Float32, Float64, Int16, Int32, Int64, UInt64

ABBREVIATION_NAMES = (
    "long form found",
    "long form found exactly",
    "short form found",
    "starts where the long form starts",
)
LONG_FOUND, LONG_FOUND_EXACTLY, SHORT_FOUND, STARTS_WITH_LONG = range(len(ABBREVIATION_NAMES))


@kernel(inner=True)
def abbreviation_evidence(
    spans: Int32,
    posteriors: Float64,
    of_sentence: Int64,
    words: UInt64,
    long_forms: Int16,
    contexts: Int32,
    definitions: Int64,
    definitions_until: Int64,
    out: Float32,
    at: int,
) -> None:
    """Fill the columns of `ABBREVIATION_NAMES`, a row per candidate; -1 where nothing is defined.

    A definition, and two candidates that it says something about::

        She has [heart failure] ( HF ) .   …   Known [HF] .
                 ^             ^  ^                   ^
                 long_start    |  short               words[short] again, in the same context
                               long_end, where the long form ends
    """
    for i in range(len(spans)):
        sentence, first = spans[i, SENTENCE], spans[i, FIRST]
        end, label = spans[i, END], spans[i, LABEL]
        for column in range(at, at + len(ABBREVIATION_NAMES)):
            out[i, column] = -1.0
        for d in range(definitions_until[sentence] - 1, -1, -1):
            there, short = definitions[d, SHORT_SENTENCE], definitions[d, SHORT_TOKEN]
            if contexts[there] != contexts[sentence] or sentence - there > LOOK_BACK:
                break
            long_start, long_end = short - long_forms[short], short - 1
            if end - first == 1 and words[first] == words[short] and out[i, at + LONG_FOUND] < 0:
                out[i, at + LONG_FOUND] = out[i, at + LONG_FOUND_EXACTLY] = 0.0
                for j in range(of_sentence[there], of_sentence[there + 1]):
                    if spans[j, END] == long_end and spans[j, LABEL] == label:
                        out[i, at + LONG_FOUND] += posteriors[j]
                        if spans[j, FIRST] == long_start:
                            out[i, at + LONG_FOUND_EXACTLY] = posteriors[j]
            if there == sentence and end == long_end:
                out[i, at + SHORT_FOUND] = 0.0
                for j in range(of_sentence[there], of_sentence[there + 1]):
                    if spans[j, END] == short + 1 and spans[j, LABEL] == label:
                        out[i, at + SHORT_FOUND] += posteriors[j]
                out[i, at + STARTS_WITH_LONG] = 1.0 if first == long_start else 0.5 if first < long_start else 0.0

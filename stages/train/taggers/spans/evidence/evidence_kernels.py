"""The groups of evidence, one after the other: their names, and one compiled call for all."""

from __future__ import annotations

from itertools import accumulate, chain

from stages.common.compiled import kernel
from stages.train.taggers.spans.arrays import CountArrays, Float32, SpanArrays, TextArrays
from stages.train.taggers.spans.evidence.abbreviation_kernels import ABBREVIATION_NAMES, abbreviation_evidence
from stages.train.taggers.spans.evidence.certainty_kernels import CERTAINTY_NAMES, certainty_evidence
from stages.train.taggers.spans.evidence.label_kernels import LABEL_NAMES, label_evidence
from stages.train.taggers.spans.evidence.nearby_kernels import NEARBY_NAMES, nearby_evidence
from stages.train.taggers.spans.evidence.pair_kernels import PAIR_NAMES, pair_evidence
from stages.train.taggers.spans.evidence.phrase_kernels import PHRASE_NAMES, phrase_evidence
from stages.train.taggers.spans.evidence.rival_kernels import RIVAL_NAMES, rival_evidence
from stages.train.taggers.spans.evidence.surface_kernels import SURFACE_NAMES, surface_evidence
from stages.train.taggers.spans.evidence.term_kernels import TERM_NAMES, term_evidence
from stages.train.taggers.spans.evidence.variant_kernels import VARIANT_NAMES, variant_evidence
from stages.train.taggers.spans.evidence.word_kernels import WORD_NAMES, word_evidence

GROUPS = (
    RIVAL_NAMES,
    CERTAINTY_NAMES,
    SURFACE_NAMES,
    PHRASE_NAMES,
    WORD_NAMES,
    NEARBY_NAMES,
    ABBREVIATION_NAMES,
    PAIR_NAMES,
    LABEL_NAMES,
    VARIANT_NAMES,
    TERM_NAMES,
)
"""Names of the columns by group; saved trees know columns by their place, so that the order stays."""

NAMES = tuple(chain.from_iterable(GROUPS))
(
    _RIVALS,
    _CERTAINTY,
    _SURFACE,
    _PHRASE,
    _WORDS,
    _NEARBY,
    _ABBREVIATIONS,
    _PAIRS,
    _LABELS,
    _VARIANTS,
    _TERMS,
    _END,
) = accumulate(map(len, GROUPS), initial=0)


@kernel
def fill_evidence(spans: SpanArrays, text: TextArrays, counts: CountArrays, out: Float32) -> None:
    """Fill the columns of `NAMES`, a row per candidate.

    Each group is told its first column of `out`, and given the arrays that it reads: to open all of them once for
    each group took .25 s a group to compile, and to cut its columns out .1 s.
    """
    table, posteriors, starts = spans.table, spans.posteriors, text.sentence_starts
    rival_evidence(table, posteriors, spans.of_sentence, out, _RIVALS)
    certainty_evidence(table, spans.outside, starts, out, _CERTAINTY)
    surface_evidence(table, text.lengths, text.flags, starts, out, _SURFACE)
    phrase_evidence(table, spans.phrase_rows, counts.phrases, out, _PHRASE)
    word_evidence(table, text.stem_rows, starts, counts.stems, out, _WORDS)
    nearby_evidence(table, posteriors, spans.phrases, spans.by_phrase, text.contexts, out, _NEARBY)
    abbreviation_evidence(
        table, posteriors, spans.of_sentence, text.words, text.long_forms, text.contexts,
        text.definitions, text.definitions_until, out, _ABBREVIATIONS,
    )  # fmt: skip
    pair_evidence(table, text.pair_rows, counts.pairs, out, _PAIRS)
    label_evidence(table, text.stem_rows, starts, counts.stems, counts.labels, out, _LABELS)
    variant_evidence(table, text.stems, starts, counts.phrase_table, counts.phrases, out, _VARIANTS)
    term_evidence(table, text.terms, starts, out, _TERMS)

"""What speaks for and against a candidate span."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stages.featurize.attributes.abbreviations import LOOK_BACK
from stages.featurize.attributes.tokens import SparseTokens
from stages.train.taggers.chain.candidates import Candidates
from stages.train.taggers.spans import span_kernels
from stages.train.taggers.spans.evidence import edge_kernels
from stages.train.taggers.spans.evidence.term_kernels import TERM_NAMES, term_evidence
from stages.train.taggers.spans.statistics import SpanStatistics, surface_of

SPAN_NAMES = (
    "log odds of the tagger",
    "best rival of the same label",
    "sum of rivals of the same label",
    "best rival of another label",
    "sum of rivals of another label",
    "best span inside",
    "best span around",
    "rivals with the same start",
    "rivals with the same end",
    "mean probability of no mention",
    "largest probability of no mention",
    "least probability of no mention",
    "probability of no mention before",
    "probability of no mention after",
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
    "times seen with this label",
    "times seen with another label",
    "times seen unmarked",
    "share marked where seen",
    "first word starts mentions",
    "first word at a start, count",
    "last word ends mentions",
    "last word at an end, count",
    "word before starts mentions",
    "word after ends mentions",
    "first word inside of mentions",
    "last word inside of mentions",
    "rarest word, count",
    "same phrase nearby, count",
    "same phrase nearby, best",
    "same phrase nearby, mean",
    "same phrase nearby, other label",
    "long form found",
    "long form found exactly",
    "short form found",
    "starts where the long form starts",
)

EDGE_NAMES = (
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
    "without the first word a mention",
    "without the first word, times with this label",
    "without the last word a mention",
    "without the last word, times with this label",
    "with the word before, times with this label",
    "with the word after, times with this label",
)

NAMES = (*SPAN_NAMES, *EDGE_NAMES, *TERM_NAMES)


def gather_evidence(candidates: Candidates, tokens: SparseTokens, statistics: SpanStatistics) -> NDArray[np.float32]:
    """Describe each candidate by the columns of `NAMES`.

    Returns
    -------
    float32 array of shape (candidates, 99)
    """
    surface = surface_of(tokens)
    spans = candidates.spans
    keys = span_kernels.phrase_keys(surface.stems, spans[:, 1].astype(np.int64), spans[:, 2].astype(np.int64))
    defined = np.flatnonzero(surface.long_forms)
    sentences = np.searchsorted(tokens.sentence_starts, defined, side="right") - 1
    out = np.empty((len(spans), len(NAMES)), dtype=np.float32)
    span_kernels.evidence(
        spans,
        candidates.posteriors,
        candidates.outside,
        keys,
        np.argsort(keys, kind="stable"),
        candidates.of_sentence(tokens.sentences),
        tokens.sentence_starts,
        surface.words,
        surface.stems,
        surface.lengths,
        surface.flags,
        surface.long_forms,
        surface.contexts,
        np.stack([sentences, defined], axis=1),
        np.searchsorted(sentences, np.arange(tokens.sentences), side="right"),
        *statistics.tables,
        LOOK_BACK,
        out,
    )
    edge_kernels.edge_evidence(
        spans,
        surface.stems,
        tokens.sentence_starts,
        edge_kernels.pair_keys(surface.stems, tokens.sentence_starts),
        *statistics.edge_tables,
        out[:, len(SPAN_NAMES) : -len(TERM_NAMES)],
    )
    term_evidence(spans, surface.terms, tokens.sentence_starts, out[:, -len(TERM_NAMES) :])
    return out

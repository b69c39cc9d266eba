"""What speaks for and against a candidate span."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stages.featurize.attributes.kernels import find_all
from stages.featurize.attributes.tokens import SparseTokens
from stages.train.taggers.chain.candidate_kernels import END, FIRST
from stages.train.taggers.chain.candidates import Candidates
from stages.train.taggers.spans.arrays import SpanArrays, TextArrays
from stages.train.taggers.spans.evidence.evidence_kernels import NAMES, fill_evidence
from stages.train.taggers.spans.key_kernels import pair_keys, phrase_keys
from stages.train.taggers.spans.statistics import SpanStatistics, surface_of

__all__ = ["NAMES", "gather_evidence"]


def gather_evidence(candidates: Candidates, tokens: SparseTokens, statistics: SpanStatistics) -> NDArray[np.float32]:
    """Describe each candidate by the columns of `NAMES`.

    Returns
    -------
    float32 array of shape (candidates, len(NAMES))
    """
    out = np.empty((len(candidates.spans), len(NAMES)), dtype=np.float32)
    spans, text = _span_arrays(candidates, tokens, statistics), _text_arrays(tokens, statistics)
    fill_evidence(spans, text, statistics.counts, out)
    return out


def _span_arrays(candidates: Candidates, tokens: SparseTokens, statistics: SpanStatistics) -> SpanArrays:
    spans = candidates.spans
    phrases = phrase_keys(surface_of(tokens).stems, spans[:, FIRST].astype(np.int64), spans[:, END].astype(np.int64))
    return SpanArrays(
        table=spans,
        posteriors=candidates.posteriors,
        outside=candidates.outside,
        of_sentence=candidates.of_sentence(tokens.sentences),
        phrases=phrases,
        phrase_rows=find_all(phrases, *statistics.phrase_table),
        by_phrase=np.argsort(phrases, kind="stable"),
    )


def _text_arrays(tokens: SparseTokens, statistics: SpanStatistics) -> TextArrays:
    surface = surface_of(tokens)
    short_forms = np.flatnonzero(surface.long_forms)
    sentences = np.searchsorted(tokens.sentence_starts, short_forms, side="right") - 1
    return TextArrays(
        sentence_starts=tokens.sentence_starts,
        words=surface.words,
        stems=surface.stems,
        lengths=surface.lengths,
        flags=surface.flags,
        long_forms=surface.long_forms,
        terms=surface.terms,
        contexts=surface.contexts,
        stem_rows=find_all(surface.stems, *statistics.stem_table),
        pair_rows=find_all(pair_keys(surface.stems, tokens.sentence_starts), *statistics.pair_table),
        definitions=np.stack([sentences, short_forms], axis=1),
        definitions_until=np.searchsorted(sentences, np.arange(tokens.sentences), side="right"),
    )

"""Candidates as the CRF proposes them on documents that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stages.common.progress import steps
from stages.common.tags import TokenSpan
from stages.featurize.attributes.tokens import SparseTokens
from stages.train.taggers.chain.candidate_kernels import END, FIRST, LABEL, SENTENCE
from stages.train.taggers.chain.candidates import Candidates
from stages.train.taggers.chain.crf import CrfTagger
from stages.train.taggers.spans.evidence.evidence import NAMES, gather_evidence
from stages.train.taggers.spans.statistics import SpanStatistics
from stages.train.taggers.spans.trees import BoostedTrees

if TYPE_CHECKING:
    from stages.train.params import TrainParams

Spans = Sequence[Sequence[TokenSpan]]

_RUNS = 4


def fold_of(documents: Sequence[str], folds: int) -> NDArray[np.int64]:
    """Return the fold of each sentence.

    Documents are dealt out in runs of neighbours, a few runs to each fold: in a corpus that does
    not say where its documents end, a block's neighbour goes on with the same text, and a fold
    that has seen it would know more than it ever will of a new document.
    """
    distinct = list(dict.fromkeys(documents))
    run = max(1, len(distinct) // (folds * _RUNS))
    number = {name: place // run % folds for place, name in enumerate(distinct)}
    return np.array([number[name] for name in documents], dtype=np.int64)


def propose_out_of_fold(
    crf: CrfTagger, tokens: SparseTokens, spans: Spans, folds: NDArray[np.int64], n_rows: int, params: TrainParams
) -> tuple[CrfTagger, Candidates, NDArray[np.float32]]:
    """Train a CRF without each fold, and let it propose candidates there.

    Returns
    -------
    crf : CrfTagger
        The tagger that was given, at the temperature that fits the folds.
    candidates : Candidates
        Of the whole text, in order.
    table : float32 array of shape (candidates, columns)
        Their evidence; counts come from the other folds, too.
    """
    temperature = 0.0
    parts: list[Candidates] = []
    places: list[NDArray[np.int64]] = []
    for fold in steps("train: chain without fold", range(params.span.folds)):
        inside = np.flatnonzero(folds != fold)
        held = np.flatnonzero(folds == fold)
        tagger = CrfTagger.fit(
            tokens.take(inside), _pick(spans, inside), n_rows=n_rows, params=params, labels=crf.tag_set.labels
        )
        part = tokens.take(held)
        if not temperature:
            tagger = tagger.calibrated(part, _pick(spans, held))
            temperature = tagger.temperature
        parts.append(tagger.at(temperature).candidates(part))
        places.append(held)
    candidates = _merge(parts, places, tokens)
    table = np.empty((len(candidates.spans), len(NAMES)), dtype=np.float32)
    for fold in range(params.span.folds):
        inside = np.flatnonzero(folds != fold)
        statistics = SpanStatistics.learn(tokens.take(inside), _pick(spans, inside), crf.tag_set.labels)
        here = folds[candidates.spans[:, SENTENCE]] == fold
        table[here] = gather_evidence(candidates, tokens, statistics)[here]
    return crf.at(temperature), candidates, table


def cross_scores(
    table: NDArray[np.float32], right: NDArray[np.bool_], folds: NDArray[np.int64], params: TrainParams
) -> NDArray[np.float64]:
    """Score each candidate by trees that were learned from the other folds."""
    odds = np.empty(len(table))
    for fold in range(params.span.folds):
        held = folds == fold
        trees = BoostedTrees.fit(table[~held], right[~held], params.span, params.seed)
        odds[held] = trees.log_odds(table[held])
    return odds


def _pick(spans: Spans, sentences: NDArray[np.int64]) -> Spans:
    return [spans[s] for s in sentences.tolist()]


def _merge(parts: list[Candidates], places: list[NDArray[np.int64]], tokens: SparseTokens) -> Candidates:
    """Put the candidates of all folds back to where their sentences stand in the whole text."""
    outside = np.empty(len(tokens))
    moved = []
    starts = tokens.sentence_starts
    for part, held in zip(parts, places, strict=True):
        lengths = starts[held + 1] - starts[held]
        own = np.concatenate([[0], np.cumsum(lengths)])
        shift = starts[held] - own[:-1]
        outside[np.repeat(shift, lengths) + np.arange(own[-1])] = part.outside
        spans = part.spans.astype(np.int64)
        by = shift[spans[:, SENTENCE]]
        moved.append(
            np.stack([held[spans[:, SENTENCE]], spans[:, FIRST] + by, spans[:, END] + by, spans[:, LABEL]], axis=1)
        )
    spans = np.concatenate(moved).astype(np.int32)
    order = np.lexsort(
        (spans[:, LABEL], spans[:, END], spans[:, FIRST])
    )  # tokens of the whole text: so by sentence, too
    return Candidates(spans[order], np.concatenate([part.posteriors for part in parts])[order], outside)

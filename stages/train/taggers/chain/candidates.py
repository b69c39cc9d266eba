"""Spans that a chain holds possible: the mentions are among them, and what a person should look at besides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.featurize.attributes.tokens import SparseTokens
from stages.train.taggers.chain.candidate_kernels import END, FIRST, LABEL, SENTENCE
from stages.train.taggers.spans import tree_kernels
from stages.train.taggers.tagger import TaggedSpan

LEAST = 0.03
"""Posterior from which a span is a candidate."""

LONGEST = 14
"""Longest span that is considered, in tokens."""


@dataclass(frozen=True)
class Candidates:
    """Spans that the tagger holds possible.

    Parameters
    ----------
    spans : int32 array of shape (candidates, 4)
        Sentence, first token, token after the last (of the whole text), label; sorted.
    posteriors : float64 array of shape (candidates,)
    outside : float64 array of shape (tokens,)
        Probability that the token is in no mention.
    """

    spans: NDArray[np.int32]
    posteriors: NDArray[np.float64]
    outside: NDArray[np.float64]

    def of_sentence(self, sentences: int) -> NDArray[np.int64]:
        """Return where the candidates of each sentence start; one more at the end."""
        return np.searchsorted(self.spans[:, SENTENCE], np.arange(sentences + 1)).astype(np.int64)


def choose_suggestions(
    candidates: Candidates,
    confidence: NDArray[np.float64],
    mentions: NDArray[np.int32],
    least: float,
    tokens: SparseTokens,
) -> NDArray[np.bool_]:
    """Choose what may have been missed: likely candidates that overlap neither a mention nor each other.

    Parameters
    ----------
    candidates : Candidates
    confidence : float64 array of shape (candidates,)
    mentions : int32 array of shape (mentions, 2)
        First token and token after the last, of the whole text.
    least : float
        Confidence from which a candidate counts.
    tokens : SparseTokens

    Returns
    -------
    bool array of shape (candidates,)
    """
    taken = np.zeros(len(tokens) + 1, dtype=np.int64)
    depth = np.bincount(mentions[:, 0], minlength=len(taken)) - np.bincount(mentions[:, 1], minlength=len(taken))
    np.cumsum(np.cumsum(depth[:-1]), out=taken[1:])
    free = taken[candidates.spans[:, END]] == taken[candidates.spans[:, FIRST]]
    gains = np.where(free & (confidence >= least), confidence, -1.0)
    return tree_kernels.select(candidates.spans, gains, candidates.of_sentence(tokens.sentences))


def tagged_spans(
    spans: NDArray[np.int32], confidence: NDArray[np.float64], labels: Sequence[str], tokens: SparseTokens
) -> list[list[TaggedSpan]]:
    """Return spans of the whole text as those of its sentences.

    Parameters
    ----------
    spans : int32 array of shape (spans, 4)
        Sentence, first token, token after the last (of the whole text), label; sorted.
    confidence : float64 array of shape (spans,)
    labels : sequence of str
        Names of the labels.
    tokens : SparseTokens
    """
    tagged: list[list[TaggedSpan]] = [[] for _ in range(tokens.sentences)]
    offsets = tokens.sentence_starts[spans[:, SENTENCE]]
    for s, first, end, label, p in zip(
        spans[:, SENTENCE].tolist(),
        (spans[:, FIRST] - offsets).tolist(),
        (spans[:, END] - offsets).tolist(),
        spans[:, LABEL].tolist(),
        confidence.tolist(),
        strict=True,
    ):
        tagged[s].append(TaggedSpan(first, end, labels[label], p))
    return tagged

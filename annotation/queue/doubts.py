"""What the model may get wrong: every span it took or left, with the probability that it did so wrongly."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from stages.common.errors import BeHealthyError
from stages.featurize.attributes.tokens import SparseTokens
from stages.train.taggers.chain.candidates import Candidates
from stages.train.taggers.spans.key_kernels import phrase_keys
from stages.train.taggers.spans.stacked import StackedTagger, chain_of
from stages.train.taggers.tagger import Tagger


@dataclass(frozen=True)
class Doubts:
    """Possible errors; the sum of `errors` is the number of strict errors that the model expects.

    Parameters
    ----------
    sentences : int64 array of shape (spans,)
        Where the span stands.
    spans : int64 array of shape (spans, 2)
        First token and token after the last, of the whole text.
    errors : float64 array of shape (spans,)
        Probability that a span which was taken is wrong, or that one which was left is a mention.
    taken : bool array of shape (spans,)
    phrases : uint64 array of shape (spans,)
        Hash of the stems of the words: the same phrase has the same one, in every note.
    """

    sentences: NDArray[np.int64]
    spans: NDArray[np.int64]
    errors: NDArray[np.float64]
    taken: NDArray[np.bool_]
    phrases: NDArray[np.uint64]

    def part(self, first: int, end: int) -> Doubts:
        """Return some of the spans, by their place."""
        inside = slice(first, end)
        return Doubts(
            self.sentences[inside], self.spans[inside], self.errors[inside], self.taken[inside], self.phrases[inside]
        )


def find_doubts(tagger: Tagger, tokens: SparseTokens) -> Doubts:
    """List what the model may get wrong in some sentences.

    A mention that the model left out is one error as a wrong one is, so that the spans which it
    held possible and did not take count with their posterior. Spans below
    `stages.train.taggers.chain.candidates.LEAST` are not listed.

    Raises
    ------
    BeHealthyError
        When the tagger is of a family without posteriors of spans.
    """
    candidates, probability = _judged(tagger, tokens)
    spans = candidates.spans.astype(np.int64)
    taken = _taken(tagger, tokens, spans)
    assert tokens.surface is not None
    phrases = phrase_keys(tokens.surface.stems, spans[:, 1].copy(), spans[:, 2].copy())
    return Doubts(spans[:, 0], spans[:, 1:3], np.where(taken, 1 - probability, probability), taken, phrases)


def _judged(tagger: Tagger, tokens: SparseTokens) -> tuple[Candidates, NDArray[np.float64]]:
    """Return the spans that are possible, and the calibrated probability of each."""
    if isinstance(tagger, StackedTagger):
        candidates, odds = tagger.judge(tokens)
        return candidates, tagger.confidence(odds)
    chain_ = chain_of(tagger)
    if chain_ is None:
        raise BeHealthyError("this model family gives no posteriors of spans: set train.family to stacked or crf")
    candidates = chain_.candidates(tokens)
    return candidates, candidates.posteriors


def _taken(tagger: Tagger, tokens: SparseTokens, spans: NDArray[np.int64]) -> NDArray[np.bool_]:
    chain_ = chain_of(tagger)
    assert chain_ is not None
    number = {label: place for place, label in enumerate(chain_.tag_set.labels)}
    offsets = tokens.sentence_starts.tolist()
    found = (
        ((s, offsets[s] + first, offsets[s] + end, number[label]) for first, end, label in sentence)
        for s, sentence in enumerate(tagger.spans(tokens))
    )
    taken = set(chain.from_iterable(found))
    return np.array([tuple(span) in taken for span in spans.tolist()], dtype=np.bool_)

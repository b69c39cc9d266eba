"""What the model may get wrong: every span it took or left, with the probability that it did so wrongly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.featurize.attributes.tokens import SparseTokens
from stages.train.taggers.chain.candidate_kernels import END, FIRST, SENTENCE
from stages.train.taggers.spans.key_kernels import phrase_keys
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
    """
    judged = tagger.judge(tokens)
    spans, mentions = judged.spans.astype(np.int64), judged.mentions
    assert tokens.surface is not None
    phrases = phrase_keys(tokens.surface.stems, spans[:, FIRST].copy(), spans[:, END].copy())
    errors = np.where(mentions, 1 - judged.confidence, judged.confidence)
    return Doubts(spans[:, SENTENCE], spans[:, FIRST : END + 1], errors, mentions, phrases)

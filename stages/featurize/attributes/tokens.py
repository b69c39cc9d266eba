"""Tokens as the taggers see them: rows of a sparse matrix, and what can be compared of their surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.featurize.attributes.kernels import UNKNOWN


@dataclass(frozen=True)
class Surface:
    """What a model of whole spans needs to know of the tokens: no text, but what can be compared.

    Parameters
    ----------
    words, stems : uint64 arrays of shape (tokens,)
        Hashes of the token as it stands, and of its stem.
    lengths : int16 array of shape (tokens,)
        In characters.
    flags : int8 array of shape (tokens,)
        Bits as `kernels` names them.
    long_forms : int16 array of shape (tokens,)
        For a short form where it is introduced, how many tokens before it its long form starts;
        0 elsewhere. The long form ends before the opening bracket.
    terms : int8 array of shape (tokens, categories)
        Length in tokens of the longest term of each of `terminology.CATEGORIES` that starts here; 0 for none.
    contexts : int32 array of shape (sentences,)
        Sentences with the same number are neighbours.
    """

    words: NDArray[np.uint64]
    stems: NDArray[np.uint64]
    lengths: NDArray[np.int16]
    flags: NDArray[np.int8]
    long_forms: NDArray[np.int16]
    terms: NDArray[np.int8]
    contexts: NDArray[np.int32]


@dataclass(frozen=True)
class FormScores:
    """What a linear model makes of word forms, summed once a form and not once a token.

    Parameters
    ----------
    forms : int32 array of shape (tokens,)
        Number of each token's word form.
    scores : float32 array of shape (forms, 7, tags)
        Sum of the weights of what a form says of itself and of its neighbours, by `words.OFFSETS`.
    """

    forms: NDArray[np.int32]
    scores: NDArray[np.float32]


@dataclass(frozen=True)
class SparseTokens:
    """Attribute rows of consecutive tokens, in compressed sparse row form.

    Parameters
    ----------
    starts : int64 array of shape (tokens + 1,)
        ``rows[starts[i]:starts[i + 1]]`` are the attributes of token ``i``, each with value 1.
    rows : int32 array
    sentence_starts : int64 array of shape (sentences + 1,)
        First token of each sentence.
    surface : Surface, optional
        What models of whole spans look at beside the attributes.
    form_scores : FormScores, optional
        Stand for the attributes of single word forms, which are not among the rows then.
    """

    starts: NDArray[np.int64]
    rows: NDArray[np.int32]
    sentence_starts: NDArray[np.int64]
    surface: Surface | None = None
    form_scores: FormScores | None = None

    def __len__(self) -> int:
        """Return the number of tokens."""
        return len(self.starts) - 1

    @property
    def sentences(self) -> int:
        """Number of sentences."""
        return len(self.sentence_starts) - 1

    @property
    def unknown_share(self) -> float:
        """Share of the tokens whose normalised form training never saw; 0 without tokens."""
        if self.surface is None or not len(self):
            return 0.0
        return int(np.count_nonzero(self.surface.flags & UNKNOWN)) / len(self)

    def take(self, sentences: NDArray[np.int64]) -> SparseTokens:
        """Return some of the sentences, in the order given."""
        first, end = self.sentence_starts[sentences], self.sentence_starts[sentences + 1]
        taken = ranges(first, end)
        # Sentence by sentence: numbers of all single rows would take several times the memory of the rows.
        bounds = zip(self.starts[first].tolist(), self.starts[end].tolist(), strict=True)
        rows = np.concatenate([self.rows[:0], *(self.rows[a:b] for a, b in bounds)])
        counts = (self.starts[1:] - self.starts[:-1])[taken]
        surface = self.surface and Surface(
            self.surface.words[taken],
            self.surface.stems[taken],
            self.surface.lengths[taken],
            self.surface.flags[taken],
            self.surface.long_forms[taken],
            self.surface.terms[taken],
            self.surface.contexts[sentences],
        )
        scores = self.form_scores and FormScores(self.form_scores.forms[taken], self.form_scores.scores)
        return SparseTokens(_bounds(counts), rows, _bounds(end - first), surface, scores)


def _bounds(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def ranges(first: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return first[0], …, end[0] - 1, first[1], …: all ranges, one after the other."""
    lengths = end - first
    shifts = np.repeat(first - _bounds(lengths)[:-1], lengths)
    return np.arange(lengths.sum(), dtype=np.int64) + shifts

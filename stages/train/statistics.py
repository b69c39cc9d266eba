"""What training says of phrases and of the words at their edges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from stages.common.files import load_arrays, save_arrays
from stages.common.tags import TokenSpan
from stages.featurize.kernels import build_table
from stages.featurize.tokens import SparseTokens, Surface
from stages.train import span_kernels

LONGEST = 14
"""Longest span that is considered, in tokens."""

FIRST, LAST, BEFORE, AFTER, INSIDE, ANYWHERE = range(6)


@dataclass(frozen=True)
class SpanStatistics:
    """Counts over the training text.

    Parameters
    ----------
    stem_keys : uint64 array of shape (stems,)
        Hashes, ascending.
    stem_counts : int32 array of shape (stems, 6)
        How often the stem is the first or last of a mention, stands before or after one, inside of
        one, and anywhere.
    phrase_keys : uint64 array of shape (phrases,)
        Hashes of the mentions' stems, ascending.
    phrase_counts : int32 array of shape (phrases, labels + 1)
        How often the phrase is a mention of each label, and how often it stands in the text at all.
    """

    stem_keys: NDArray[np.uint64]
    stem_counts: NDArray[np.int32]
    phrase_keys: NDArray[np.uint64]
    phrase_counts: NDArray[np.int32]

    @classmethod
    def learn(cls, tokens: SparseTokens, spans: Sequence[Sequence[TokenSpan]], labels: Sequence[str]) -> Self:
        """Count over sentences and their gold mentions."""
        surface = surface_of(tokens)
        table = span_table(tokens, spans, labels)
        sentence, first, end, label = table.T
        stem_keys, stems = np.unique(surface.stems, return_inverse=True)
        counts = np.zeros((len(stem_keys), 6), dtype=np.int32)
        bounds = tokens.sentence_starts
        inside = np.concatenate([np.arange(a, b) for a, b in zip(first, end, strict=True)] or [first])
        places = {
            FIRST: first,
            LAST: end - 1,
            BEFORE: (first - 1)[first > bounds[sentence]],
            AFTER: end[end < bounds[sentence + 1]],
            INSIDE: inside,
            ANYWHERE: np.arange(len(tokens)),
        }
        for column, where in places.items():
            np.add.at(counts[:, column], stems[where], 1)

        keys = span_kernels.phrase_keys(surface.stems, first, end)
        phrase_keys, phrases = np.unique(keys, return_inverse=True)
        phrase_counts = np.zeros((len(phrase_keys), len(labels) + 1), dtype=np.int32)
        np.add.at(phrase_counts, (phrases, label), 1)
        occurrences = np.zeros(len(phrase_keys), dtype=np.int32)
        table_ = build_table(phrase_keys, np.arange(len(phrase_keys), dtype=np.int32))
        span_kernels.count_occurrences(surface.stems, bounds, *table_, occurrences, LONGEST)
        phrase_counts[:, -1] = occurrences
        return cls(stem_keys, counts, phrase_keys, phrase_counts)

    @cached_property
    def tables(self) -> tuple[NDArray[np.generic], ...]:
        """Hash tables and counts as `span_kernels.evidence` takes them."""
        stems = build_table(self.stem_keys, np.arange(len(self.stem_keys), dtype=np.int32))
        phrases = build_table(self.phrase_keys, np.arange(len(self.phrase_keys), dtype=np.int32))
        return *stems, self.stem_counts, *phrases, self.phrase_counts

    def save(self, folder: Path) -> None:
        """Write one array a file; no pickle."""
        save_arrays(folder, self)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        return load_arrays(folder, cls)


def surface_of(tokens: SparseTokens) -> Surface:
    """Return the surface of tokens.

    Raises
    ------
    ValueError
        When the tokens were made without one.
    """
    if tokens.surface is None:
        raise ValueError("the span model needs the surface of the tokens: extract attributes from text")
    return tokens.surface


def span_table(tokens: SparseTokens, spans: Sequence[Sequence[TokenSpan]], labels: Sequence[str]) -> NDArray[np.int64]:
    """Return rows of (sentence, first token, token after the last, label), tokens counted over the whole text."""
    number = {label: i for i, label in enumerate(labels)}
    rows = [
        (s, offset + first, offset + end, number[label])
        for s, (offset, marked) in enumerate(zip(tokens.sentence_starts.tolist(), spans, strict=False))
        for first, end, label in marked
    ]
    return np.array(rows, dtype=np.int64).reshape(-1, 4)

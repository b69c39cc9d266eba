"""What training says of phrases and of the words at their edges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from stages.common.checked import ascending, read_array, require
from stages.common.files import save_arrays
from stages.common.tags import TokenSpan
from stages.featurize.attributes.kernels import build_table
from stages.featurize.attributes.tokens import SparseTokens, Surface, ranges
from stages.train.taggers.chain.candidate_kernels import END, FIRST, LABEL
from stages.train.taggers.chain.candidates import LONGEST
from stages.train.taggers.spans.arrays import (
    LABEL_COLUMNS,
    LABEL_FIRST,
    LABEL_INSIDE,
    LABEL_LAST,
    PAIR_ENDS,
    PAIR_JOINED,
    PAIR_LAST_TWO,
    PAIR_STARTS,
    PAIR_TOGETHER,
    STEM_AFTER,
    STEM_ANYWHERE,
    STEM_BEFORE,
    STEM_COLUMNS,
    STEM_FIRST,
    STEM_INSIDE,
    STEM_LAST,
    CountArrays,
    Table,
)
from stages.train.taggers.spans.key_kernels import count_occurrences, pair_keys, phrase_keys


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
    label_counts : int32 array of shape (stems, labels, 3)
        How often the stem is the first or last of a mention of each label, or inside of one.
    pair_keys : uint64 array of shape (pairs,)
        Hashes of neighbouring stems, and of those at the border of a sentence, ascending.
    pair_counts : int32 array of shape (pairs, 4 + labels)
        How often a mention starts or ends between the two, how often both are in one mention, how
        often they stand together at all, and how often they are the last two of a mention of each label.
    phrase_keys : uint64 array of shape (phrases,)
        Hashes of the mentions' stems, ascending.
    phrase_counts : int32 array of shape (phrases, labels + 1)
        How often the phrase is a mention of each label, and how often it stands in the text at all.
    """

    stem_keys: NDArray[np.uint64]
    stem_counts: NDArray[np.int32]
    label_counts: NDArray[np.int32]
    pair_keys: NDArray[np.uint64]
    pair_counts: NDArray[np.int32]
    phrase_keys: NDArray[np.uint64]
    phrase_counts: NDArray[np.int32]

    @classmethod
    def learn(cls, tokens: SparseTokens, spans: Sequence[Sequence[TokenSpan]], labels: Sequence[str]) -> Self:
        """Count over sentences and their gold mentions."""
        surface, bounds = surface_of(tokens), tokens.sentence_starts
        table = span_table(tokens, spans, labels)
        stem_keys, stems = np.unique(surface.stems, return_inverse=True)
        pairs, pair_numbers = np.unique(pair_keys(surface.stems, bounds), return_inverse=True)
        first, end = (np.ascontiguousarray(table[:, column]) for column in (FIRST, END))
        phrases, phrase_numbers = np.unique(phrase_keys(surface.stems, first, end), return_inverse=True)
        phrase_counts = np.zeros((len(phrases), len(labels) + 1), dtype=np.int32)
        np.add.at(phrase_counts, (phrase_numbers, table[:, LABEL]), 1)
        occurrences = np.zeros(len(phrases), dtype=np.int32)
        count_occurrences(surface.stems, bounds, _hashed(phrases), occurrences, LONGEST)
        phrase_counts[:, -1] = occurrences
        return cls(
            stem_keys,
            _stem_counts(stems, table, bounds),
            _label_counts(stems, table, len(labels)),
            pairs,
            _pair_counts(pair_numbers, table, len(labels)),
            phrases,
            phrase_counts,
        )

    @cached_property
    def stem_table(self) -> Table:
        """Rows of `stem_counts` and `label_counts` by key."""
        return _hashed(self.stem_keys)

    @cached_property
    def pair_table(self) -> Table:
        """Rows of `pair_counts` by key."""
        return _hashed(self.pair_keys)

    @cached_property
    def phrase_table(self) -> Table:
        """Rows of `phrase_counts` by key."""
        return _hashed(self.phrase_keys)

    @cached_property
    def counts(self) -> CountArrays:
        """The counts as the kernels of evidence read them."""
        return CountArrays(
            stems=_with_zeros(self.stem_counts),
            labels=_with_zeros(self.label_counts),
            pairs=_with_zeros(self.pair_counts),
            phrases=_with_zeros(self.phrase_counts),
            phrase_table=self.phrase_table,
        )

    def save(self, folder: Path) -> None:
        """Write one array a file; no pickle."""
        save_arrays(folder, self)

    @classmethod
    def load(cls, folder: Path, labels: int) -> Self:
        """Read what `save` wrote.

        Parameters
        ----------
        folder : Path
        labels : int
            How many labels were counted.

        Raises
        ------
        ModelError
            When a file is missing, or what is in it are no counts over so many labels.
        """
        stems, pairs, phrases = (_keys(folder / f"{name}_keys.npy") for name in ("stem", "pair", "phrase"))
        return cls(
            stems,
            _counts(folder / "stem_counts.npy", [len(stems), len(STEM_COLUMNS)]),
            _counts(folder / "label_counts.npy", [len(stems), labels, len(LABEL_COLUMNS)]),
            pairs,
            _counts(folder / "pair_counts.npy", [len(pairs), PAIR_LAST_TWO + labels]),
            phrases,
            _counts(folder / "phrase_counts.npy", [len(phrases), labels + 1]),
        )


def _keys(path: Path) -> NDArray[np.uint64]:
    keys = read_array(path, np.uint64, [None])
    require(ascending(keys), path, "has keys out of order")
    return keys


def _counts(path: Path, shape: list[int]) -> NDArray[np.int32]:
    counts = read_array(path, np.int32, shape)
    require((counts >= 0).all(), path, "has counts below 0")
    return counts


def _stem_counts(stems: NDArray[np.int64], table: NDArray[np.int64], bounds: NDArray[np.int64]) -> NDArray[np.int32]:
    sentence, first, end, _ = table.T
    counts = np.zeros((int(stems.max(initial=-1)) + 1, len(STEM_COLUMNS)), dtype=np.int32)
    places = {
        STEM_FIRST: first,
        STEM_LAST: end - 1,
        STEM_BEFORE: (first - 1)[first > bounds[sentence]],
        STEM_AFTER: end[end < bounds[sentence + 1]],
        STEM_INSIDE: ranges(first, end),
        STEM_ANYWHERE: np.arange(len(stems)),
    }
    for column, where in places.items():
        np.add.at(counts[:, column], stems[where], 1)
    return counts


def _label_counts(stems: NDArray[np.int64], table: NDArray[np.int64], labels: int) -> NDArray[np.int32]:
    _, first, end, label = table.T
    counts = np.zeros((int(stems.max(initial=-1)) + 1, labels, len(LABEL_COLUMNS)), dtype=np.int32)
    np.add.at(counts[:, :, LABEL_FIRST], (stems[first], label), 1)
    np.add.at(counts[:, :, LABEL_LAST], (stems[end - 1], label), 1)
    np.add.at(counts[:, :, LABEL_INSIDE], (stems[ranges(first, end)], np.repeat(label, end - first)), 1)
    return counts


def _pair_counts(pairs: NDArray[np.int64], table: NDArray[np.int64], labels: int) -> NDArray[np.int32]:
    """Count pairs; the one to the left of token t of sentence s is number t + s."""
    sentence, first, end, label = table.T
    counts = np.zeros((int(pairs.max(initial=-1)) + 1, PAIR_LAST_TWO + labels), dtype=np.int32)
    inner = ranges(first + sentence + 1, end + sentence)
    for column, where in {PAIR_STARTS: first + sentence, PAIR_ENDS: end + sentence, PAIR_JOINED: inner}.items():
        np.add.at(counts[:, column], pairs[where], 1)
    np.add.at(counts[:, PAIR_TOGETHER], pairs, 1)
    long = end - first > 1
    np.add.at(counts, (pairs[(end + sentence - 1)[long]], PAIR_LAST_TWO + label[long]), 1)
    return counts


def _hashed(keys: NDArray[np.uint64]) -> Table:
    return Table(*build_table(keys, np.arange(len(keys), dtype=np.int32)))


def _with_zeros(counts: NDArray[np.int32]) -> NDArray[np.int32]:
    """Append a row of zeros, which is what row -1 of an unknown key then finds."""
    return np.concatenate([counts, np.zeros_like(counts, shape=(1, *counts.shape[1:]))])


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

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
from stages.train.taggers.chain.candidates import LONGEST
from stages.train.taggers.spans import span_kernels
from stages.train.taggers.spans.evidence import edge_kernels

FIRST, LAST, BEFORE, AFTER, INSIDE, ANYWHERE = range(6)
STARTS, ENDS, JOINED, TOGETHER = range(4)


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
        pairs = edge_kernels.pair_keys(surface.stems, bounds)
        pair_keys, pairs = np.unique(pairs, return_inverse=True)
        phrases = span_kernels.phrase_keys(surface.stems, table[:, 1], table[:, 2])
        phrase_keys, phrases = np.unique(phrases, return_inverse=True)
        phrase_counts = np.zeros((len(phrase_keys), len(labels) + 1), dtype=np.int32)
        np.add.at(phrase_counts, (phrases, table[:, 3]), 1)
        occurrences = np.zeros(len(phrase_keys), dtype=np.int32)
        span_kernels.count_occurrences(surface.stems, bounds, *_hashed(phrase_keys), occurrences, LONGEST)
        phrase_counts[:, -1] = occurrences
        return cls(
            stem_keys,
            _stem_counts(stems, table, bounds),
            _label_counts(stems, table, len(labels)),
            pair_keys,
            _pair_counts(pairs, table, len(labels)),
            phrase_keys,
            phrase_counts,
        )

    @cached_property
    def tables(self) -> tuple[NDArray[np.generic], ...]:
        """Hash tables and counts as `span_kernels.evidence` takes them."""
        return *_hashed(self.stem_keys), self.stem_counts, *_hashed(self.phrase_keys), self.phrase_counts

    @cached_property
    def edge_tables(self) -> tuple[object, ...]:
        """Hash tables and counts as `edge_kernels.edge_evidence` takes them."""
        return (
            _hashed(self.stem_keys),
            self.stem_counts,
            _with_zeros(self.label_counts),
            _hashed(self.pair_keys),
            _with_zeros(self.pair_counts),
            _hashed(self.phrase_keys),
            _with_zeros(self.phrase_counts),
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
            _counts(folder / "stem_counts.npy", [len(stems), ANYWHERE + 1]),
            _counts(folder / "label_counts.npy", [len(stems), labels, 3]),
            pairs,
            _counts(folder / "pair_counts.npy", [len(pairs), TOGETHER + 1 + labels]),
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
    counts = np.zeros((int(stems.max(initial=-1)) + 1, 6), dtype=np.int32)
    places = {
        FIRST: first,
        LAST: end - 1,
        BEFORE: (first - 1)[first > bounds[sentence]],
        AFTER: end[end < bounds[sentence + 1]],
        INSIDE: ranges(first, end),
        ANYWHERE: np.arange(len(stems)),
    }
    for column, where in places.items():
        np.add.at(counts[:, column], stems[where], 1)
    return counts


def _label_counts(stems: NDArray[np.int64], table: NDArray[np.int64], labels: int) -> NDArray[np.int32]:
    _, first, end, label = table.T
    counts = np.zeros((int(stems.max(initial=-1)) + 1, labels, 3), dtype=np.int32)
    np.add.at(counts[:, :, 0], (stems[first], label), 1)
    np.add.at(counts[:, :, 1], (stems[end - 1], label), 1)
    np.add.at(counts[:, :, 2], (stems[ranges(first, end)], np.repeat(label, end - first)), 1)
    return counts


def _pair_counts(pairs: NDArray[np.int64], table: NDArray[np.int64], labels: int) -> NDArray[np.int32]:
    """Count pairs; the one to the left of token t of sentence s is number t + s."""
    sentence, first, end, label = table.T
    counts = np.zeros((int(pairs.max(initial=-1)) + 1, 4 + labels), dtype=np.int32)
    inner = ranges(first + sentence + 1, end + sentence)
    for column, where in {STARTS: first + sentence, ENDS: end + sentence, JOINED: inner}.items():
        np.add.at(counts[:, column], pairs[where], 1)
    np.add.at(counts[:, TOGETHER], pairs, 1)
    long = end - first > 1
    np.add.at(counts, (pairs[(end + sentence - 1)[long]], 4 + label[long]), 1)
    return counts


def _hashed(keys: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    return build_table(keys, np.arange(len(keys), dtype=np.int32))


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

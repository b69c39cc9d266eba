"""What is known of the word forms seen so far, laid out for the compiled loops."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from threading import Lock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.featurize.attributes import kernels
from stages.featurize.attributes.casing import is_long
from stages.featurize.attributes.form_kernels import add_forms, sum_weights
from stages.featurize.attributes.hashing import hashes_of
from stages.featurize.attributes.index import AttributeIndex
from stages.featurize.attributes.lookup import Lookup, Words
from stages.featurize.attributes.tokens import FormScores
from stages.featurize.attributes.words import OFFSETS, WordForm, analyse, normalised, stem_of

_FORMS = 1 << 10  # word forms that a new table has room for


class _Numbers(dict[str, int]):
    """Numbers word forms in order of first appearance, and remembers which are new."""

    def __init__(self) -> None:
        super().__init__()
        self.new: list[str] = []

    def __missing__(self, form: str) -> int:
        number = self[form] = len(self)
        self.new.append(form)
        return number


class Symbols(NamedTuple):
    """What pairs are made of: the number of each is its place, from 1."""

    stems: Lookup
    clusters: Lookup
    shapes: Lookup


@dataclass(frozen=True)
class Lexicon:
    """What training knows of words.

    Parameters
    ----------
    index : AttributeIndex
    symbols : Symbols
    words : Words
    """

    index: AttributeIndex
    symbols: Symbols
    words: Words

    def analyse(self, forms: Sequence[str]) -> list[WordForm]:
        """Take word forms apart, with the clusters of each."""
        known = {*map(normalised, forms), *map(stem_of, forms)}
        clusters = self.words.clusters_of(list(known))
        return [analyse(form, clusters) for form in forms]


class FormSurface(NamedTuple):
    """What can be compared of the forms of tokens: the first arrays of `tokens.Surface`."""

    words: NDArray[np.uint64]
    stems: NDArray[np.uint64]
    lengths: NDArray[np.int16]
    flags: NDArray[np.int8]


class FormTable:
    """Growing buffers with the rows, symbols and flags of the word forms seen so far.

    Given the weights of a linear model, the table keeps their sums in place of the rows.

    Buffers double when they are full, so that a form costs the same whether notes come one by one
    or all at once. Threads may share a table.

    Parameters
    ----------
    lexicon : Lexicon
    weights : float32 array of shape (rows, tags), optional
    """

    def __init__(self, lexicon: Lexicon, weights: NDArray[np.float32] | None = None) -> None:
        self._lexicon, self._weights = lexicon, weights
        self._lock = Lock()
        self._numbers = _Numbers()
        self._starts = np.zeros(len(OFFSETS) * _FORMS + 1, dtype=np.int64)
        self._rows = np.empty(64 * _FORMS, dtype=np.int32)
        self._symbols = np.empty((_FORMS, 3), dtype=np.int32)
        self._flags = np.empty(_FORMS, dtype=np.int8)
        self._hashes = np.empty((_FORMS, 2), dtype=np.uint64)
        self._lengths = np.empty(_FORMS, dtype=np.int16)
        self._scores = np.empty((_FORMS, len(OFFSETS), 0 if weights is None else weights.shape[1]), dtype=np.float32)

    def __len__(self) -> int:
        return len(self._numbers)

    def number(self, sentences: Iterable[Iterable[str]], count: int) -> NDArray[np.int32]:
        """Return the number of each of the `count` tokens; forms that are new are analysed first."""
        with self._lock:
            new = self._numbers.new
            try:
                tokens = map(self._numbers.__getitem__, chain.from_iterable(sentences))
                numbers = np.fromiter(tokens, dtype=np.int32, count=count)
                if new:
                    self._add(new)
            except BaseException:
                for form in new:
                    del self._numbers[form]
                raise
            finally:
                self._numbers.new = []
        return numbers

    def _add(self, forms: Sequence[str]) -> None:
        """Fill in what is known of the forms with the highest numbers."""
        new = slice(len(self) - len(forms), len(self))
        while new.stop > len(self._flags):
            self._grow()
        seen = self._lexicon.analyse(forms)
        attributes, counts = self._lexicon.index.find(seen)
        if self._weights is None:
            self._add_rows(attributes, counts, new.start)
        else:
            starts = np.zeros(len(OFFSETS) * len(forms) + 1, dtype=np.int64)
            rows = np.empty(2 * len(attributes), dtype=np.int32)
            add_forms(attributes, counts, self._lexicon.index.rows, 0, starts, rows)
            self._scores[new] = 0.0
            sum_weights(starts, rows, self._weights, self._scores[new])
        self._compare(seen, new)

    def _add_rows(self, attributes: NDArray[np.int32], counts: NDArray[np.int64], first: int) -> None:
        most = int(self._starts[len(OFFSETS) * first]) + 2 * len(attributes)
        while most > len(self._rows):
            self._rows = np.append(self._rows, np.empty_like(self._rows))
        add_forms(attributes, counts, self._lexicon.index.rows, first, self._starts, self._rows)

    def _compare(self, forms: Sequence[WordForm], new: slice) -> None:
        """Fill in what can be compared of the forms."""
        symbols = self._lexicon.symbols
        hashes = hashes_of([text for form in forms for text in (form.form, form.stem)]).reshape(-1, 2)
        self._hashes[new] = hashes
        self._symbols[new, 0] = symbols.stems.find_keys(hashes[:, 1].copy()) + 1
        self._symbols[new, 1] = symbols.clusters.find([form.cluster for form in forms]) + 1
        self._symbols[new, 2] = symbols.shapes.find([form.compressed for form in forms]) + 1
        known = self._lexicon.words.lookup.find([form.word for form in forms]).tolist()
        self._flags[new] = [
            flag_bits(form.form) | (kernels.UNKNOWN if place < 0 else 0)
            for form, place in zip(forms, known, strict=True)
        ]
        self._lengths[new] = [min(len(form.form), 999) for form in forms]

    def _grow(self) -> None:
        self._starts = np.append(self._starts, np.zeros_like(self._starts[1:]))
        for name in ("_symbols", "_flags", "_hashes", "_lengths", "_scores"):
            array = getattr(self, name)
            setattr(self, name, np.concatenate([array, np.empty_like(array)]))

    def arrays(self) -> tuple[NDArray[np.generic], ...]:
        """Return starts, rows, symbols and flags of the forms, as `kernels` takes them.

        They are the buffers themselves; what lies behind the last form is undefined.
        """
        return self._starts, self._rows, self._symbols, self._flags

    def scores(self, forms: NDArray[np.int32]) -> FormScores | None:
        """Return the sums of the weights for tokens given by their form numbers, where the table has weights."""
        return None if self._weights is None else FormScores(forms, self._scores)

    def flags(self, forms: NDArray[np.int32]) -> NDArray[np.int8]:
        """Return the flags of tokens given by their form numbers."""
        return self._flags[forms]

    def surface(self, forms: NDArray[np.int32]) -> FormSurface:
        """Return what can be compared of tokens given by their form numbers."""
        return FormSurface(self._hashes[forms, 0], self._hashes[forms, 1], self._lengths[forms], self._flags[forms])


def flag_bits(token: str) -> int:
    """Return the flags of a word form that need no look at the training text, as `kernels` names them.

    >>> flag_bits("("), flag_bits("And")
    (1, 12)
    """
    bits = kernels.OPENS if token in ("(", "[") else kernels.CLOSES if token in (")", "]") else 0
    bits |= kernels.CAPITALISED if token[:1].isupper() else 0
    bits |= kernels.JOINS if token.lower() in ("and", "or") else 0
    bits |= kernels.SHOUTS if is_long(token) and token.isupper() else 0
    return bits | (kernels.HYPHEN if token == "-" else 0)

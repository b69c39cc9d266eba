"""What is known of the word forms seen so far, laid out for the compiled loops."""

from __future__ import annotations

from hashlib import blake2b
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from stages.featurize import kernels
from stages.featurize.casing import is_long
from stages.featurize.words import stem_of

_FORMS = 1 << 10  # word forms that a new table has room for


class FormTable:
    """Growing buffers with the rows, symbols and flags of the word forms seen so far.

    Buffers double when they are full, so that a form costs the same whether notes come one by one
    or all at once.
    """

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self._starts = np.zeros(7 * _FORMS + 1, dtype=np.int64)
        self._rows = np.empty(64 * _FORMS, dtype=np.int32)
        self._symbols = np.empty((3, _FORMS), dtype=np.int32)
        self._flags = np.empty(_FORMS, dtype=np.int8)
        self._surface = np.empty((3, _FORMS), dtype=np.uint64)

    def __len__(self) -> int:
        return len(self.numbers)

    def add(self, token: str, rows: list[list[int]], symbols: list[int]) -> int:
        """Add a form and return its number.

        Parameters
        ----------
        token : str
            The form; not in `numbers` yet.
        rows : list of 7 lists of int
            Attribute rows at each of `words.OFFSETS`.
        symbols : list of 3 ints
            Stem, cluster and shape.
        """
        number = len(self.numbers)
        if number == len(self._flags):
            self._starts = np.append(self._starts, np.zeros(7 * number, dtype=np.int64))
            self._symbols = np.hstack([self._symbols, np.empty_like(self._symbols)])
            self._flags = np.append(self._flags, np.empty_like(self._flags))
            self._surface = np.hstack([self._surface, np.empty_like(self._surface)])
        flat = [row for part in rows for row in part]
        ends = list(accumulate(map(len, rows), initial=int(self._starts[7 * number])))
        while ends[-1] > len(self._rows):
            self._rows = np.append(self._rows, np.empty_like(self._rows))
        self._rows[ends[0] : ends[-1]] = flat
        self._starts[7 * number : 7 * number + 8] = ends
        self._symbols[:, number] = symbols
        self._flags[number] = flag_bits(token)
        self._surface[:, number] = hash_of(token), hash_of(stem_of(token)), min(len(token), 999)
        self.numbers[token] = number
        return number

    def arrays(self) -> tuple[NDArray[np.generic], ...]:
        """Return starts, rows, symbols and flags as `kernels.rows_of_tokens` takes them.

        They are the buffers themselves, valid until the next `add`; what lies behind the last form
        is undefined.
        """
        return self._starts, self._rows, self._symbols, self._flags

    def flags(self, forms: NDArray[np.int32]) -> NDArray[np.int8]:
        """Return the flags of tokens given by their form numbers."""
        return self._flags[forms]

    def surface(
        self, forms: NDArray[np.int32]
    ) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.int16], NDArray[np.int8]]:
        """Return word hashes, stem hashes, lengths and flags of tokens given by their form numbers."""
        words, stems, lengths = self._surface[:, forms]
        return words, stems, lengths.astype(np.int16), self._flags[forms]


def hash_of(text: str) -> int:
    """Return a 64-bit hash that is the same on every machine and in every process.

    >>> hash_of("asthma") == hash_of("asthma")
    True
    """
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def flag_bits(token: str) -> int:
    """Return the flags of a word form, as `kernels` names them.

    >>> flag_bits("("), flag_bits("And")
    (1, 12)
    """
    bits = kernels.OPENS if token in ("(", "[") else kernels.CLOSES if token in (")", "]") else 0
    bits |= kernels.CAPITALISED if token[:1].isupper() else 0
    bits |= kernels.JOINS if token.lower() in ("and", "or") else 0
    bits |= kernels.SHOUTS if is_long(token) and token.isupper() else 0
    return bits | (kernels.HYPHEN if token == "-" else 0)

"""A terminology: which phrases are known to name a disease, a chemical or a procedure.

What no training text is long enough to show. Terms are compared by their stems, hyphens, commas
and quotation marks passed over, so that "Non-Hodgkin lymphomas" finds *non hodgkin lymphoma*.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import filterfalse
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stages.common.checked import ascending, read_columns, require
from stages.common.errors import AnnotationError
from stages.common.files import write_table
from stages.featurize.attributes.hashing import hashes_of
from stages.featurize.attributes.kernels import build_table
from stages.featurize.attributes.terminology_kernels import beginning_keys, longest_terms
from stages.featurize.attributes.words import stem_of
from stages.prepare.segmentation import words_in

TERMINOLOGIES = Path("data/terminology")
CATEGORIES = ("chemical", "disease", "other", "procedure", "protein")
HEADER = ("term", "category")
LONGEST = 8
"""Words of the longest term; longer ones are names that no doctor writes out."""
MOST_TOKENS = 2 * LONGEST
"""Tokens of the longest match: between two words of a term may stand a hyphen or a comma."""


ATTRIBUTES = tuple(
    tuple(
        tuple(f"{offset:+d}term={place}-{category}".removeprefix("+0") for place in "BIES") for category in CATEGORIES
    )
    for offset in (0, -1, 1)
)
"""Attributes of a token in a term, and of its neighbours: by offset, category, and place in the term."""

_JOINERS = frozenset(("-", ",", "'", "\N{RIGHT SINGLE QUOTATION MARK}", '"'))
_JOINER_STEMS = hashes_of(sorted(_JOINERS))
_SCHEMA = pa.schema([pa.field("key", pa.uint64(), nullable=False), pa.field("members", pa.uint8(), nullable=False)])
_BITS = {category: 1 << bit for bit, category in enumerate(CATEGORIES)}


@dataclass(frozen=True)
class Terminology:
    """Terms by the hashes of their stems.

    Parameters
    ----------
    keys : uint64 array of shape (beginnings,)
        Hash of every beginning of every term, ascending.
    members : uint8 array of shape (beginnings,)
        A bit for each of `CATEGORIES` of which the beginning is a whole term.
    stems : uint64 array of shape (stems,)
        Hashes of all words of all terms, ascending; known while learning, and not saved.
    """

    keys: NDArray[np.uint64]
    members: NDArray[np.uint8]
    stems: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, dtype=np.uint64), compare=False, repr=False)

    @classmethod
    def of(cls, terms: Iterable[tuple[str, str]]) -> Self:
        """Build a terminology of pairs of a term and its category; terms of more than `LONGEST` words are left out."""
        kept = [(words, category) for term, category in terms if 0 < len(words := words_of(term)) <= LONGEST]
        stems = hashes_of([word for words, _ in kept for word in words])
        ends = np.cumsum([len(words) for words, _ in kept], dtype=np.int64)
        keys, beginnings = np.unique(beginning_keys(stems, ends), return_inverse=True)
        members = np.zeros(len(keys), dtype=np.uint8)
        np.bitwise_or.at(members, beginnings[ends - 1], np.array([_BITS[category] for _, category in kept], np.uint8))
        return cls(keys, members, np.unique(stems))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a tab-separated table of terms and their categories.

        Raises
        ------
        AnnotationError
            When the file is missing, has another header, or a line is not a term and one of `CATEGORIES`.
        """
        return cls.of(_read_terms(path))

    def __len__(self) -> int:
        """Return the number of terms."""
        return int(np.count_nonzero(self.members))

    def longest(self, stems: NDArray[np.uint64], sentence_starts: NDArray[np.int64]) -> NDArray[np.int8]:
        """Find the longest term of each category that starts at each token.

        Parameters
        ----------
        stems : uint64 array of shape (tokens,)
            Hashes as `stages.featurize.attributes.tokens.Surface` has them.
        sentence_starts : int64 array of shape (sentences + 1,)

        Returns
        -------
        int8 array of shape (tokens, categories)
            Its length in tokens; 0 where none starts.
        """
        lengths = np.zeros((len(stems), len(CATEGORIES)), dtype=np.int8)
        if len(self.keys):
            longest_terms(stems, sentence_starts, _JOINER_STEMS, *self._table, MOST_TOKENS, lengths)
        return lengths

    @cached_property
    def _table(self) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
        return build_table(self.keys, self.members.astype(np.int32))

    def has_words(self, words: Sequence[str]) -> NDArray[np.bool_]:
        """Tell which words occur in any of the terms this was made of."""
        return np.isin(hashes_of([stem_of(word) for word in words]), self.stems)

    def save(self, path: Path) -> None:
        """Write the hashes as a Parquet table."""
        import pandas as pd

        write_table(path, pd.DataFrame({"key": self.keys, "members": self.members}), _SCHEMA)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        ModelError
            When the file is missing or not such a table.
        """
        table = read_columns(path, _SCHEMA)
        keys, members = table["key"], table["members"]
        require(ascending(keys), path, "has keys out of order")
        require((members < 1 << len(CATEGORIES)).all(), path, "has categories that there are not")
        return cls(keys, members)


NOTHING = Terminology(np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.uint8))
"""The terminology without terms."""


def words_of(term: str) -> tuple[str, ...]:
    """Return the stems by which a term is found.

    >>> words_of("Non-Hodgkin Lymphomas"), words_of("Alzheimer's disease")
    (('non', 'hodgkin', 'lymphoma'), ('alzheimer', 's', 'disease'))
    """
    return tuple(map(_stem_of, filterfalse(_JOINERS.__contains__, words_in(term))))


_stem_of = lru_cache(maxsize=1 << 16)(stem_of)  # terms share their words


def _read_terms(path: Path) -> Iterator[tuple[str, str]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        remedy = "Put the table there, or set featurize.terminology to null"
        raise AnnotationError(f"cannot be read: {error}", remedy, file=path.name) from None
    if not lines or tuple(lines[0].split("\t")) != HEADER:
        raise AnnotationError(
            "has another header", f"Start it with {' and '.join(HEADER)}, separated by a tab", file=path.name, line=1
        )
    for number, line in enumerate(lines[1:], start=2):
        fields = line.split("\t")
        if len(fields) != len(HEADER) or fields[1] not in _BITS:
            remedy = f"Write a term, a tab and one of {', '.join(CATEGORIES)}"
            raise AnnotationError("is not a term with its category", remedy, file=path.name, line=number)
        yield fields[0], fields[1]

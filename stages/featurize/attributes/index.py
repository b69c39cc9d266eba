"""Attributes of words by a hash of their names."""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from stages.featurize.attributes.form_kernels import attribute_keys
from stages.featurize.attributes.hashing import characters_of, hashes_of
from stages.featurize.attributes.lookup import HIDDEN, Lookup
from stages.featurize.attributes.words import GRAMS, OFFSETS, PREFIXES, TEMPLATES, WordForm, split_offsets

_TEMPLATES = [(distance, template) for distance, templates in enumerate(TEMPLATES) for template in templates]
_LAYOUT = np.array([(distance, *template[1:]) for distance, template in _TEMPLATES], dtype=np.int64)
_PREFIXES = hashes_of([template.prefix for _, template in _TEMPLATES])
_GRAMS = sum(template.longest + 2 for _, template in _TEMPLATES if template.piece == GRAMS)


class AttributeIndex:
    """Rows of the attributes of words: one look-up finds an attribute's rows at every offset.

    Parameters
    ----------
    lookup : Lookup
        Names of the attributes without their offsets, each once.
    rows : int32 array of shape (attributes, 7)
        Row at each of `OFFSETS`, or -1.
    """

    def __init__(self, lookup: Lookup, rows: NDArray[np.int32]) -> None:
        self.lookup, self.rows = lookup, rows

    @classmethod
    def of(cls, names: Mapping[str, int], told: Container[str] | None = None) -> AttributeIndex:
        """Build an index of attributes by their names, as `WordForm.attributes` has them.

        Parameters
        ----------
        names : mapping of str to int
            Row of each attribute.
        told : container of str, optional
            Names that are kept; of the others only hashes are. Without it, all are kept.

        Raises
        ------
        ValueError
            When two names have the same hash.
        """
        columns, bare = split_offsets(names)
        numbers: dict[str, int] = {}
        places = [numbers.setdefault(name, len(numbers)) for name in bare]
        texts = [HIDDEN] * len(numbers)
        for name, base, place in zip(names, bare, places, strict=True):
            if told is None or name in told:
                texts[place] = base
        rows = np.full((len(numbers), len(OFFSETS)), -1, dtype=np.int32)
        rows[np.array(places, dtype=np.int64), np.array(columns, dtype=np.int64)] = np.fromiter(
            names.values(), dtype=np.int32, count=len(names)
        )
        return cls(Lookup(hashes_of(list(numbers)), texts), rows)

    def find(self, forms: Sequence[WordForm]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Find the attributes of word forms.

        Returns
        -------
        attributes : int32 array
            Of each form at distance 0, 1, 2 and 3, by their place in `rows`; -1 where training saw none.
        counts : int64 array of shape (forms, 4)
            How many there are of each form and distance.
        """
        text, starts = characters_of(list(chain.from_iterable([form.parts for form in forms])))
        others = list(chain.from_iterable([(*form.flags, *form.clusters) for form in forms]))
        other_counts = np.array([(len(form.flags), len(form.clusters)) for form in forms], dtype=np.int64)
        counts = np.empty((len(forms), len(TEMPLATES)), dtype=np.int64)
        keys = np.empty(len(forms) * (len(_TEMPLATES) + _GRAMS) + len(others) * len(TEMPLATES), dtype=np.uint64)
        parts = (len(starts) - 1) // len(forms)
        count = attribute_keys(text, starts, parts, hashes_of(others), other_counts, _LAYOUT, _PREFIXES, keys, counts)
        return self.lookup.find_keys(keys[:count]), counts

    def rows_of(self, names: Collection[str]) -> NDArray[np.int32]:
        """Return the row of each attribute by its name, offset included; -1 where training saw none."""
        columns, bare = split_offsets(names)
        places = self.lookup.find(bare)
        rows = self.rows[places, np.array(columns, dtype=np.int64)] if len(self.rows) else np.full_like(places, -1)
        return np.where(places < 0, np.int32(-1), rows)

    def pruned(self, keep: NDArray[np.bool_], renumbered: NDArray[np.int32]) -> AttributeIndex:
        """Return an index of the rows of `keep` only, under their new numbers."""
        rows = np.where((self.rows >= 0) & keep[self.rows], renumbered[self.rows], np.int32(-1))
        left = np.flatnonzero((rows >= 0).any(axis=1))
        return AttributeIndex(Lookup(self.lookup.keys[left], [self.lookup.texts[i] for i in left.tolist()]), rows[left])

    def names(self, more: Collection[str] = ()) -> dict[int, str]:
        """Return the name of each row; `RARE` for those that are not kept, unless they are among `more`."""
        named = dict.fromkeys(split_offsets(more)[1])
        texts = self.lookup.named(named)
        places, columns = np.nonzero(self.rows >= 0)
        rows = self.rows[places, columns].tolist()
        return {
            row: f"{PREFIXES[column]}{texts[place]}"
            for row, place, column in zip(rows, places.tolist(), columns.tolist(), strict=True)
        }

"""Attributes of words by a hash of their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from stages.featurize.form_kernels import attribute_keys
from stages.featurize.hashing import characters_of, hashes_of
from stages.featurize.kernels import build_table, find_all
from stages.featurize.words import GRAMS, OFFSETS, TEMPLATES, WordForm, split_offsets

_TEMPLATES = [(distance, template) for distance, templates in enumerate(TEMPLATES) for template in templates]
_LAYOUT = np.array([(distance, *template[1:]) for distance, template in _TEMPLATES], dtype=np.int64)
_PREFIXES = hashes_of([template.prefix for _, template in _TEMPLATES])
_GRAMS = sum(template.longest + 2 for _, template in _TEMPLATES if template.piece == GRAMS)


class AttributeIndex:
    """Rows of the attributes of words: one look-up finds an attribute's rows at every offset.

    Parameters
    ----------
    names : mapping of str to int
        Row of each attribute by its name, as `WordForm.attributes` has it.

    Raises
    ------
    ValueError
        When two names have the same hash, which is to be expected once in a hundred million models.
    """

    def __init__(self, names: Mapping[str, int]) -> None:
        columns, bare = split_offsets(names)
        distinct, numbers = np.unique(hashes_of(bare), return_inverse=True)
        if len(distinct) != len(set(bare)):
            raise ValueError("two attributes have the same hash: leave one of their words out of the training text")
        self.rows = np.full((len(distinct), len(OFFSETS)), -1, dtype=np.int32)
        """Row at each of `OFFSETS`, or -1."""
        self.rows[numbers, np.array(columns, dtype=np.int64)] = np.fromiter(
            names.values(), dtype=np.int32, count=len(names)
        )
        self._table = build_table(distinct, np.arange(len(distinct), dtype=np.int32))

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
        return find_all(keys[:count], *self._table), counts

"""Strings known by their hashes: what names people in a few notes is found again, and is not written down."""

from __future__ import annotations

from collections.abc import Collection, Container, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from stages.featurize.attributes.hashing import hashes_of
from stages.featurize.attributes.kernels import build_table, find_all

HIDDEN = ""
"""Stands for a string of which only the hash is kept."""

RARE = "(rare word)"
"""How an attribute is shown whose name is not kept."""


class Lookup:
    """Finds the place of strings in a list of which it has the hashes, and some of the strings.

    Parameters
    ----------
    keys : uint64 array of shape (strings,)
        Their hashes, in the order of the list.
    texts : sequence of str
        The strings; `HIDDEN` for those of which only the hash is kept.

    Raises
    ------
    ValueError
        When two strings have the same hash, which is to be expected once in a hundred million models.
    """

    def __init__(self, keys: NDArray[np.uint64], texts: Sequence[str]) -> None:
        if len(np.unique(keys)) != len(keys):
            raise ValueError("two words have the same hash: leave one of them out of the training text")
        self.keys, self.texts = keys, texts

    @classmethod
    def of(cls, strings: Collection[str], told: Container[str] | None = None) -> Lookup:
        """List strings; those that are not in `told` by their hashes only."""
        texts = [text if told is None or text in told else HIDDEN for text in strings]
        return cls(hashes_of(list(strings)), texts)

    def __len__(self) -> int:
        return len(self.keys)

    def __contains__(self, string: str) -> bool:
        return bool(self.find([string])[0] >= 0)

    def find(self, strings: Sequence[str]) -> NDArray[np.int32]:
        """Return the place of each string, or -1."""
        return self.find_keys(hashes_of(strings))

    def find_keys(self, keys: NDArray[np.uint64]) -> NDArray[np.int32]:
        """Return the place of each string by its hash, or -1."""
        return find_all(keys, *self._table)

    def named(self, strings: Collection[str] = ()) -> list[str]:
        """Return all strings: as kept, as found among `strings`, or else as `RARE`."""
        names = [text or RARE for text in self.texts]
        known = list(strings)
        for place, string in zip(self.find(known).tolist(), known, strict=True):
            if place >= 0:
                names[place] = string
        return names

    @cached_property
    def _table(self) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
        return build_table(self.keys, np.arange(len(self.keys), dtype=np.int32))


def by_hash(strings: Collection[str]) -> list[str]:
    """Return strings in the order of their hashes, which says nothing of them as the alphabet would."""
    known = sorted(strings)
    return [known[place] for place in np.argsort(hashes_of(known), kind="stable").tolist()]


class Words:
    """The words of the training text, and the distributional clusters of some of them.

    Parameters
    ----------
    lookup : Lookup
        Normalised forms.
    clusters : sequence of tuples of str
        Of each; empty for none.
    """

    def __init__(self, lookup: Lookup, clusters: Sequence[tuple[str, ...]]) -> None:
        self.lookup, self.clusters = lookup, clusters

    def __contains__(self, word: str) -> bool:
        return word in self.lookup

    def clusters_of(self, words: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Return the clusters of those of the words that have any."""
        places = self.lookup.find(words).tolist()
        return {
            word: groups
            for word, place in zip(words, places, strict=True)
            if place >= 0 and (groups := self.clusters[place])
        }

    def members(self) -> dict[str, tuple[str, ...]]:
        """Return the clusters of the words that may be shown, in the order of the alphabet."""
        pairs = zip(self.lookup.texts, self.clusters, strict=True)
        return dict(sorted((text, groups) for text, groups in pairs if text and groups))

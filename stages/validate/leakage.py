"""Texts that stand in more than one split, whole or in part, found without trusting the groups of prepare.

Two searches, both in time linear in the text whatever templates it is written in: MinHash proposes
texts that are nearly the same, the product of two sparse matrices counts what one text has of another.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

_WORD = re.compile(r"\w+")

PERMUTATIONS = 128
REPRESENTATIVES = 2
"""The first so many texts of a split that share a band of the MinHash are compared, the rest of a template is not."""
BOILERPLATE = 50
"""A 3-gram that more texts of a split have than this is a template's, and no sign of copying."""
SHORTEST_COPY = 10
"""3-grams; shorter passages in common are set phrases."""
_ROWS = 1000


def normalised(text: str) -> str:
    """Return `text` without differences of case and spacing."""
    return " ".join(text.casefold().split())


def fingerprint(text: str) -> str:
    """Return the SHA-256 of the normalised text."""
    return hashlib.sha256(normalised(text).encode("utf-8", "surrogatepass")).hexdigest()


def shingles(text: str) -> frozenset[str]:
    """Return the word 3-grams of the normalised text; a shorter text is one gram."""
    words = _WORD.findall(normalised(text))
    if len(words) < 3:
        return frozenset([" ".join(words)]) if words else frozenset()
    return frozenset(" ".join(words[place : place + 3]) for place in range(len(words) - 2))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Return the size of the intersection over that of the union; 0 for two empty sets."""
    shared = len(one & other)
    union = len(one) + len(other) - shared
    return shared / union if union else 0.0


def near_duplicates(
    texts: Sequence[str], threshold: float, splits: Sequence[str] | None = None
) -> Iterator[tuple[int, int]]:
    """Find pairs of different texts whose word 3-grams have a Jaccard similarity of `threshold` or more.

    MinHash proposes (Broder 1997; seeded, so the same texts give the same pairs), the exact
    similarity decides. The proposals are made at a lower similarity than asked for, because
    banding misses about half of the pairs that lie right at its own threshold.

    Parameters
    ----------
    texts : sequence of str
    threshold : float
        Above 0, at most 1.
    splits : sequence of str, optional
        The split of each text: pairs within one are left out, and of many texts of a split that look alike to
        the index, the first `REPRESENTATIVES` stand for all. None: every text is a split of its own.

    Yields
    ------
    int, int
        Positions in `texts`, the smaller first. Pairs of the same normalised text are left out.
    """
    sets = [shingles(text) for text in texts]
    prints = [fingerprint(text) for text in texts]
    homes: Sequence[object] = range(len(texts)) if splits is None else splits
    for place, proposed in _proposals(sets, prints, homes, threshold):
        for other in proposed:
            if prints[other] != prints[place] and jaccard(sets[other], sets[place]) >= threshold:
                yield other, place


def _proposals(
    sets: Sequence[frozenset[str]], prints: Sequence[str], homes: Sequence[object], threshold: float
) -> Iterator[tuple[int, list[int]]]:
    """Yield each text with the earlier ones of other splits that it shares a band with."""
    from datasketch import MinHash, MinHashLSH

    layout = MinHashLSH(threshold=max(0.1, threshold - 0.25), num_perm=PERMUTATIONS)
    encoded = ([gram.encode() for gram in grams] for grams in sets)
    met: set[tuple[object, str]] = set()
    index: defaultdict[tuple[int, bytes], dict[object, list[int]]] = defaultdict(dict)
    for place, signature in enumerate(MinHash.generator(encoded, num_perm=PERMUTATIONS, seed=1)):
        if not sets[place]:
            continue
        home, values = homes[place], signature.hashvalues
        new = (home, prints[place]) not in met
        met.add((home, prints[place]))
        proposed: set[int] = set()
        for band in range(layout.b):
            alike = index[band, values[band * layout.r : (band + 1) * layout.r].tobytes()]
            proposed.update(number for split, numbers in alike.items() if split != home for number in numbers)
            own = alike.setdefault(home, [])
            if new and len(own) < REPRESENTATIVES:
                own.append(place)
        yield place, sorted(proposed)


def copied_passages(texts: Sequence[str], splits: Sequence[str], share: float) -> Iterator[tuple[int, int]]:
    """Find pairs of different texts in different splits one of which holds much of the other.

    Parameters
    ----------
    texts, splits : sequences of str
        Of the same length.
    share : float
        Of the word 3-grams of the shorter text, those that the longer has too; boilerplate, the 3-grams that more
        than `BOILERPLATE` texts of either split have, counts as not shared.

    Yields
    ------
    int, int
        Positions in `texts`, the smaller first; the pairs in no particular order.
    """
    sets = [shingles(text) for text in texts]
    prints = [fingerprint(text) for text in texts]
    sizes = np.array([len(grams) for grams in sets])
    places = {split: np.flatnonzero([own == split for own in splits]) for split in sorted(set(splits))}
    incidence = _incidence(sets)
    for one, other in combinations(places.values(), 2):
        for row, column, count in _shared(incidence[one], incidence[other]):
            left, right = sorted((int(one[row]), int(other[column])))
            enough = max(SHORTEST_COPY, share * min(sizes[left], sizes[right]))
            if count >= enough and prints[left] != prints[right]:
                yield left, right


def _incidence(sets: Sequence[frozenset[str]]) -> csr_matrix:
    """Return texts by 3-grams, 1 where a text has the 3-gram."""
    from scipy.sparse import csr_matrix

    columns: dict[str, int] = {}
    indices = [columns.setdefault(gram, len(columns)) for grams in sets for gram in sorted(grams)]
    ends = np.cumsum([0, *(len(grams) for grams in sets)])
    ones = np.ones(len(indices), dtype=np.int32)
    return csr_matrix((ones, np.array(indices, dtype=np.int64), ends), shape=(len(sets), max(1, len(columns))))


def _shared(one: csr_matrix, other: csr_matrix) -> Iterator[tuple[int, int, int]]:
    """Yield rows of each that have 3-grams in common, and how many; boilerplate of either left out."""
    held, holds = (np.asarray(part.sum(axis=0)).ravel() for part in (one, other))
    telling = np.flatnonzero((held > 0) & (held <= BOILERPLATE) & (holds > 0) & (holds <= BOILERPLATE))
    other_way = other[:, telling].T.tocsr()
    one = one[:, telling]
    for first in range(0, one.shape[0], _ROWS):
        block = (one[first : first + _ROWS] @ other_way).tocoo()
        enough = block.data >= SHORTEST_COPY
        rows, columns, counts = block.row[enough] + first, block.col[enough], block.data[enough]
        yield from zip(rows.tolist(), columns.tolist(), counts.tolist(), strict=True)


def splits_of_pairs(pairs: Iterable[tuple[int, int]], splits: Sequence[str]) -> list[int]:
    """Count, for each text, the splits in which it or a text that it is paired with stands.

    Returns
    -------
    list of int
        1 for a text that stands in its own split only.
    """
    seen = [{split} for split in splits]
    for one, other in pairs:
        seen[one].add(splits[other])
        seen[other].add(splits[one])
    return [len(documents) for documents in seen]

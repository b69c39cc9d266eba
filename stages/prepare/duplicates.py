"""Exact and near duplicates: documents that say the same must not stand on both sides of a split."""

from __future__ import annotations

import re
from hashlib import sha256

_WORD = re.compile(r"\w+")
_SHINGLE = 3
_PERMUTATIONS = 128
_SEED = 1
# The index proposes, the exact similarity disposes; this much below its bar, missed pairs are improbable.
_RESERVE = 0.25


def words_of(text: str) -> list[str]:
    """Return the words of a text, case-folded: what is left when layout is taken away."""
    return _WORD.findall(text.casefold())


def content_hash(text: str) -> str:
    """Return 16 hex digits that depend on the words of a text and not on its layout."""
    return sha256(" ".join(words_of(text)).encode()).hexdigest()[:16]


def shingles_of(text: str) -> frozenset[str]:
    """Return the word 3-grams of a text (the whole text where it is shorter)."""
    words = words_of(text)
    return frozenset(" ".join(words[i : i + _SHINGLE]) for i in range(max(1, len(words) - _SHINGLE + 1)))


def jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    """Return the share of shingles that two texts have in common."""
    return len(a & b) / len(a | b) if a or b else 1.0


class DuplicateIndex:
    """Finds the earlier documents that a new one repeats.

    MinHash with locality-sensitive hashing (Broder 1997) proposes candidates; their exact Jaccard
    similarity decides. What is found for a document depends only on documents added before it.

    Parameters
    ----------
    threshold : float
        Jaccard similarity of word 3-grams from which two documents count as one.
    """

    def __init__(self, threshold: float) -> None:
        from datasketch import MinHashLSH

        self._threshold = threshold
        self._index = MinHashLSH(threshold=max(0.1, threshold - _RESERVE), num_perm=_PERMUTATIONS)
        self._shingles: list[frozenset[str]] = []
        self._exact: dict[str, int] = {}

    def add(self, text: str) -> list[int]:
        """Add a document; return the numbers of its earlier duplicates, ascending.

        Exact repeats of a document are found through the first of them.
        """
        from datasketch import MinHash

        number, key = len(self._shingles), content_hash(text)
        shingles = shingles_of(text)
        self._shingles.append(shingles)
        if key in self._exact:
            return [self._exact[key]]
        self._exact[key] = number
        signature = MinHash(num_perm=_PERMUTATIONS, seed=_SEED)
        signature.update_batch([shingle.encode() for shingle in sorted(shingles)])
        candidates = sorted(self._index.query(signature))
        self._index.insert(number, signature)
        return [c for c in candidates if jaccard(shingles, self._shingles[c]) >= self._threshold]

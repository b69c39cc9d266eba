"""Documents that say the same, or that copy from each other: they must not stand on both sides of a split."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import chain
from typing import NamedTuple, TypeVar

T = TypeVar("T")
_WORD = re.compile(r"\w+")
_SHINGLE = 3
_PERMUTATIONS = 128
_SEED = 1
# The index proposes, the exact similarity disposes; this much below its bar, missed pairs are improbable.
_RESERVE = 0.25
# The first so many documents of a split that share a band stand for the rest of it: a hospital's template fills
# a band with thousands of notes, and comparing each with all would cost the square of their number.
REPRESENTATIVES = 2
BOILERPLATE = 50
"""A 3-gram that more documents of a split have than this is the template's, and no sign of copying."""
SHORTEST_COPY = 10
"""3-grams; shorter passages in common are set phrases."""


class Fingerprint(NamedTuple):
    """What is compared of a text: the hash of its words, the numbers of its 3-grams, the bands of their MinHash."""

    key: str
    shingles: frozenset[int]
    bands: tuple[tuple[int, bytes], ...]


def words_of(text: str) -> list[str]:
    """Return the words of a text, case-folded: what is left when layout is taken away."""
    return _WORD.findall(text.casefold())


def content_hash(text: str) -> str:
    """Return 16 hex digits that depend on the words of a text and not on its layout."""
    return _hash(words_of(text))


def _hash(words: Sequence[str]) -> str:
    return sha256(" ".join(words).encode()).hexdigest()[:16]


def _grams(words: Sequence[str]) -> Iterator[str]:
    if len(words) < _SHINGLE:
        return iter([" ".join(words)])
    return map(" ".join, zip(*(words[i:] for i in range(_SHINGLE)), strict=False))


def jaccard(a: frozenset[T], b: frozenset[T]) -> float:
    """Return the share of shingles that two texts have in common."""
    shared = len(a) - len(a - b)  # the difference of what is alike is small, and quicker to build than what it shares
    return shared / (len(a) + len(b) - shared) if a or b else 1.0


class _Shelf:
    """The documents of one split, by what may propose them.

    Each of the three lists ends where its bound is reached, so that a look-up costs the same
    however many documents stand here.
    """

    def __init__(self) -> None:
        self.exact: dict[str, int] = {}
        self.bands: defaultdict[tuple[int, bytes], list[int]] = defaultdict(list)
        self.holders: dict[int, tuple[int, ...]] = {}
        """Who has a 3-gram; nobody, once it is boilerplate."""

    def put(self, number: int, fingerprint: Fingerprint) -> None:
        """Note a document; one that repeats another of this shelf word for word brings nothing new."""
        if self.exact.setdefault(fingerprint.key, number) != number:
            return
        for band in fingerprint.bands:
            if len(self.bands[band]) < REPRESENTATIVES:
                self.bands[band].append(number)
        for shingle in fingerprint.shingles:
            held = self.holders.get(shingle)
            if held is None:
                self.holders[shingle] = (number,)
            elif held:
                self.holders[shingle] = (*held, number) if len(held) < BOILERPLATE else ()

    def like(self, fingerprint: Fingerprint) -> Iterator[int]:
        """Propose documents whose 3-grams may be nearly the same."""
        return iter(sorted({number for band in fingerprint.bands for number in self.bands.get(band, ())}))

    def shared(self, fingerprint: Fingerprint) -> Counter[int]:
        """Count the 3-grams in common with each document here, boilerplate left out."""
        return Counter(chain.from_iterable(filter(None, map(self.holders.get, fingerprint.shingles))))


class DuplicateIndex:
    """Finds the earlier documents that a new one repeats or copies from, in time linear in their number.

    Two documents are one when the Jaccard similarity of their word 3-grams reaches `threshold`, or
    when so large a share of the shorter's 3-grams as `copied` stands in the other. MinHash with
    locality-sensitive hashing (Broder 1997) proposes for the first, a table of who has which 3-gram
    counts for the second; neither grows with a template (`docs/decisions/0021-copied-text.md`). What
    is found for a document depends only on documents added before it.

    Parameters
    ----------
    threshold : float
        Jaccard similarity of word 3-grams from which two documents count as one.
    copied : float, optional
        Share of the shorter's 3-grams in the longer; None: only `threshold` counts.
    """

    def __init__(self, threshold: float, copied: float | None = None) -> None:
        from datasketch import MinHash, MinHashLSH
        from datasketch.hashfunc import sha1_hash32

        self._threshold, self._copied = threshold, copied
        layout = MinHashLSH(threshold=max(0.1, threshold - _RESERVE), num_perm=_PERMUTATIONS)
        self._rows = [(band * layout.r, (band + 1) * layout.r) for band in range(layout.b)]
        # New 3-grams get numbers in a row: what is looked up of a document then lies together in memory.
        self._numbers: dict[str, int] = {}
        self._hashes: list[int] = []
        self._sha1 = sha1_hash32
        self._blank = MinHash(num_perm=_PERMUTATIONS, seed=_SEED, hashfunc=self._hashes.__getitem__)
        self._shingles: list[frozenset[int]] = []
        self._shelves: dict[str | None, _Shelf] = {}

    def read(self, text: str) -> Fingerprint:
        """Return what is compared of a text."""
        words, signature = words_of(text), self._blank.copy()
        shingles = frozenset(map(self._number, _grams(words)))
        signature.update_batch(shingles)
        bands = ((first, signature.hashvalues[first:last].tobytes()) for first, last in self._rows)
        return Fingerprint(_hash(words), shingles, tuple(bands))

    def _number(self, shingle: str) -> int:
        number = self._numbers.setdefault(shingle, len(self._hashes))
        if number == len(self._hashes):
            self._hashes.append(self._sha1(shingle.encode()))
        return number

    def earlier(self, fingerprint: Fingerprint) -> dict[str | None, int]:
        """Return, for each shelf that has any, the number of the first document found to be the same."""
        first = {name: self._first(shelf, fingerprint) for name, shelf in self._shelves.items()}
        return {name: number for name, number in first.items() if number is not None}

    def put(self, fingerprint: Fingerprint, shelf: str | None) -> int:
        """Add a document to a shelf, as a rule its split; return its number, counted over all shelves."""
        number = len(self._shingles)
        self._shingles.append(fingerprint.shingles)
        self._shelves.setdefault(shelf, _Shelf()).put(number, fingerprint)
        return number

    def add(self, text: str) -> list[int]:
        """Add a document without a split; return the number of its first earlier duplicate, if it has any."""
        fingerprint = self.read(text)
        earlier = list(self.earlier(fingerprint).values())
        self.put(fingerprint, None)
        return earlier

    def _first(self, shelf: _Shelf, fingerprint: Fingerprint) -> int | None:
        """Return the first exact repeat, else the first that is similar, else the first that is copied from."""
        if fingerprint.key in shelf.exact:
            return shelf.exact[fingerprint.key]
        shingles = fingerprint.shingles
        similar = (n for n in shelf.like(fingerprint) if jaccard(shingles, self._shingles[n]) >= self._threshold)
        match = next(similar, None)
        return self._copied_from(shelf, fingerprint) if match is None else match

    def _copied_from(self, shelf: _Shelf, fingerprint: Fingerprint) -> int | None:
        if self._copied is None:
            return None
        size = len(fingerprint.shingles)
        enough = (
            number
            for number, count in shelf.shared(fingerprint).items()
            if count >= max(SHORTEST_COPY, self._copied * min(size, len(self._shingles[number])))
        )
        return min(enough, default=None)

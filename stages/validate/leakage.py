"""Texts that stand in more than one split, found without trusting the groups of prepare."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence

_WORD = re.compile(r"\w+")

PERMUTATIONS = 128


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


def near_duplicates(texts: Sequence[str], threshold: float) -> Iterator[tuple[int, int]]:
    """Find pairs of different texts whose word 3-grams have a Jaccard similarity of `threshold` or more.

    MinHash proposes (Broder 1997; seeded, so the same texts give the same pairs), the exact
    similarity decides. The proposals are made at a lower similarity than asked for, because
    banding misses about half of the pairs that lie right at its own threshold.

    Parameters
    ----------
    texts : sequence of str
    threshold : float
        Above 0, at most 1.

    Yields
    ------
    int, int
        Positions in `texts`, the smaller first. Pairs of the same normalised text are left out.
    """
    from datasketch import MinHash, MinHashLSH

    sets = [shingles(text) for text in texts]
    prints = [fingerprint(text) for text in texts]
    hashes = MinHash.bulk(([gram.encode() for gram in grams] for grams in sets), num_perm=PERMUTATIONS, seed=1)
    index = MinHashLSH(threshold=max(0.1, threshold - 0.25), num_perm=PERMUTATIONS)
    for place, hashed in enumerate(hashes):
        if not sets[place]:
            continue
        for other in sorted(index.query(hashed)):
            if prints[other] != prints[place] and jaccard(sets[other], sets[place]) >= threshold:
                yield other, place
        index.insert(place, hashed)


def splits_of_near_duplicates(texts: Sequence[str], splits: Sequence[str], threshold: float) -> list[int]:
    """Count, for each text, the splits in which it or a near duplicate of it stands.

    Returns
    -------
    list of int
        1 for a text that stands in its own split only.
    """
    seen = [{split} for split in splits]
    for one, other in near_duplicates(texts, threshold):
        seen[one].add(splits[other])
        seen[other].add(splits[one])
    return [len(found) for found in seen]

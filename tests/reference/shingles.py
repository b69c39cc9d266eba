"""Word 3-grams in plain Python, as strings."""

from __future__ import annotations

from stages.prepare.duplicates import words_of


def shingles_of(text: str) -> frozenset[str]:
    """Return the word 3-grams of a text (the whole text where it is shorter)."""
    words = words_of(text)
    return frozenset(" ".join(words[first : first + 3]) for first in range(max(1, len(words) - 2)))

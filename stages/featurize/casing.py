"""Sentences that shout are read as if they did not: capitals say something only where others are small."""

from __future__ import annotations

from collections.abc import Sequence

_SHARE = 0.8
_WORDS = 3

LEAST_SHOUTS = 3
"""A sentence with fewer long words in capitals stays as it is."""


def is_long(word: str) -> bool:
    """Tell whether a word is long enough not to be an abbreviation."""
    return len(word) >= 5 and word.isalpha()


def quieted(sentence: Sequence[str]) -> Sequence[str]:
    """Lower a sentence with three long words of which most are in capitals; lists of abbreviations have none.

    >>> quieted("KNOWN ASTHMA , TAKES SALBUTAMOL".split())
    ['known', 'asthma', ',', 'takes', 'salbutamol']
    """
    long = [word for word in sentence if is_long(word)]
    if len(long) < _WORDS or sum(map(str.isupper, long)) <= _SHARE * len(long):
        return sentence
    return [word.lower() for word in sentence]

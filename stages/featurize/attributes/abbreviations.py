"""Abbreviations and their long forms (Schwartz & Hearst 2003, Pacific Symposium on Biocomputing).

A short form takes its long form's head along, so that *TSC* is read as the *sclerosis* it was
introduced as a few sentences earlier.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from stages.featurize.attributes.words import stem_of

LOOK_BACK = 14
"""How many sentences a definition stays in force."""

_LONGEST_SHORT_FORM = 10
_CLOSING = frozenset(")];,")


class Definition(NamedTuple):
    """Long form ``words[long_start:long_end]``, short form ``words[short_start:short_end]``."""

    long_start: int
    long_end: int
    short_start: int
    short_end: int


def definitions(words: Sequence[str]) -> list[Definition]:
    """Find "long form (SHORT)" in one sentence.

    >>> definitions("chronic obstructive pulmonary disease ( COPD )".split())
    [Definition(long_start=0, long_end=4, short_start=5, short_end=6)]
    """
    defined = []
    for position, word in enumerate(words):
        if word != "(" or position == 0:
            continue
        start = end = position + 1
        while end < len(words) and end < start + 3 and words[end] not in _CLOSING:
            end += 1
        if end == start or end >= len(words) or words[end] not in _CLOSING:
            continue
        short = "".join(words[start:end])
        if not (2 <= len(short) <= _LONGEST_SHORT_FORM and short[0].isalnum() and any(map(str.isalpha, short))):
            continue
        first = max(0, position - min(len(short) + 5, 2 * len(short)))
        offset = _match(short, words[first:position])
        if offset is not None and len(" ".join(words[first + offset : position])) > len(short):
            defined.append(Definition(first + offset, position, start, end))
    return defined


def _match(short: str, words: Sequence[str]) -> int | None:
    """Return the word at which the long form of `short` starts, matching letters from the right."""
    text, letters = " ".join(words).lower(), short.lower()
    place = len(text)
    for letter in filter(str.isalnum, letters[:0:-1]):
        place = text.rfind(letter, 0, place)
        if place < 0:
            return None
    while (place := text.rfind(letters[0], 0, place)) > 0 and text[place - 1].isalnum():
        pass
    return None if place < 0 else text[:place].count(" ")


class AbbreviationReader:
    """Walks through the sentences of one context and names the attributes of short and long forms."""

    def __init__(self) -> None:
        self._sentence = 0
        self._long_forms: dict[str, tuple[int, tuple[str, ...]]] = {}
        self._recalled: set[str] = set()
        self.short_forms: list[tuple[int, int, int]] = []
        """(sentence, first word of the long form, short form) of each definition read so far."""

    def attributes(self, words: Sequence[str]) -> list[tuple[int, str]]:
        """Return (position, attribute) pairs of the next sentence."""
        attributes: list[tuple[int, str]] = []
        if "(" in words:
            for definition in definitions(words):
                attributes += self._read(words, definition)
        if not self._recalled.isdisjoint(words):
            known = [(position, word) for position, word in enumerate(words) if word in self._recalled]
            attributes += [(position, name) for position, word in known for name in self._recall(word)]
        self._sentence += 1
        return attributes

    def _read(self, words: Sequence[str], definition: Definition) -> list[tuple[int, str]]:
        first, last = definition.long_start, definition.long_end - 1
        if definition.short_end - definition.short_start == 1:
            short, long_form = words[definition.short_start], tuple(words[first : last + 1])
            self._long_forms[short] = (self._sentence, _short_form_attributes(long_form))
            self._recalled.update((short, short + "s"))
            self.short_forms.append((self._sentence, first, definition.short_start))
        long_parts = [(i, "LF=B" if i == first else "LF=E" if i == last else "LF=I") for i in range(first, last + 1)]
        return long_parts + [(i, "SFdef") for i in range(definition.short_start, definition.short_end)]

    def _recall(self, word: str) -> tuple[str, ...]:
        entry = self._long_forms.get(word)
        if entry is None and len(word) > 2 and word[-1] == "s":
            entry = self._long_forms.get(word[:-1])
        if entry is None or self._sentence - entry[0] > LOOK_BACK:
            return ()
        return entry[1]


def _short_form_attributes(long_form: tuple[str, ...]) -> tuple[str, ...]:
    first, last = stem_of(long_form[0]), stem_of(long_form[-1])
    names = ["SF", f"SFl={last}", f"SFs4={last[-4:]}", f"SFf={first}", f"SFf4={first[-4:]}"]
    if len(long_form) > 1:
        names.append(f"SFbg={stem_of(long_form[-2])}|{last}")
    return tuple(names)

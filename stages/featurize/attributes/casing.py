"""Text without capitals, or in nothing but capitals, is read as training would have written it.

Capitals say something only where others are small: a note that shouts, or never uses the shift key, says
nothing by them. Each of its words is given the capitals that it usually has in the training text (truecasing,
Lita et al. 2003, by the most frequent form).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SHARE = 0.8
_VOWELS = frozenset("aeiouy")

Sentences = Sequence[Sequence[str]]

LEAST_WORDS = 3
"""Fewer long words say nothing about the habit of who wrote them."""


def is_long(word: str) -> bool:
    """Tell whether a word is long enough not to be an abbreviation."""
    return len(word) >= 5 and word.isalpha()


class Finder(Protocol):
    """Finds words in a list, as `stages.featurize.attributes.lookup.Lookup` does."""

    def find(self, strings: Sequence[str], /) -> Iterable[int] | NDArray[np.int32]:
        """Return the place of each, or -1."""
        ...


class Casing:
    """How the training text writes its words.

    Parameters
    ----------
    usual : Finder
        Words, in small letters, whose most frequent form has capitals. Hashes do: no word is shown.
    capitals : sequence of tuples of int
        Which characters of each are capitals.
    known : Finder
        All words of the training text in small letters, digits as 0.
    """

    def __init__(self, usual: Finder, capitals: Sequence[tuple[int, ...]], known: Finder) -> None:
        self.usual, self.capitals, self.known = usual, capitals, known

    @classmethod
    def of(cls, usual: Mapping[str, str], known: Collection[str] = ()) -> Casing:
        """Keep the usual forms of words as the places of their capitals.

        The few forms in which the rest changes, too, such as *İstanbul* with its two small letters for one, are
        left out.

        >>> Casing.of({"mrna": "mRNA"}).capitals
        [(1, 2, 3)]
        """
        from stages.featurize.attributes.lookup import (  # compiled loops, which the peers' environment has not
            Lookup,
            by_hash,
        )

        places = {low: _capitals(low, form) for low, form in usual.items()}
        kept = by_hash([low for low, where in places.items() if _with_capitals(low, where) == usual[low]])
        return cls(Lookup.of(kept, told=()), [places[low] for low in kept], Lookup.of(known, told=()))

    def recased(self, sentences: Sentences) -> Sentences:
        """Give a note whose capitals say nothing, or its sentences that shout, the capitals they should have.

        >>> Casing.of({"copd": "COPD"}).recased([["KNOWN", "SEVERE", "ASTHMA", "AND", "COPD"]])
        [['Known', 'severe', 'asthma', 'and', 'COPD']]
        >>> Casing.of({}).recased([["Takes", "salbutamol", "daily"]])
        [['Takes', 'salbutamol', 'daily']]
        """
        counts = [_long_words(sentence) for sentence in sentences]
        long, shouted = map(sum, zip((0, 0), *counts, strict=False))
        if _shouts(long, shouted) or (long >= LEAST_WORDS and not any(map(_has_capitals, sentences))):
            return self._recased(sentences)
        loud = [place for place, count in enumerate(counts) if _shouts(*count)]
        changed = dict(zip(loud, self._recased([sentences[place] for place in loud]), strict=True))
        return [changed.get(place, sentence) for place, sentence in enumerate(sentences)]

    def _recased(self, sentences: Sentences) -> list[list[str]]:
        words = iter(self._usual([word.lower() for word in chain.from_iterable(sentences)]))
        written = [[next(words) for _ in sentence] for sentence in sentences]
        for sentence in written:
            if sentence and sentence[0].islower():
                sentence[0] = sentence[0].capitalize()
        return written

    def _usual(self, words: list[str]) -> list[str]:
        """Return usual forms; of words that training does not know, in capitals where they look abbreviated."""
        usual, known = self.usual.find(words), self.known.find(words)
        return [
            _with_capitals(low, self.capitals[place])
            if place >= 0
            else low.upper()
            if number < 0 and _is_abbreviated(low)
            else low
            for low, place, number in zip(words, usual, known, strict=True)
        ]


def _capitals(low: str, form: str) -> tuple[int, ...]:
    return tuple(place for place, (a, b) in enumerate(zip(low, form, strict=False)) if a != b)


def _with_capitals(low: str, places: Collection[int]) -> str:
    return "".join(letter.upper() if place in places else letter for place, letter in enumerate(low))


def usual_forms(contexts: Iterable[Sentences]) -> dict[str, str]:
    """Find words that usually have capitals where no sentence starts; sentences that shout do not count.

    >>> usual_forms([["Known COPD , no asthma .".split(), "Stop Ramipril .".split()]])
    {'copd': 'COPD', 'ramipril': 'Ramipril'}
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for sentences in contexts:
        for sentence in sentences:
            if not _shouts(*_long_words(sentence)):
                for word in sentence[1:]:
                    counts[word.lower()][word] += 1
    usual = {low: min(forms, key=lambda form: (-forms[form], form)) for low, forms in counts.items()}
    return {low: usual[low] for low in sorted(usual) if usual[low] != low}


def _long_words(words: Sequence[str]) -> tuple[int, int]:
    """Count the long words, and those in capitals among them; lists of abbreviations have none."""
    long = [word for word in words if is_long(word)]
    return len(long), sum(map(str.isupper, long))


def _shouts(long: int, shouted: int) -> bool:
    return long >= LEAST_WORDS and shouted > _SHARE * long


def _is_abbreviated(low: str) -> bool:
    """Tell whether a new word has two or three letters, or up to five and no vowel: most of those are in capitals."""
    return low.isalpha() and len(low) > 1 and (len(low) <= 3 or (len(low) <= 5 and _VOWELS.isdisjoint(low)))


def _has_capitals(sentence: Sequence[str]) -> bool:
    return any(word[:1].isupper() or word != word.lower() for word in sentence)

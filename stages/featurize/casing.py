"""Text without capitals, or in nothing but capitals, is read as training would have written it.

Capitals say something only where others are small: a note that shouts, or never uses the shift key, says
nothing by them. Each of its words is given the capitals that it usually has in the training text (truecasing,
Lita et al. 2003, by the most frequent form).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

_SHARE = 0.8
_VOWELS = frozenset("aeiouy")

Sentences = Sequence[Sequence[str]]

LEAST_WORDS = 3
"""Fewer long words say nothing about the habit of who wrote them."""


def is_long(word: str) -> bool:
    """Tell whether a word is long enough not to be an abbreviation."""
    return len(word) >= 5 and word.isalpha()


@dataclass(frozen=True)
class Casing:
    """How the training text writes its words.

    Parameters
    ----------
    usual : mapping of str to str
        Words in small letters to their most frequent form, where that has capitals.
    known : container of str
        All words of the training text in small letters, digits as 0.
    """

    usual: Mapping[str, str] = field(default_factory=dict)
    known: Container[str] = frozenset()

    def recased(self, sentences: Sentences) -> Sentences:
        """Give a note whose capitals say nothing, or its sentences that shout, the capitals they should have.

        >>> Casing({"copd": "COPD"}).recased([["KNOWN", "SEVERE", "ASTHMA", "AND", "COPD"]])
        [['Known', 'severe', 'asthma', 'and', 'COPD']]
        >>> Casing().recased([["Takes", "salbutamol", "daily"]])
        [['Takes', 'salbutamol', 'daily']]
        """
        counts = [_long_words(sentence) for sentence in sentences]
        long, shouted = map(sum, zip((0, 0), *counts, strict=False))
        if _shouts(long, shouted) or (long >= LEAST_WORDS and not any(map(_has_capitals, sentences))):
            return [self._recased(sentence) for sentence in sentences]
        pairs = zip(sentences, counts, strict=True)
        return [self._recased(sentence) if _shouts(*count) else sentence for sentence, count in pairs]

    def _recased(self, sentence: Sequence[str]) -> list[str]:
        first, *others = [self._usual(word.lower()) for word in sentence] or [""]
        return [first.capitalize() if first.islower() else first, *others] if sentence else []

    def _usual(self, low: str) -> str:
        """Return the usual form; of words that training does not know, in capitals where it looks abbreviated."""
        if low in self.usual:
            return self.usual[low]
        return low.upper() if _is_abbreviated(low) and low not in self.known else low


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

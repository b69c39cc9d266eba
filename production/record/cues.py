"""Mentions that say nothing of what this patient has or gets: negated, or of a relative.

After NegEx (Chapman, Bridewell, Hanbury, Cooper & Buchanan 2001, J Biomed Inform 34:301-310): a cue
reaches a few tokens forward (or backward, for those that follow what they negate) and no further
than a word that ends its scope; some phrases look like cues and are none. The list is short on
purpose. It is not for doubt (*possible*, *?*) nor for what was stopped: a stopped treatment was one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

NEGATED, FAMILY, NONE = "negated", "family", ""
FLAGS = (NEGATED, FAMILY)

REACH = 8
"""Tokens between a cue and the mention at most; NegEx has five, notes list more after one *no*."""

_NO_CUE = (
    "no increase", "no change", "no improvement", "no response", "no longer", "not only", "not certain if", "no reason",
    "not improved", "not controlled", "not tolerated", "gram negative",
)  # fmt: skip
_BEFORE = (
    "no", "not", "without", "nil", "never", "denies", "denied", "negative for", "absence of", "free of", "rule out",
    "ruled out for", "declined", "declines", "avoid", "avoids", "avoided", "allergic to", "allergy", "allergies",
    "intolerant of", "intolerant to", "contraindication to", "contraindications to", "nor",
)  # fmt: skip
_AFTER = (
    "ruled out", "excluded", "unlikely", "was negative", "is negative", "not seen", "not thought likely", "absent",
    "contraindicated", "declined", "not given", "not started", "not indicated", "not needed", "was avoided",
)  # fmt: skip
_RELATIVE = (
    "family history", "fh", "fhx", "mother", "mum", "mom", "father", "dad", "brother", "sister",
    "sibling", "siblings", "sib", "aunt", "uncle", "cousin", "grandmother", "grandfather", "maternal", "paternal",
)  # fmt: skip
_ENDS = frozenset((
    ".", ";", "but", "however", "although", "though", "except", "apart", "yet", "still", "now", "then", "continue",
    "continues", "continued", "start", "started", "starting", "give", "given", "gave", "treated", "treat", "take",
    "takes", "taking", "switch", "switched", "instead", "on", "for", "because", "as", "so", "asked", "shown", "aware",
    "phone", "talk", "keen", ))  # fmt: skip
_FOR_ONLY = frozenset(["for", "on", "as", "so"])
"""End the scope of a cue unless they are part of it, as in *not for dialysis*, *not on warfarin*."""

_WORD = re.compile(r"\w+|[^\w\s]")


def _phrases(phrases: Iterable[str]) -> list[tuple[str, ...]]:
    return sorted((tuple(phrase.split()) for phrase in phrases), key=lambda words: (-len(words), words))


_CUES = {
    NONE: _phrases(_NO_CUE),
    NEGATED: _phrases(_BEFORE),
    FAMILY: _phrases(_RELATIVE),
}
_TRAILING = _phrases(_AFTER)


def flag_of(sentence: str, start: int, end: int) -> str:
    """Tell whether ``sentence[start:end]`` is negated or of a relative.

    Parameters
    ----------
    sentence : str
    start, end : int
        The mention, in characters of the sentence.

    Returns
    -------
    str
        `NEGATED`, `FAMILY` or `NONE`; `FAMILY` where both hold.

    Examples
    --------
    >>> flag_of("No fever or pneumonia.", 12, 21)
    'negated'
    """
    before = [match[0].casefold() for match in _WORD.finditer(sentence[:start])]
    after = [match[0].casefold() for match in _WORD.finditer(sentence[end:])]
    flags = set(_reaching(before))
    if FAMILY in flags:
        return FAMILY
    return NEGATED if NEGATED in flags or _is_followed(after) else NONE


def _reaching(words: Sequence[str]) -> Iterable[str]:
    """Yield the kind of every cue whose scope is open at the end of `words`."""
    place = 0
    while place < len(words):
        kind, length = _cue_at(words, place)
        place += length
        between = list(words[place:])
        if kind and between[:1] and between[0] in _FOR_ONLY:
            between = between[1:]
        if kind and len(between) <= REACH and not _ENDS.intersection(between):
            yield kind


def _cue_at(words: Sequence[str], place: int) -> tuple[str, int]:
    for kind, phrases in _CUES.items():
        for phrase in phrases:
            if tuple(words[place : place + len(phrase)]) == phrase:
                return kind, len(phrase)
    return NONE, 1


def _is_followed(words: Sequence[str]) -> bool:
    for place in range(min(len(words), REACH)):
        if words[place] in _ENDS or words[place] == ",":
            return False
        if any(tuple(words[place : place + len(phrase)]) == phrase for phrase in _TRAILING):
            return True
    return False

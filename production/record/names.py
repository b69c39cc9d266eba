"""Surface forms to names: what is written differently and means the same gets the same key.

Only spelling is folded. Synonyms are not (*heart attack* stays beside *myocardial infarction*):
that takes a terminology, and a wrong merge is worse than two rows.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from stages.featurize.attributes.abbreviations import definitions
from stages.featurize.attributes.words import stem_of

DETERMINERS = frozenset(
    ("a", "an", "any", "each", "her", "his", "its", "my", "our", "some", "that", "the", "their", "these", "this",
     "those", "your")
)  # fmt: skip

_POSSESSIVE = re.compile(r"['\u2019]s\b")
_HYPHEN = re.compile(r"(?<=\w)[-\u00ad\u2010-\u2015\u2212](?=\w)")
_WORD = re.compile(r"[^\W_]+")

Abbreviations = Mapping[str, str]
"""Long form by short form, both as written."""


def key_of(surface: str) -> str:
    """Fold case, compatibility characters, plurals, possessives, hyphens and leading determiners.

    Words stay apart, so that names can be compared word by word; use `identity_of` to tell whether
    two names are one. Numbers are kept: *type 1* and *type 2 diabetes* differ. Empty when nothing
    but marks is left. Applied twice it changes nothing more.

    >>> [key_of(name) for name in ("The Beta-Blockers", "Crohn's disease", "type 2 diabetes")]
    ['betablocker', 'crohn disease', 'type 2 diabete']
    """
    text, before = surface, None
    while text != before:
        before, text = text, _fold(text)
    return text


def _fold(text: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    joined = _HYPHEN.sub("", _POSSESSIVE.sub("", folded))
    words = [_stem(word) for word in _WORD.findall(joined)]
    while len(words) > 1 and words[0] in DETERMINERS:
        words = words[1:]
    return " ".join(words)


def _stem(word: str) -> str:
    """Undo a plural; a word with a digit is left alone, because `stem_of` takes all digits for one."""
    return word if any(map(str.isdigit, word)) else stem_of(word)


@lru_cache(maxsize=20_000)  # notes name the same again and again
def identity_of(surface: str) -> str:
    """Return the key without spaces, so that *co-amoxiclav*, *co amoxiclav* and *coamoxiclav* are one."""
    return key_of(surface).replace(" ", "")


def abbreviations_of(
    text: str, sentences: Iterable[Sequence[tuple[int, int]]], mentions: Sequence[tuple[int, int]]
) -> dict[str, str]:
    """Find the short forms that a note introduces for its mentions, by Schwartz & Hearst (2003).

    A short form has two capitals, and its long form ends where a mention ends that covers it: in
    *diabetes (diet)* nothing is defined, and *IIH* stands for the whole of *idiopathic intracranial
    hypertension*.

    Parameters
    ----------
    text : str
    sentences : iterable of sequences of (int, int)
        Offsets of the tokens of each sentence.
    mentions : sequence of (int, int)

    Returns
    -------
    dict of str to str
        Mention by short form, as written; the last definition wins.
    """
    long_forms: dict[str, str] = {}
    start_of = {end: start for start, end in mentions}
    for tokens in sentences:
        words = [text[start:end] for start, end in tokens]
        for definition in definitions(words) if "(" in words else []:
            short = text[tokens[definition.short_start][0] : tokens[definition.short_end - 1][1]]
            first, end = tokens[definition.long_start][0], tokens[definition.long_end - 1][1]
            if sum(map(str.isupper, short)) >= 2 and start_of.get(end, first + 1) <= first:
                long_forms[short] = text[start_of[end] : end]
    return long_forms


def unambiguous(notes: Iterable[Abbreviations]) -> dict[str, str]:
    """Keep the short forms that mean one thing wherever notes introduce them."""
    meanings: dict[str, dict[str, str]] = defaultdict(dict)
    for abbreviations in notes:
        for short, long in abbreviations.items():
            meanings[short].setdefault(identity_of(long), long)
    return {short: next(iter(longs.values())) for short, longs in meanings.items() if len(longs) == 1}


def expanded(surface: str, own: Abbreviations, shared: Abbreviations) -> str:
    """Write short forms out, also inside of a longer name; the note's own definitions come first.

    >>> expanded("severe COPD", {"COPD": "chronic obstructive pulmonary disease"}, {})
    'severe chronic obstructive pulmonary disease'
    """

    def long_form(word: str) -> str:
        singular = word[:-1] if len(word) > 2 and word.endswith("s") else word
        for known in (own, shared):
            for form in (word, singular):
                if form in known:
                    return known[form]
        return word

    whole = long_form(surface)
    return whole if whole != surface else " ".join(map(long_form, surface.split()))


@dataclass(frozen=True)
class Name:
    """One disease or treatment.

    Parameters
    ----------
    identity : str
    display : str
        Its most frequent surface form.
    forms : tuple of str
        All surface forms, the most frequent ones first.
    """

    identity: str
    display: str
    forms: tuple[str, ...]


def name_forms(surfaces: Iterable[tuple[str, str]]) -> dict[str, Name]:
    """Gather the surface forms of each identity.

    Parameters
    ----------
    surfaces : iterable of (str, str)
        Identity and surface form of each mention.

    Returns
    -------
    dict of str to Name
        By identity. Equally frequent forms are ordered by the alphabet, lower case first.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for identity, surface in surfaces:
        counts[identity][" ".join(surface.split())] += 1
    names = {}
    for identity, forms in counts.items():
        ordered = sorted(forms, key=lambda form: (-forms[form], form.swapcase()))
        names[identity] = Name(identity, ordered[0], tuple(ordered))
    return names

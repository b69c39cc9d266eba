"""String attributes of one word form: what the tagger sees of a word and of its neighbours.

A form is analysed once and cached by the caller, so the cost per token does not depend on how
many attributes there are. Offsets are written in front of a neighbour's attributes (``-1w=…``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

GREEK = frozenset(["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "kappa", "lambda", "omega", "sigma", "theta"])
OFFSETS = (0, -1, 1, -2, 2, -3, 3)
"""Positions whose word forms speak for a token, in the order of `WordForm.attributes`."""

_PREFIXES = tuple((f"{offset:+d}" if offset else "", abs(offset)) for offset in OFFSETS)
_COLUMNS = {prefix: column for column, (prefix, _) in enumerate(_PREFIXES) if prefix}
_DIGIT = re.compile(r"[0-9]")
_ROMAN = re.compile(r"(?:I{1,3}|IV|VI{0,3}|IX|XI{0,3})$")
_REPEAT = re.compile(r"(.)\1+")
_PREFIX_KINDS = tuple((k, f"p{k}=") for k in (2, 3, 4, 5))
_SUFFIX_KINDS = tuple((k, f"s{k}=") for k in (1, 2, 3, 4, 5, 6))
_LONGEST_WITH_NGRAMS = 30
_LONGEST_WITH_SHAPE = 12


@dataclass(frozen=True)
class WordForm:
    """Everything that is known of one word form.

    Parameters
    ----------
    by_distance : 4 sequences of str
        Attributes that the form contributes to itself and to words 1, 2 and 3 tokens away.
    word : str
        The normalised form.
    stem, cluster, shape : str
        The parts that pair and triple attributes are made of.
    """

    by_distance: tuple[Sequence[str], Sequence[str], Sequence[str], Sequence[str]]
    word: str
    stem: str
    cluster: str
    shape: str

    @property
    def attributes(self) -> tuple[tuple[str, ...], ...]:
        """Attributes at each of `OFFSETS`, the offset written in front."""
        return tuple(tuple([prefix + name for name in self.by_distance[distance]]) for prefix, distance in _PREFIXES)


def split_offset(name: str) -> tuple[int, str]:
    """Return the column in `OFFSETS` of an attribute's name, and the name without its offset.

    >>> split_offset("-2st=gout"), split_offset("st=gout")
    ((3, 'st=gout'), (0, 'st=gout'))
    """
    column = _COLUMNS.get(name[:2], 0)
    return column, name[2:] if column else name


def normalised(form: str) -> str:
    """Lower-case, with every digit as 0.

    >>> normalised("HbA1c")
    'hba0c'
    """
    lower = form.lower()
    return lower if lower.isalpha() else _DIGIT.sub("0", lower)


def stem_of(form: str) -> str:
    """Undo the plain English plural; anything else is left alone.

    >>> [stem_of(w) for w in ("Carcinomas", "therapies", "abscesses", "diabetes", "virus")]
    ['carcinoma', 'therapy', 'abscess', 'diabete', 'virus']
    """
    return _stem(normalised(form))


def _stem(word: str) -> str:
    if word[-1:] != "s":
        return word
    if len(word) > 5 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 5 and word.endswith("sses"):
        return word[:-2]
    if len(word) > 4 and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def shape_of(form: str) -> str:
    """Letters as A or a, digits as 0, anything else as a hyphen.

    >>> shape_of("HbA1c")
    'AaA0a'
    """
    return form.translate(_SIGNS)


class _Signs(dict[int, str]):
    """The sign of each character in a shape, found out when it is first met."""

    def __missing__(self, code: int) -> str:
        c = chr(code)
        sign = self[code] = ("A" if c.isupper() else "a") if c.isalpha() else "0" if c.isdigit() else "-"
        return sign


_SIGNS = _Signs()


@lru_cache(maxsize=1 << 12)
def _compressed(shape: str) -> str:
    return _REPEAT.sub(r"\1", shape)


def flags_of(form: str) -> list[str]:
    """Name the orthographic properties that hold."""
    flags = []
    lower = form.lower()
    if form.isupper() and len(form) > 1:
        flags.append("capitals")
    elif form[:1].isupper() and form[1:].islower():
        flags.append("capitalised")
    elif form != lower:
        flags.append("mixed")
    if len(form) == 1:
        flags.append("letter" if form.isalpha() else "mark")
    if form.isdigit():
        flags.append("digits")
    elif not form.isalpha() and any(map(str.isdigit, form)):
        flags.append("has_digit")
    if not form.isalnum() and not any(map(str.isalnum, form)):
        flags.append("punctuation" + form[:2])
    if _ROMAN.match(form):
        flags.append("roman")
    if lower in GREEK:
        flags.append("greek")
    if form.isupper() and 2 <= len(form) <= 6:
        flags.append("acronym")
    if len(form) > 2 and form[-1] == "s" and form[:-1].isupper():
        flags.append("acronyms")
    return ["f=" + flag for flag in flags]


def _affixes(word: str) -> list[str]:
    prefixes = [kind + word[:k] for k, kind in _PREFIX_KINDS if len(word) > k]
    return prefixes + [kind + word[-k:] for k, kind in _SUFFIX_KINDS if len(word) > k]


def _ngrams(word: str) -> list[str]:
    if len(word) > _LONGEST_WITH_NGRAMS:
        return []
    framed = f"^{word}$"
    grams = ["n=" + framed[i : i + 3] for i in range(len(framed) - 2)]
    grams += ["n=" + framed[i : i + 4] for i in range(len(framed) - 3)]
    return list(dict.fromkeys(grams))


def analyse(form: str, clusters: Mapping[str, tuple[str, ...]]) -> WordForm:
    """List the attributes of a word form.

    Parameters
    ----------
    form : str
        The word as it stands in the text.
    clusters : mapping of str to tuple of str
        Distributional clusters by normalised form; unknown forms fall back to their stem's.
    """
    word, shape = normalised(form), shape_of(form)
    stem, compressed = _stem(word), _compressed(shape)
    flags = flags_of(form)
    groups = list(clusters.get(word) or clusters.get(stem) or ("cl=unknown",))

    own = [f"w={word}", f"W={form}", f"st={stem}", f"cs={compressed}", f"len={min(len(form), 12)}"]
    if len(form) <= _LONGEST_WITH_SHAPE:
        own.append(f"sh={shape}")
    own += [*_affixes(word), *_ngrams(word), *flags, *groups]

    near = [f"w={word}", f"st={stem}", f"s3={word[-3:]}", f"s4={word[-4:]}", f"p3={word[:3]}"]
    near += [f"cs={compressed}", *flags, *groups]
    far = [f"w={word}", f"st={stem}", f"s3={word[-3:]}", *groups]
    farther = [f"st={stem}", *groups[:2]]
    return WordForm((own, near, far, farther), word, stem, groups[1] if len(groups) > 1 else groups[0], compressed)

"""Attributes of one word form: what the tagger sees of a word and of its neighbours.

`TEMPLATES` is the one place that says which attributes a word has. `WordForm` reads it and names them;
`stages.featurize.attributes.form_kernels` reads it, too, and finds their rows without building a string. A form is
analysed once and cached by the caller, so the cost per token does not depend on how many attributes
there are. Offsets are written in front of a neighbour's attributes (``-1w=…``).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

GREEK = frozenset(["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "kappa", "lambda", "omega", "sigma", "theta"])
OFFSETS = (0, -1, 1, -2, 2, -3, 3)
"""Positions whose word forms speak for a token, in the order of `WordForm.attributes`."""

PREFIXES = tuple(f"{offset:+d}" if offset else "" for offset in OFFSETS)
_COLUMNS = {prefix: column for column, prefix in enumerate(PREFIXES) if prefix}
_DIGIT = re.compile(r"[0-9]")
_ROMAN = re.compile(r"(?:I{1,3}|IV|VI{0,3}|IX|XI{0,3})$")
_REPEAT = re.compile(r"(.)\1+")

WORD, FORM, STEM, COMPRESSED, LENGTH, SHAPE = range(6)
"""Parts of a word form, by their place in `WordForm`."""

WHOLE, FIRST, LAST, GRAMS = range(4)
"""Pieces of a part: all of it, its first or last characters, every run of characters of ``^part$``."""

_NO_LIMIT = 1 << 30


class Template(NamedTuple):
    """Attributes that are named alike: `prefix`, and then a piece of `size` characters of a part.

    Parts with fewer than `shortest` or more than `longest` characters have none.
    """

    prefix: str
    part: int
    piece: int = WHOLE
    size: int = 0
    shortest: int = 0
    longest: int = _NO_LIMIT

    def pieces(self, text: str) -> Iterator[str]:
        """List the pieces of a part, each once."""
        if not self.shortest <= len(text) <= self.longest:
            return
        if self.piece == WHOLE:
            yield text
        elif self.piece == FIRST:
            yield text[: self.size]
        elif self.piece == LAST:
            yield text[-self.size :]
        else:
            framed = f"^{text}$"
            yield from dict.fromkeys(framed[i : i + self.size] for i in range(len(framed) - self.size + 1))


TEMPLATES: tuple[tuple[Template, ...], ...] = (
    (
        Template("w=", WORD),
        Template("W=", FORM),
        Template("st=", STEM),
        Template("cs=", COMPRESSED),
        Template("len=", LENGTH),
        Template("sh=", SHAPE, longest=12),
        *(Template(f"p{size}=", WORD, FIRST, size, shortest=size + 1) for size in (2, 3, 4, 5)),
        *(Template(f"s{size}=", WORD, LAST, size, shortest=size + 1) for size in (1, 2, 3, 4, 5, 6)),
        *(Template("n=", WORD, GRAMS, size, longest=30) for size in (3, 4)),
    ),
    (
        Template("w=", WORD),
        Template("st=", STEM),
        Template("s3=", WORD, LAST, 3),
        Template("s4=", WORD, LAST, 4),
        Template("p3=", WORD, FIRST, 3),
        Template("cs=", COMPRESSED),
    ),
    (Template("w=", WORD), Template("st=", STEM), Template("s3=", WORD, LAST, 3)),
    (Template("st=", STEM),),
)
"""What a word says of itself and of words 1, 2 and 3 tokens away."""

MOST_FLAGS = (_NO_LIMIT, _NO_LIMIT, 0, 0)
MOST_CLUSTERS = (_NO_LIMIT, _NO_LIMIT, _NO_LIMIT, 2)
"""How many of its flags and clusters, the first ones, it adds to that."""


class WordForm(NamedTuple):
    """Everything that is known of one word form.

    Parameters
    ----------
    word : str
        Normalised.
    form : str
        As it stands.
    stem : str
    compressed : str
        The shape without repeats.
    length : str
        In characters; 12 for more.
    shape : str
    flags, clusters : sequences of str
        Names of attributes.
    """

    word: str
    form: str
    stem: str
    compressed: str
    length: str
    shape: str
    flags: Sequence[str]
    clusters: Sequence[str]

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that `TEMPLATES` cut to pieces."""
        return self.word, self.form, self.stem, self.compressed, self.length, self.shape

    @property
    def cluster(self) -> str:
        """The cluster that pair attributes are made of."""
        return self.clusters[min(1, len(self.clusters) - 1)]

    @property
    def attributes(self) -> tuple[tuple[str, ...], ...]:
        """Attributes at each of `OFFSETS`, the offset written in front."""
        names = [self._names(distance) for distance in range(len(TEMPLATES))]
        return tuple(
            tuple(prefix + name for name in names[abs(offset)])
            for prefix, offset in zip(PREFIXES, OFFSETS, strict=True)
        )

    def _names(self, distance: int) -> list[str]:
        parts = self.parts
        names = [
            template.prefix + piece
            for template in TEMPLATES[distance]
            for piece in template.pieces(parts[template.part])
        ]
        return [*names, *self.flags[: MOST_FLAGS[distance]], *self.clusters[: MOST_CLUSTERS[distance]]]


def split_offsets(names: Collection[str]) -> tuple[list[int], list[str]]:
    """Return the column in `OFFSETS` of each attribute's name, and the names without their offsets.

    >>> split_offsets(["-2st=gout", "st=gout"])
    ([3, 0], ['st=gout', 'st=gout'])
    """
    columns = [_COLUMNS.get(name[:2], 0) for name in names]
    return columns, [name[2:] if column else name for name, column in zip(names, columns, strict=True)]


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
    if form.islower() and form.isalpha() and len(form) > 1:  # most words
        return ["f=greek"] if form in GREEK else []
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


def analyse(form: str, clusters: Mapping[str, tuple[str, ...]]) -> WordForm:
    """Take a word form apart.

    Parameters
    ----------
    form : str
        The word as it stands in the text.
    clusters : mapping of str to tuple of str
        Distributional clusters by normalised form; unknown forms fall back to their stem's.
    """
    word, shape = normalised(form), shape_of(form)
    stem = _stem(word)
    groups = clusters.get(word) or clusters.get(stem) or ("cl=unknown",)
    return WordForm(word, form, stem, _compressed(shape), str(min(len(form), 12)), shape, flags_of(form), groups)

"""The project's attributes as strings, built the slow and plain way, token by token.

An independent reading of what `stages.featurize` computes in compiled loops: the names are those
of `AttributeExtractor.row_names`. No numba, so that the peers' environment can import it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stages.featurize.attributes.abbreviations import AbbreviationReader
from stages.featurize.attributes.casing import Casing
from stages.featurize.attributes.words import OFFSETS, WordForm, analyse

_OPENING, _CLOSING = ("(", "["), (")", "]")


_Known = tuple[WordForm, tuple[tuple[str, ...], ...]]
"""A word form, and its attributes at each of `OFFSETS`."""


class _Nothing:
    """Finds no word."""

    def find(self, strings: Sequence[str]) -> list[int]:
        return [-1] * len(strings)


class StringAttributes:
    """Names the attributes of every token; word forms are analysed once.

    Parameters
    ----------
    clusters : mapping of str to tuple of str
        Word clusters by normalised form.
    casing : Casing, optional
        How the training text writes its words.
    """

    def __init__(self, clusters: Mapping[str, tuple[str, ...]], casing: Casing | None = None) -> None:
        self._clusters, self._casing = clusters, casing or Casing(_Nothing(), (), _Nothing())
        self._forms: dict[str, _Known] = {}

    def of_note(self, sentences: Sequence[Sequence[str]]) -> list[list[list[str]]]:
        """Return the attributes of each token, by sentence; abbreviations carry over."""
        reader = AbbreviationReader()
        return [self._of_sentence(sentence, reader) for sentence in self._casing.recased(sentences)]

    def _of_sentence(self, tokens: Sequence[str], reader: AbbreviationReader) -> list[list[str]]:
        known = [self._form(token) for token in tokens]
        forms = [form for form, _ in known]
        depth = 0
        names_of = []
        for place, token in enumerate(tokens):
            depth = depth + 1 if token in _OPENING else max(0, depth - 1) if token in _CLOSING else depth
            names_of.append(_of_words(known, place) + _of_place(tokens, place, depth) + _of_pairs(forms, place))
        for place, name in reader.attributes(tokens):
            names_of[place].append(name)
        return names_of

    def _form(self, token: str) -> _Known:
        known = self._forms.get(token)
        if known is None:
            form = analyse(token, self._clusters)
            known = self._forms[token] = form, form.attributes
        return known


def _of_words(known: Sequence[_Known], place: int) -> list[str]:
    return [
        name
        for column, offset in enumerate(OFFSETS)
        if 0 <= place + offset < len(known)
        for name in known[place + offset][1][column]
    ]


def _of_place(tokens: Sequence[str], place: int, depth: int) -> list[str]:
    last = len(tokens) - 1
    alone = 0 < place < last and tokens[place - 1] in _OPENING and tokens[place + 1] in _CLOSING
    holds = {"bias": True, "first": place == 0, "last": place == last}
    holds |= {"in_brackets": depth > 0, "alone_in_brackets": alone}
    return [name for name, true in holds.items() if true]


def _of_pairs(forms: Sequence[WordForm], place: int) -> list[str]:
    names = []
    form = forms[place]
    before = forms[place - 1] if place > 0 else None
    after = forms[place + 1] if place + 1 < len(forms) else None
    for left, right, where in ((before, form, "[-1,0]"), (form, after, "[0,+1]")):
        if left and right:
            names.append(f"stem{where}={left.stem}|{right.stem}")
            names.append(f"cluster{where}={left.cluster}|{right.cluster}")
            names.append(f"shape{where}={left.compressed}|{right.compressed}")
    if place > 1:
        names.append(f"stem[-2,-1]={forms[place - 2].stem}|{forms[place - 1].stem}")
    if place + 2 < len(forms):
        names.append(f"stem[+1,+2]={forms[place + 1].stem}|{forms[place + 2].stem}")
    if before and after:
        names.append(f"stem[-1,0,+1]={before.stem}|{form.stem}|{after.stem}")
    return names

"""Changes of a note that mean nothing, or something known; with where each mention must be afterwards."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from numpy.random import Generator

from stages.common.scoring import Span


class Change(NamedTuple):
    """``text[start:end]`` becomes `by`."""

    start: int
    end: int
    by: str


Perturbation = Callable[[str, Sequence[Span], Generator], list[Change]]
"""Takes a text, the mentions found in it and a source of chance; returns changes in order, none overlapping."""

_LINE = re.compile(r"[^\n\r]+")
_BULLET = re.compile(r"\s*(?:[-*•·]|\d{1,2}[.)])\s")
_LONG_WORD = re.compile(r"\b[a-z]{6,}\b")
_LAST_MARK = re.compile(r"[.;,](?=[ \t]*(?:[\n\r]|$))")
_COMMA = re.compile(r",(?=\s)")
_UNITS = r"(?:mg|mcg|micrograms?|g|ml|units?|iu)\b"
_DOSE = re.compile(rf"\d+(?:\.\d+)?(?=\s?{_UNITS})", re.IGNORECASE)
_GAP_IN_DOSE = re.compile(rf"(?<=\d) (?={_UNITS})", re.IGNORECASE)
_NO_GAP_IN_DOSE = re.compile(rf"(?<=\d)(?={_UNITS})", re.IGNORECASE)
_OTHER_DIGITS = str.maketrans("123456789", "234567891")  # a zero stays: 05mg is no dose


def changed(text: str, changes: Iterable[Change]) -> str:
    """Apply changes.

    >>> changed("on 5 mg", [Change(4, 5, "")])
    'on 5mg'
    """
    pieces, place = [], 0
    for change in changes:
        pieces += [text[place : change.start], change.by]
        place = change.end
    return "".join([*pieces, text[place:]])


def moved(spans: Iterable[Span], changes: Sequence[Change]) -> set[Span]:
    """Return where spans are after changes.

    A change before a mention, or an insertion where it starts, moves it; one inside makes it longer
    or shorter; an insertion where it ends does not belong to it.

    >>> moved([(2, 4, "Disease")], [Change(0, 0, "- "), Change(3, 4, ""), Change(4, 4, "!")])
    {(4, 5, 'Disease')}
    """
    growths = [(change, len(change.by) - (change.end - change.start)) for change in changes]
    return {
        (
            start + sum(growth for change, growth in growths if change.end <= start),
            end + sum(growth for change, growth in growths if change.start < end),
            label,
        )
        for start, end, label in spans
    }


def upper_case(text: str, spans: Sequence[Span], chance: Generator) -> list[Change]:
    """Shout; letters without a capital of one character stay."""
    return _recased(text, str.upper)


def lower_case(text: str, spans: Sequence[Span], chance: Generator) -> list[Change]:
    """Whisper."""
    return _recased(text, str.lower)


def typo(text: str, spans: Sequence[Span], chance: Generator) -> list[Change]:
    """Swap two letters inside one longer word outside of the mentions."""
    places = [
        i
        for word in _outside(_LONG_WORD.finditer(text), spans)
        for i in range(word.start() + 1, word.end() - 2)
        if text[i] != text[i + 1]
    ]
    if not places:
        return []
    place = places[int(chance.integers(len(places)))]
    return [Change(place, place + 2, text[place + 1] + text[place])]


def no_last_marks(text: str, spans: Sequence[Span], chance: Generator) -> list[Change]:
    """Leave out the punctuation at the ends of lines."""
    return [Change(*match.span(), "") for match in _outside(_LAST_MARK.finditer(text), spans)]


def no_commas(text: str, spans: Sequence[Span], chance: Generator) -> list[Change]:
    """Leave out commas, but none that touches a mention: it may be what parts two of them."""
    edges = {end for _, end, _ in spans} | {start - 2 for start, _, _ in spans}
    commas = _outside(_COMMA.finditer(text), spans)
    return [Change(*match.span(), "") for match in commas if match.start() not in edges]


def bullets(text: str, spans: Sequence[Span], chance: Generator) -> list[Change]:
    """Put a bullet before every line that has none."""
    lines = [match for match in _LINE.finditer(text) if match.group().strip() and not _BULLET.match(match.group())]
    return [Change(match.start(), match.start(), "- ") for match in lines]


def wide_spaces(text: str, spans: Sequence[Span], chance: Generator) -> list[Change]:
    """Double every blank between words."""
    return [Change(match.end(), match.end(), " ") for match in re.finditer(r"(?<=\S) (?=\S)", text)]


def other_doses(text: str, spans: Sequence[Span], chance: Generator) -> list[Change]:
    """Change the numbers before units of dose."""
    doses = ((match, match.group().translate(_OTHER_DIGITS)) for match in _DOSE.finditer(text))
    return [Change(*match.span(), other) for match, other in doses if other != match.group()]


def glued_doses(text: str, spans: Sequence[Span], chance: Generator) -> list[Change]:
    """Write ``500 mg`` as ``500mg``."""
    return [Change(*match.span(), "") for match in _GAP_IN_DOSE.finditer(text)]


def parted_doses(text: str, spans: Sequence[Span], chance: Generator) -> list[Change]:
    """Write ``500mg`` as ``500 mg``."""
    return [Change(*match.span(), " ") for match in _NO_GAP_IN_DOSE.finditer(text)]


def replacing_one(label: str, words: Sequence[str]) -> Perturbation:
    """Return the perturbation that puts one of `words` in the place of a mention of one plain word."""

    def replace(text: str, spans: Sequence[Span], chance: Generator) -> list[Change]:
        plain = [(start, end) for start, end, kind in spans if kind == label and _LONG_WORD.fullmatch(text[start:end])]
        if not plain:
            return []
        start, end = plain[int(chance.integers(len(plain)))]
        others = [word for word in words if word != text[start:end]]
        return [Change(start, end, others[int(chance.integers(len(others)))])]

    return replace


def _recased(text: str, case: Callable[[str], str]) -> list[Change]:
    other = "".join(c if len(case(c)) != 1 else case(c) for c in text)
    return [Change(0, len(text), other)] if other != text else []


def _outside(matches: Iterable[re.Match[str]], spans: Sequence[Span]) -> list[re.Match[str]]:
    return [m for m in matches if not any(start < m.end() and m.start() < end for start, end, _ in spans)]

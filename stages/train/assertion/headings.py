"""Sections of a note whose heading says something of all that stands in them."""

from __future__ import annotations

import re
from typing import NamedTuple

from stages.train.assertion.rules import HEADINGS

_KIND = {name: kind for kind, names in HEADINGS.items() for name in names}
CLUES = frozenset(max(re.findall(r"\w+", name), key=len) for name in _KIND)
"""Words, one of which is in every heading."""
_NAMES = "|".join(re.escape(name).replace(r"\ ", r"[ \t]+") for name in sorted(_KIND, key=len, reverse=True))
_HEADING = re.compile(rf"^[ \t]*({_NAMES})(?:[ \t]*:|[ \t]+[-\u2013](?=[ \t])|(?=[ \t]*$))[ \t]*", re.I | re.M)
_WITH_WORDS = re.compile(r"[^\n\r]*(?:\r?\n[ \t]*(?:[-*\u2022][ \t]|[a-z(])[^\n\r]*)*")
"""From a heading with words behind it: the line, and lines below that go on with it."""
_ALONE = re.compile(r"\s*(?:(?![A-Z][\w /&'()-]{1,40}:)[^\n\r]+(?:\r?\n[ \t]*)?)*")
"""From a heading on a line of its own: the lines below it, to an empty one or another heading."""


class Section(NamedTuple):
    """What follows a heading: `kind` holds for what begins in ``text[start:end]``."""

    start: int
    end: int
    kind: str


def sections(text: str) -> list[Section]:
    r"""Find the sections of a note whose headings the rules know, in their order.

    >>> [section.kind for section in sections("Family history: gout.\nSeen today.")]
    ['family']
    """
    matches = list(_HEADING.finditer(text))
    ends = [*(match.start() for match in matches[1:]), len(text)]
    return [_section(text, match, end) for match, end in zip(matches, ends, strict=False)]


def _section(text: str, heading: re.Match[str], most: int) -> Section:
    alone = text[heading.end() : heading.end() + 1] in ("", "\n", "\r")
    body = (_ALONE if alone else _WITH_WORDS).match(text, heading.end(), most)
    name = " ".join(heading[1].casefold().split())
    return Section(heading.end(), body.end() if body else heading.end(), _KIND[name])

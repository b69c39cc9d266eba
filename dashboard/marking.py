"""A note with its mentions on a page: each label has a colour and letters, so that neither is needed alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from production.inference.host import Found, FoundMention
from production.terminal import printable
from stages.common.colours import colours_of
from stages.common.pages import render

TEMPLATES = Path(__file__).parent / "templates"
PRESENT = "present"


class Piece(NamedTuple):
    """A part of a note; `kind` is empty for what stands between spans, else mention or suggestion."""

    text: str
    kind: str = ""
    label: str = ""
    mark: str = ""
    accepted: bool = False


def letters_of(labels: Iterable[str]) -> dict[str, str]:
    """Return the shortest beginning of each label that no label before it has.

    >>> letters_of(["Disease", "Treatment", "Dose"])
    {'Disease': 'D', 'Treatment': 'T', 'Dose': 'Do'}
    """
    letters: dict[str, str] = {}
    for label in labels:
        beginnings = (label[:length] for length in range(1, len(label) + 1))
        letters[label] = next((one for one in beginnings if one not in letters.values()), label)
    return letters


def pieces(text: str, found: Found, labels: Sequence[str]) -> Iterator[Piece]:
    """Cut a note at what was found; of a suggestion that overlaps a mention, the table alone tells.

    Each span is marked by the letters of its label and its number: `D1`; of a suggestion, `D?`.
    """
    letters, place = letters_of(labels), 0
    for start, end, kind, span, number in _in_order(found):
        if start < place:
            continue
        yield Piece(printable(text[place:start]))
        letter = letters.get(span.label, span.label)
        mark = f"{letter}{number}" if kind == "mention" else f"{letter}?"
        yield Piece(printable(text[start:end]), kind, span.label, mark, span.accepted)
        place = end
    yield Piece(printable(text[place:]))


def _in_order(found: Found) -> list[tuple[int, int, str, FoundMention, int]]:
    mentions = [(span.start, span.end, "mention", span, number) for number, span in enumerate(found.mentions, 1)]
    taken = [(span.start, span.end) for span in found.mentions]
    free = [one for one in found.suggestions if all(one.end <= start or end <= one.start for start, end in taken)]
    return sorted([*mentions, *((one.start, one.end, "suggestion", one, 0) for one in free)], key=lambda one: one[:2])


def marked(text: str, found: Found, labels: Sequence[str]) -> str:
    """Return a note as HTML, with the key to its marks; everything that comes from the note is escaped."""
    colours = {label: colour.page for label, colour in colours_of(labels).items()}
    key = [(label, letter, colours[label]) for label, letter in letters_of(labels).items()]
    return render(TEMPLATES / "marked.html", pieces=list(pieces(text, found, labels)), colours=colours, key=key)

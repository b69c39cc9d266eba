"""Why the offsets of a document do not fit its text: what tools that count otherwise have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

from stages.prepare.formats.units import character_offset, unit_offsets

Quotation = tuple[int, int, str]
"""Start and end as the export states them, and the text that it quotes for them."""

Correction = Callable[[int], int | None]

_MOST_CANDIDATES = 100
_MOST_FOR_ONE = 3
"""Of one mention alone, a larger shift would be a guess."""


def explain(text: str, quoted: Sequence[Quotation]) -> str | None:
    """Say how all offsets of a document are off, where one rule puts every quoted text in its place.

    Parameters
    ----------
    text : str
    quoted : sequence of (int, int, str)

    Returns
    -------
    str or None
        A clause without text of the note; None when the offsets hold as they are, or no rule explains them.
    """
    if not quoted or _fits(text, quoted, lambda offset: offset):
        return None
    for reason, correct in _countings(text):
        if _fits(text, quoted, correct):
            return reason
    for shift in _shifts(text, quoted):
        if _fits(text, quoted, lambda offset, by=shift: offset - by):  # type: ignore[misc]
            guess = {1: " (counted from 1, or with a byte order mark?)", -1: " (is the first character missing?)"}
            return f"offsets look shifted by {shift:+}{guess.get(shift, '')}"
    return None


def _fits(text: str, quoted: Sequence[Quotation], correct: Correction) -> bool:
    for start, end, quote in quoted:
        first, last = correct(start), correct(end)
        if first is None or last is None or not 0 <= first < last <= len(text):
            return False
        # Of more characters than this the quote would be another text; asking first keeps it linear.
        if last - first > 2 * len(quote) + 100 or inked(text[first:last]) != inked(quote):
            return False
    return True


def inked(text: str) -> str:
    """Return a text without its white space: tools pad a quote, or write a line end as a space."""
    return "".join(text.split())


def _countings(text: str) -> Iterator[tuple[str, Correction]]:
    if not text.isascii():
        widths = [0, *accumulate(map(_bytes_of, text))]
        yield "offsets look counted in bytes of UTF-8, not in characters", lambda at: character_offset(widths, at)
        units = unit_offsets(text)
        yield "offsets look counted in UTF-16 units, not in characters", lambda at: character_offset(units, at)
    if "\r\n" in text:
        joined = [0, *accumulate(0 if text.startswith("\r\n", at) else 1 for at in range(len(text)))]
        yield "offsets look counted with line ends of one character, where the text has CRLF", _first_at(joined)
    elif "\n" in text:
        doubled = [0, *accumulate(1 + (character == "\n") for character in text)]
        reason = "offsets look counted with CRLF line ends, where the text has line ends of one character"
        yield reason, lambda at: character_offset(doubled, at)


def _first_at(offsets: Sequence[int]) -> Correction:
    # Of the two characters of a CRLF, which share an offset, a mention never begins or ends between them.
    places: dict[int, int] = {}
    for place, offset in enumerate(offsets):
        places.setdefault(offset, place)
    return places.get


def _bytes_of(character: str) -> int:
    code = ord(character)
    return 1 if code < 0x80 else 2 if code < 0x800 else 3 if code < 0x10000 else 4


def _shifts(text: str, quoted: Sequence[Quotation]) -> list[int]:
    """List by how much the first mention may be shifted, the smallest first."""
    start, _, quote = max(quoted, key=lambda span: len(span[2]))
    quote = quote.strip()
    candidates: list[int] = []
    at = text.find(quote) if quote else -1
    while at >= 0 and len(candidates) < _MOST_CANDIDATES:
        candidates.append(start - at)
        at = text.find(quote, at + 1)
    shifts = sorted((shift for shift in candidates if shift), key=abs)
    return shifts if len(quoted) > 1 else [shift for shift in shifts if abs(shift) <= _MOST_FOR_ONE]

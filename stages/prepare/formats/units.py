"""Offsets in UTF-16 code units, as JavaScript counts them, and in characters (code points)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

_LAST_OF_ONE_UNIT = "\uffff"


def unit_offsets(text: str) -> Sequence[int]:
    """Return the offset in UTF-16 units of every character of a text, and of its end.

    >>> list(unit_offsets("a💊b"))
    [0, 1, 3, 4]
    """
    if max(text, default="") <= _LAST_OF_ONE_UNIT:
        return range(len(text) + 1)
    return list(accumulate((1 + (character > _LAST_OF_ONE_UNIT) for character in text), initial=0))


def character_offset(offsets: Sequence[int], unit: int) -> int | None:
    """Return the number of the character that begins at a unit; None inside of a character.

    What lies outside of the text stays outside by as much.

    Parameters
    ----------
    offsets : sequence of int
        From `unit_offsets`.
    unit : int
    """
    outside = unit - offsets[-1]
    if unit < 0 or outside > 0:
        return unit if unit < 0 else len(offsets) - 1 + outside
    at = bisect_left(offsets, unit)
    return at if offsets[at] == unit else None

"""GitHub-flavoured Markdown that reads well as plain text, from values that may say anything.

Every value from outside goes through `code`: inside a code span GitHub makes no HTML, no link, no
mention of a user, no issue number, no emoji and no formula of it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

GITHUB_LIMIT = 65_536
"""Longest comment that GitHub takes. It counts characters; counting bytes is never too generous."""

_LONGEST_VALUE = 120
_LOOKALIKES = str.maketrans({"`": "\N{MODIFIER LETTER GRAVE ACCENT}", "|": "\N{BROKEN BAR}"})


def code(value: object, longest: int = _LONGEST_VALUE) -> str:
    r"""Return a value as a code span: inert, on one line, cut to `longest` characters.

    A backtick would end the span and a bar the table's cell: both become characters that look alike.

    >>> code("@all see\n<b>#1</b>")
    '`@all see <b>#1</b>`'
    """
    shown = plain(value, longest)
    return f"`{shown}`" if shown else "—"


def plain(value: object, longest: int = _LONGEST_VALUE) -> str:
    """Return a value on one line, without backticks, bars and invisible characters, cut to `longest` characters.

    For code spans and blocks only: elsewhere it may still mean something to Markdown.
    """
    shown = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in str(value)[: 8 * longest])
    shown = " ".join(shown.translate(_LOOKALIKES).split())
    return f"{shown[: longest - 1]}…" if len(shown) > longest else shown


def listed(values: Sequence[object], most: int = 10) -> str:
    """Return the first values in one line, and how many more there are."""
    more = f" and {len(values) - most:,} more" if len(values) > most else ""
    return (", ".join(map(code, values[:most])) or "none") + more


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """Return a table whose columns are aligned in plain text too.

    Parameters
    ----------
    header : sequence of str
    rows : sequence of sequences of str
        Cells that are Markdown already.
    right : sequence of int
        Columns that are set flush right.
    """
    from tabulate import tabulate

    align = ["right" if place in right else "left" for place in range(len(header))]
    return tabulate(rows, header, tablefmt="pipe", disable_numparse=True, colalign=align)


def details(summary: str, body: str) -> str:
    """Return a part that opens on a click; `summary` is a fixed text of ours and numbers."""
    # The blank lines matter: without them GitHub takes the body for HTML.
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"


def shortened(rows: Sequence[Sequence[str]], most: int) -> tuple[list[Sequence[str]], str]:
    """Return the first rows, and a line that says how many are left out ('' when none are)."""
    left = len(rows) - most
    return list(rows[:most]), f"\n\n… and {left:,} more." if left > 0 else ""


def joined(sections: Sequence[str], limit: int = GITHUB_LIMIT) -> str:
    """Join sections, the most important first; what does not fit is left out, and that is said.

    Whole sections are left out, so that no table or code block is cut in two.

    Raises
    ------
    ValueError
        When not even the first section fits.
    """
    said = "_Left out, since GitHub takes no longer comment: {} of {} sections._\n"
    reserve = len(said.format(len(sections), len(sections)).encode()) + 2
    kept: list[str] = []
    used = 0
    for section in filter(None, sections):
        size = len(section.encode()) + 2
        if used + size + reserve <= limit:
            kept.append(section)
            used += size
        elif not kept:
            raise ValueError(f"the first section has {size} bytes, more than {limit}")
    everything = [section for section in sections if section]
    if len(kept) < len(everything):
        kept.append(said.format(len(everything) - len(kept), len(everything)).rstrip())
    return "\n\n".join(kept) + "\n"

"""How files of notes are written: their encoding, and what their columns are called."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from datetime import date, time
from decimal import Decimal
from typing import NamedTuple

from stages.common.errors import BeHealthyError

_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class Form(NamedTuple):
    """How files are written: their encoding, and what the identifier and the text are called in a table or object."""

    encoding: str = "utf-8"
    id: str = "id"
    text: str = "text"


def known(encoding: str) -> str:
    """Return an encoding of text by the name that Python has for it.

    Raises
    ------
    BeHealthyError
        When there is none of that name.
    """
    try:
        "x".encode(encoding)  # what encodes no text, as rot13, is found out here
        return "utf-8" if codecs.lookup(encoding).name in ("utf-8", "utf-8-sig") else codecs.lookup(encoding).name
    except (LookupError, UnicodeError, ValueError):
        raise BeHealthyError(f"--encoding {encoding}: there is no such encoding; cp1252 or latin-1 are some") from None


def marked_encoding(beginning: bytes) -> str | None:
    """Return the encoding that a file names in its first bytes, None where it names none or UTF-8.

    >>> marked_encoding("gout".encode("utf-16")), marked_encoding(b"gout")
    ('utf-16', None)
    """
    return next((name for mark, name in _MARKS.items() if beginning.startswith(mark)), None)


def fault_of_columns(names: Sequence[str], form: Form) -> str | None:
    """Say why columns do not tell which are the identifier and the text, if so."""
    if missing := [name for name in (form.id, form.text) if name not in names]:
        hint = "; columns are parted by commas" if len(names) == 1 and re.search("[;\t|]", names[0]) else ""
        hint = hint or "; --id-column and --text-column say what they are called"
        return f"has no column {' and '.join(missing)}{hint}"
    twice = [name for name in (form.id, form.text) if names.count(name) > 1]
    return f"has more than one column {' and '.join(twice)}" if twice else None


def as_json(value: object) -> object:
    """Spell what JSON has no type for and an export often has: dates, times and decimals."""
    if isinstance(value, date | time):  # a datetime is a date
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value

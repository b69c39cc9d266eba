"""One note as it came, or what is wrong with it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, NamedTuple

NAME_CHARACTERS = 200
METADATA_CHARACTERS = 64_000
_HALF = re.compile(r"[\ud800-\udfff]")
_WESTERN = re.compile(r"[\u00a0\u00a3\u00a7\u00a9\u00ab\u00ae\u00b0-\u00b5\u00b7\u00b9\u00bb-\u00be\u00c0-\u00ff"
                      r"\u0152\u0153\u2013\u2014\u2018-\u201d\u2022\u2026\u20ac\u2122]")  # fmt: skip
"""Letters, and the signs that word processors put in: degrees, fractions, quotes, dashes."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_ESCAPED = re.compile(r"[\udc80-\udcff]")


class Place(NamedTuple):
    """Where a note stands: name of its file, and the line or row in it, from 1."""

    file: str
    line: int | None = None


class Incoming(NamedTuple):
    """A note that can be stored."""

    source_id: str
    text: str
    metadata: dict[str, Any]

    @property
    def text_hash(self) -> str:
        """SHA-256 of the text in UTF-8, hexadecimal."""
        return sha256(self.text.encode("utf-8")).hexdigest()


class Rejected(NamedTuple):
    """A note that cannot: where it stands and why, without anything of its text."""

    place: Place
    reason: str
    source_id: str | None = None


def record(
    identifier: object, text: object, metadata: object, place: Place, encoding: str = "utf-8"
) -> Incoming | Rejected:
    """Return a note, or why it is none.

    Parameters
    ----------
    identifier, text, metadata : object
        As they came; bytes that could not be decoded are surrogates, as `surrogateescape` makes them.
    place : Place
    encoding : str
        By which it was decoded.
    """
    if isinstance(identifier, int) and not isinstance(identifier, bool):
        identifier = str(identifier)
    problem = _problem_of_name(identifier)
    if problem:
        return Rejected(place, problem)
    name = str(identifier).strip()
    problem = _problem_of_text(text, encoding) or _problem_of_metadata(metadata)
    if problem:
        return Rejected(place, problem, name)
    given = metadata if isinstance(metadata, Mapping) else {}
    return Incoming(name, str(text), {str(key): value for key, value in given.items() if value not in (None, "")})


def _problem_of_name(identifier: object) -> str | None:
    if not isinstance(identifier, str) or not identifier.strip():
        found = "" if isinstance(identifier, str | None) else f"a {type(identifier).__name__} is none; "
        return f"has no id: {found}give each note one, as a string or a whole number"
    if len(identifier) > NAME_CHARACTERS:
        return f"its id has {len(identifier):,} characters, more than {NAME_CHARACTERS}"
    return "its id has characters that are no text" if _HALF.search(identifier) or "\0" in identifier else None


def _problem_of_text(text: object, encoding: str) -> str | None:
    if not isinstance(text, str):
        return "has no text" if text is None else f"its text is of type {type(text).__name__}, not a string"
    if _ESCAPED.search(text):
        return _undecodable(text, encoding)
    if half := _HALF.search(text):
        return f"has half a character (a lone surrogate) at character {half.start()}"
    return f"has a NUL at character {text.index(chr(0))}: is it no text?" if "\0" in text else None


def _undecodable(text: str, encoding: str) -> str:
    try:
        guess = guess_encoding(text.encode(encoding, "surrogateescape"))
    except UnicodeError:  # a lone surrogate of its own beside what was not decoded
        guess = None
    if guess is None:
        return f"is not {encoding.upper()}, nor text in any encoding that can be recognised"
    return f"is not {encoding.upper()}; it looks like {guess}: add it with --encoding {guess} if that is right"


def guess_encoding(content: bytes) -> str | None:
    """Name the encoding that bytes look like, None where they look like no text."""
    import charset_normalizer

    if _is_western(content[:200_000]):
        return "cp1252"
    best = charset_normalizer.from_bytes(content[:200_000]).best()
    if best is None or (b"\0" in content[:1000] and not best.encoding.startswith("utf")):
        return None
    return best.encoding


def _is_western(content: bytes) -> bool:
    """Tell whether bytes read as English with a few accents: too few for statistics, which then name Big5."""
    try:
        text = content.decode("cp1252")
    except UnicodeError:
        return False
    rare = [character for character in text if not character.isascii()]
    return len(rare) * 5 < len(text) and all(map(_WESTERN.match, rare)) and not _CONTROL.search(text)


def _problem_of_metadata(metadata: object) -> str | None:
    if metadata is None:
        return None
    if not isinstance(metadata, Mapping):
        return "its metadata is no object of names and values"
    try:
        written = json.dumps(metadata, ensure_ascii=False, allow_nan=False)
    except (ValueError, TypeError, RecursionError):
        return "its metadata has values that are no JSON (not a number, or of a kind of their own)"
    if len(written) > METADATA_CHARACTERS:
        return f"its metadata has more than {METADATA_CHARACTERS:,} characters"
    return "its metadata has characters that are no text" if _HALF.search(written) or "\\u0000" in written else None

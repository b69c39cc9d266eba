"""JSON objects of an export, checked key by key; what the formats in JSON share."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from stages.common.documents import METADATA
from stages.common.errors import AnnotationError
from stages.prepare.formats.faults import noting
from stages.prepare.formats.marks import Mark
from stages.prepare.formats.source import (
    MAX_CHARACTERS,
    MAX_IDENTIFIER,
    data_files,
    read_lines,
    refuse_controls,
    refuse_identifier,
    shown,
)

_FURTHEST = 4 * MAX_CHARACTERS
"""No document has such an offset, in whatever it is counted; messages stay readable without its digits."""

_MOST_SECONDS = 1e9
"""More is no measurement; the comparison also keeps infinities and NaN out."""


class Place(NamedTuple):
    """Where an object stands; turns a fault into an error."""

    file: str
    line: int | None = None
    document: str | None = None

    def refuse(self, problem: str, remedy: str) -> AnnotationError:
        """Return the error for a fault at this place."""
        return AnnotationError(problem, remedy, self.file, line=self.line, document=self.document)

    def within(self, id: str) -> Place:
        """Return the place with the document's identifier, where that can be shown."""
        return self._replace(document=id) if id.isprintable() and len(id) <= MAX_IDENTIFIER else self


def parse_json(text: str, place: Place) -> Any:
    """Parse JSON; a key that stands twice in an object is refused, since one of them would be lost.

    Raises
    ------
    AnnotationError
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        entry = dict(pairs)
        if len(entry) < len(pairs):
            raise place.refuse("has an object with the same key twice", "Keep one of the two")
        return entry

    remedy = "Write each document on one line; an export that was cut off must be made again"
    try:
        return json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        problem = f"is not valid JSON from character {error.pos} of the line on"
        if place.line is None:  # a whole file
            place = place._replace(line=error.lineno)
            problem, remedy = f"is not valid JSON from column {error.colno} on", "Export it again: it may be cut off"
    except (ValueError, RecursionError):  # a number of thousands of digits, brackets nested as deep
        problem = "is JSON that cannot be a document"
    raise place.refuse(problem, remedy)


def lines_of(path: Path, *, beside: tuple[str, ...] = ()) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Yield the object of every line of a ``.jsonl`` file, or of a folder of them; blank lines are skipped.

    Raises
    ------
    AnnotationError
        On a line that is not an object, and on a file without any.
    """
    for file in data_files(path, (".jsonl",), beside=beside):
        empty = True
        for number, line in enumerate(read_lines(file), 1):
            if not line.strip():
                continue
            empty, place = False, Place(file.name, number)
            with noting:
                yield place, as_object(parse_json(line, place), place)
        if empty:
            raise AnnotationError("holds no document", "Check that the export is complete", file.name)


def as_object(value: Any, place: Place) -> dict[str, Any]:
    """Return a value that must be an object."""
    if not isinstance(value, dict):
        raise place.refuse("is not a JSON object", "Write one object in braces on each line")
    return value


def refuse_keys(entry: Mapping[str, Any], known: set[str], place: Place) -> None:
    """Refuse a key that the format does not have: what it says would be lost."""
    unknown = sorted(set(entry) - known)
    if unknown:
        raise place.refuse(
            f"has the unknown key {shown(unknown[0])}", f"Remove it; known are {', '.join(sorted(known))}"
        )


def id_and_text(entry: Mapping[str, Any], place: Place, *, key: str = "id") -> tuple[str, str, Place]:
    """Return a document's identifier (a string or a whole number), its text, and the place with its name.

    Raises
    ------
    AnnotationError
        When one of them is missing or of another type, or the text has control characters.
    """
    id, text = entry.get(key), entry.get("text")
    if isinstance(id, int) and not isinstance(id, bool):
        id = str(id)
    if not isinstance(id, str) or not isinstance(text, str):
        wrong = "text" if isinstance(id, str) else key
        raise place.refuse(f"has no {wrong}, or it is not a string", f'Add "{wrong}" to the object')
    refuse_identifier(id, text, file=place.file, line=place.line)
    place = place.within(id)
    refuse_controls(text, file=place.file, line=place.line, document=place.document)
    return id, text, place


def list_in(entry: Mapping[str, Any], key: str, place: Place) -> list[Any]:
    """Return the list under a key."""
    value = entry.get(key)
    if not isinstance(value, list):
        raise place.refuse(f'has "{key}" that is not a list', f'Write "{key}": [] where there are none')
    return value


def objects_in(entry: Mapping[str, Any], key: str, place: Place) -> list[dict[str, Any]]:
    """Return the list of objects under a key."""
    values = list_in(entry, key, place)
    if not all(isinstance(value, dict) for value in values):
        raise place.refuse(f'has something in "{key}" that is not an object', "Write an object in braces for each")
    return values


def object_in(entry: Mapping[str, Any], key: str, place: Place) -> dict[str, Any]:
    """Return the object under a key; empty where there is none, or null."""
    value = entry.get(key)
    if value is not None and not isinstance(value, dict):
        raise place.refuse(f'has "{key}" that is not an object', "Write an object in braces, or leave it out")
    return value or {}


def string_in(entry: Mapping[str, Any], key: str, place: Place, what: str = "") -> str | None:
    """Return the string under a key, which a message calls `what`; None where there is none, or null."""
    value = entry.get(key)
    if value is not None and not isinstance(value, str):
        named = what or f'"{key}" that'
        raise place.refuse(f"has {named} is not a string", "Write it as a string, or leave it out")
    return value


def flag_in(entry: Mapping[str, Any], key: str, place: Place) -> bool:
    """Return the truth value under a key; false where there is none, or null. ``"false"`` would be true."""
    value = entry.get(key)
    if value is not None and not isinstance(value, bool):
        raise place.refuse(f'has "{key}" that is neither true nor false', "Write true or false, or leave it out")
    return bool(value)


def mark_of(start: Any, end: Any, label: Any, quote: Any, place: Place) -> Mark:
    """Return a mark of what an object says of it; `quote` may be None."""
    if type(start) is not int or type(end) is not int or not isinstance(label, str):  # True is an int
        raise place.refuse(
            "has a mention without whole-numbered start and end, or without a label",
            "Give start and end as numbers and the label as a string",
        )
    if max(abs(start), abs(end)) > _FURTHEST:
        raise place.refuse("has a mention whose offsets are in no text", "Export again")
    if quote is not None and not isinstance(quote, str):
        raise place.refuse("has a mention whose text is not a string", "Leave it out or quote the text")
    return Mark(start, end, label, quote, place.line)


def metadata_of(entry: Mapping[str, Any], place: Place) -> dict[str, str]:
    """Return what an object says under the keys of `METADATA`; null means not given, other keys are not read.

    Raises
    ------
    AnnotationError
        When a value is not a short printable string.
    """
    given = {key: entry[key] for key in METADATA if entry.get(key) is not None}
    for key, item in given.items():
        if not isinstance(item, str) or not item.strip() or not item.isprintable() or len(item) > 200:
            raise place.refuse(f"has metadata {key} that is not a short printable string", "Correct it or leave it out")
    return given


def seconds_of(value: Any, place: Place) -> float | None:
    """Return measured seconds; null and 0 mean that nothing was measured.

    Raises
    ------
    AnnotationError
        When it is no number, negative or infinite.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST_SECONDS:
        raise place.refuse("has a measured time that is no number of seconds", "Correct it or leave it out")
    return float(value) or None

"""`jsonl`: a JSON object a line, the project's own format, and what doccano exports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from stages.common.documents import METADATA, Document
from stages.common.errors import AnnotationError
from stages.prepare.formats.marks import Mark, make_document
from stages.prepare.formats.source import data_files, read_lines, refuse_controls, shown

SUFFIXES = (".jsonl",)
_KEYS = {"id", "text", "mentions", "label", "metadata"}
_MENTION_KEYS = {"start", "end", "label", "text"}


class _Place(NamedTuple):
    """Where a line stands; turns a fault into an error."""

    file: str
    line: int
    document: str | None = None

    def refuse(self, problem: str, remedy: str) -> AnnotationError:
        return AnnotationError(problem, remedy, self.file, line=self.line, document=self.document)


def read(path: Path) -> list[Document]:
    """Read a file, or a folder of files, with one document a line.

    ``{"id": str, "text": str, "mentions": [{"start", "end", "label", "text"?}], "metadata"?: {…}}``,
    or, as doccano exports it, ``"label": [[start, end, label], …]`` in place of ``mentions``, and a
    number as ``id``. Offsets count Unicode code points. `metadata` takes the keys of
    `stages.common.documents.METADATA`; null means not given. Blank lines are skipped.

    Raises
    ------
    AnnotationError
        On JSON that does not parse, missing, unknown or repeated keys, values of the wrong type,
        a second document of the same identifier.
    """
    return _read(path, annotated=True)


def read_notes(path: Path) -> list[Document]:
    """Read notes that nobody has annotated: the same format without ``mentions``.

    Raises
    ------
    AnnotationError
        As `read`, and when a note carries annotations.
    """
    return _read(path, annotated=False)


def _read(path: Path, *, annotated: bool) -> list[Document]:
    documents: list[Document] = []
    seen: dict[str, str] = {}
    for file in data_files(path, SUFFIXES):
        before = len(documents)
        for number, line in enumerate(read_lines(file), 1):
            if not line.strip():
                continue
            document = _read_line(line, _Place(file.name, number), annotated)
            if document.id in seen:
                raise _Place(file.name, number, document.id).refuse(
                    f"this identifier was used before, in {seen[document.id]}", "Give every document its own"
                )
            seen[document.id] = f"{file.name} line {number}"
            documents.append(document)
        if len(documents) == before:
            raise AnnotationError("holds no document", "Check that the export is complete", file.name)
    return documents


def _read_line(line: str, place: _Place, annotated: bool) -> Document:
    entry = _parse(line, place)
    if not isinstance(entry, dict):
        raise place.refuse("is not a JSON object", "Write one object in braces on each line")
    _refuse_keys(entry, _KEYS, place)
    id = entry.get("id")
    if isinstance(id, int) and not isinstance(id, bool):
        id = str(id)
    text = entry.get("text")
    if not isinstance(id, str) or not isinstance(text, str):
        wrong = "text" if isinstance(id, str) else "id"
        raise place.refuse(f"has no {wrong}, or it is not a string", f'Add "{wrong}" to the object')
    if id.isprintable() and len(id) <= 200:
        place = place._replace(document=id)
    refuse_controls(text, file=place.file, line=place.line, document=place.document)
    marks = list(_annotations(entry, place, annotated))
    metadata = _metadata(entry.get("metadata"), place)
    return make_document(text, marks, id=id, file=place.file, line=place.line, metadata=metadata)


def _annotations(entry: dict[str, Any], place: _Place, annotated: bool) -> Iterator[Mark]:
    given = [key for key in ("mentions", "label") if key in entry]
    if not annotated:
        if given:
            raise place.refuse("carries annotations", "Add annotated notes with python -m annotation.add")
        return iter(())
    if len(given) != 1:
        raise place.refuse(
            'has none or both of "mentions" and "label"', 'Give "mentions", an empty list where there are none'
        )
    return _marks(entry, place) if given == ["mentions"] else _doccano_marks(entry, place)


def _parse(line: str, place: _Place) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        entry = dict(pairs)
        if len(entry) < len(pairs):
            raise place.refuse("has an object with the same key twice", "Keep one of the two")
        return entry

    try:
        return json.loads(line, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        problem = f"is not valid JSON from character {error.pos} of the line on"
    except (ValueError, RecursionError):  # a number of thousands of digits, brackets nested as deep
        problem = "is JSON that cannot be a document"
    raise place.refuse(problem, "Write each document on one line; an export that was cut off must be made again")


def _refuse_keys(entry: dict[str, Any], known: set[str], place: _Place) -> None:
    unknown = sorted(set(entry) - known)
    if unknown:
        raise place.refuse(
            f"has the unknown key {shown(unknown[0])}", f"Remove it; known are {', '.join(sorted(known))}"
        )


def _marks(entry: dict[str, Any], place: _Place) -> Iterator[Mark]:
    for mention in _list(entry["mentions"], "mentions", place):
        if not isinstance(mention, dict):
            raise place.refuse("has a mention that is not an object", 'Write {"start": 0, "end": 5, "label": "…"}')
        _refuse_keys(mention, _MENTION_KEYS, place)
        quote = mention.get("text")
        if quote is not None and not isinstance(quote, str):
            raise place.refuse("has a mention whose text is not a string", "Leave it out or quote the text")
        yield _mark([mention.get("start"), mention.get("end"), mention.get("label")], quote, place)


def _doccano_marks(entry: dict[str, Any], place: _Place) -> Iterator[Mark]:
    for mention in _list(entry["label"], "label", place):
        if not isinstance(mention, list) or len(mention) != 3:
            raise place.refuse("has a label that is not a list of three", "Write [start, end, label]")
        yield _mark(mention, None, place)


def _list(value: Any, name: str, place: _Place) -> list[Any]:
    if not isinstance(value, list):
        raise place.refuse(f'has "{name}" that is not a list', f'Write "{name}": [] where there are none')
    return value


def _mark(values: list[Any], quote: str | None, place: _Place) -> Mark:
    start, end, label = values
    if type(start) is not int or type(end) is not int or not isinstance(label, str):  # True is an int
        raise place.refuse(
            "has a mention without whole-numbered start and end, or without a label",
            "Give start and end as numbers and the label as a string",
        )
    return Mark(start, end, label, quote, place.line)


def _metadata(value: Any, place: _Place) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise place.refuse("has metadata that is not an object", 'Write "metadata": {"note_type": "…"}')
    _refuse_keys(value, set(METADATA), place)
    given = {key: item for key, item in value.items() if item is not None}
    for key, item in given.items():
        if not isinstance(item, str) or not item.strip() or not item.isprintable() or len(item) > 200:
            raise place.refuse(f"has metadata {key} that is not a short printable string", "Correct it or leave it out")
    return given

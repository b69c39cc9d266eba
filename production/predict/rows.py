"""Notes out of files, one at a time: text, CSV, JSON lines, Parquet."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from stages.common.errors import BeHealthyError

SUFFIXES = {".txt": "text", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
STANDARD_INPUT = "-"
_LONGEST_FIELD = 100_000_000  # characters; csv takes 131,072 by itself


class Note(NamedTuple):
    """A note under the name that it has in its file, or under its place there."""

    id: str
    text: str


class BadRow(NamedTuple):
    """A row that is no note: where it stands, and what is wrong; never its text."""

    place: str
    problem: str


Row = Note | BadRow


class Columns(NamedTuple):
    """Where a table has its notes and their names."""

    text: str = "text"
    id: str = "id"


def read_rows(source: str, kind: str | None, columns: Columns) -> Iterator[tuple[Row, int]]:
    """Yield the notes of a file, of standard input, or of the argument itself, and how many bytes are behind.

    Memory does not grow with their number.

    Parameters
    ----------
    source : str
        A path, ``-``, or a note, where it is no path.
    kind : str, optional
        A value of `SUFFIXES`; without it the suffix tells.
    columns : Columns

    Raises
    ------
    BeHealthyError
        When the file cannot be read at all.
    """
    if source == STANDARD_INPUT:
        yield from ((row, 0) for row in _READERS[kind or "text"]("standard input", sys.stdin.buffer, columns))
        return
    path = Path(source)
    if _is_there(path) and not _is_file(path):
        raise BeHealthyError(f"{source} is a folder or a pipe: give its files of notes, or - for standard input")
    if not _is_file(path):
        if path.suffix.lower() in SUFFIXES and " " not in source:
            raise BeHealthyError(f"{source} is no file that can be read: correct the path")
        yield _note("the note", source, "note", Columns()), 0
        return
    found = kind or SUFFIXES.get(path.suffix.lower())
    if found is None:
        raise BeHealthyError(f"{path.name} has none of the suffixes {', '.join(SUFFIXES)}: name its format with --from")
    with path.open("rb") as file:
        for row in _READERS[found](path.name, file, columns):
            yield row, file.tell()


def size_of(source: str) -> int:
    """Return the bytes of a file, 0 of what is none."""
    path = Path(source)
    return path.stat().st_size if _is_file(path) else 0


def _is_there(path: Path) -> bool:
    try:
        return path.name != "" and path.exists()
    except (OSError, ValueError):
        return False


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a note is too long for a name, or has NUL in it
        return False


def _text(name: str, file: IO[bytes], columns: Columns) -> Iterator[Row]:
    try:
        yield Note(Path(name).stem, file.read().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        yield BadRow(name, f"not UTF-8 (byte {error.start}): convert it first")


def _jsonl(name: str, file: IO[bytes], columns: Columns) -> Iterator[Row]:
    for number, line in enumerate(file, start=1):
        if line.strip():
            yield _parsed(f"{name}, line {number}", str(number), line, columns)


def _parsed(place: str, number: str, line: bytes, columns: Columns) -> Row:
    try:
        entry = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return BadRow(place, "not UTF-8")
    except (ValueError, RecursionError):
        return BadRow(place, "no JSON that can be read")
    if not isinstance(entry, dict):
        return BadRow(place, "no object")
    return _note(place, entry.get(columns.text), number, columns, entry.get(columns.id))


def _note(place: str, text: Any, number: object, columns: Columns, name: Any = None) -> Row:
    if not isinstance(text, str):
        problem = "there is no text" if text is None else f"the text is of type {type(text).__name__}"
        return BadRow(place, f"{problem} in {columns.text}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return BadRow(place, f"half a character at offset {error.start}")
    return Note(str(number if name is None else name).encode("utf-8", "replace").decode(), text)


def _csv(name: str, file: IO[bytes], columns: Columns) -> Iterator[Row]:
    csv.field_size_limit(_LONGEST_FIELD)
    # What is not UTF-8 becomes halves of characters, and a bad row of its own.
    lines = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        rows = csv.DictReader(lines, strict=True)
        if columns.text not in (rows.fieldnames or ()):
            raise BeHealthyError(f"{name} has no column {columns.text}: name it with --text-column")
        _refuse_twice(name, list(rows.fieldnames or ()), columns)
        number = 0
        while True:
            number += 1
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error:
                yield BadRow(f"{name}, line {rows.line_num}", "no CSV that can be read (is a quote left open?)")
                continue
            place = f"{name}, row {number}"
            yield _note(place, row.get(columns.text), number, columns, row.get(columns.id) or None)
    finally:
        lines.detach()


def _parquet(name: str, file: IO[bytes], columns: Columns) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not file.seekable():
        raise BeHealthyError(f"{name} cannot be Parquet, which is read from its end: give a file")
    try:
        table = pq.ParquetFile(file)
        if columns.text not in table.schema_arrow.names:
            raise BeHealthyError(f"{name} has no column {columns.text}: name it with --text-column")
        _refuse_twice(name, table.schema_arrow.names, columns)
        named = [column for column in dict.fromkeys(columns) if column in table.schema_arrow.names]
        number = 0
        for batch in table.iter_batches(batch_size=1000, columns=named, use_threads=False):
            for row in batch.to_pylist():
                number += 1
                yield _note(f"{name}, row {number}", row[columns.text], number, columns, row.get(columns.id))
    except pa.ArrowInvalid:
        raise BeHealthyError(f"{name} is no Parquet file that can be read: write it again") from None


def _refuse_twice(name: str, found: list[str], columns: Columns) -> None:
    for column in columns:
        if found.count(column) > 1:
            raise BeHealthyError(f"{name} has more than one column {column}: leave one of that name")


_READERS: dict[str, Callable[[str, IO[bytes], Columns], Iterator[Row]]] = {
    "text": _text,
    "csv": _csv,
    "jsonl": _jsonl,
    "parquet": _parquet,
}
FORMATS = tuple(_READERS)

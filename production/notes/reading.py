"""Notes out of files, one after the other: text, CSV, JSON lines, Parquet; never a whole file in memory but of text.

What cannot be read is a `Rejected` in its place, and the next one follows. Bytes are decoded as UTF-8, or as the
encoding that was asked for; what does not fit is rejected with the encoding that it looks like, never guessed at.
Of rows of one file with one identifier and different texts, the first is the note, and the others are rejected.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from production.notes.form import Form, as_json, fault_of_columns, known, marked_encoding
from production.notes.records import Incoming, Place, Rejected, record
from production.notes.repeats import Repeats, repeats
from stages.common.command import fault_of_machine
from stages.common.errors import BeHealthyError

FORMATS = {"text": (".txt",), "csv": (".csv",), "jsonl": (".jsonl", ".ndjson"), "parquet": (".parquet",)}
MOST_BYTES = 16_000_000
"""Of one note with all around it; a longer line is passed over without being kept in memory."""

STDIN = "-"


Records = Iterator[Incoming | Rejected]


def read(
    path: Path,
    format: str | None = None,
    encoding: str = "utf-8",
    *,
    id_column: str = "id",
    text_column: str = "text",
    settled: float = 0.0,
) -> Records:
    """Read the notes of a file or of all files in a folder, or JSON lines from standard input.

    Parameters
    ----------
    path : Path
        ``-`` is standard input.
    format : str, optional
        A key of `FORMATS`; without it the suffix tells.
    encoding : str
        Of text, CSV and JSON lines.
    id_column, text_column : str
        What the identifier and the text are called in CSV, JSON lines and Parquet.
    settled : float
        Seconds since which a file of a folder must not have been written to: one that somebody still writes is left
        out, for half a note would be read as a note.

    Raises
    ------
    BeHealthyError
        When there is no such file, or its format is not known; what is wrong with one note of several is no error.
    """
    form = Form(known(encoding), id_column, text_column)
    if str(path) == STDIN:
        if format == "parquet":
            raise BeHealthyError("Parquet is read from its end, which standard input does not have yet: give a file")
        return _read_one(sys.stdin.buffer, "standard input", format or "jsonl", form)
    if path.is_dir():
        return _read_folder(path, format, form, settled)
    if not path.is_file():
        raise BeHealthyError(
            f"{path} is no file that is there: give a file of notes, a folder, or - for standard input"
        )
    kind = format or _format_of(path)
    if kind is None:
        raise BeHealthyError(f"{path.name} has no suffix that tells its format: say --from ({', '.join(FORMATS)})")
    return _read_file(path, path.name, kind, form)


def _format_of(path: Path) -> str | None:
    return next((name for name, suffixes in FORMATS.items() if path.suffix.lower() in suffixes), None)


def _read_folder(folder: Path, format: str | None, form: Form, settled: float) -> Records:
    """Read what a folder holds, in order of the names; hidden files are left out."""
    unreadable: list[OSError] = []
    inside = [Path(top, name) for top, *names in os.walk(folder, onerror=unreadable.append) for name in chain(*names)]
    for error in unreadable:
        place = Path(error.filename).relative_to(folder).as_posix()
        yield Rejected(Place(_shown(place)), f"cannot be looked into: {error.strerror}")
    for path in sorted(inside):
        name = path.relative_to(folder).as_posix()
        if any(part.startswith(".") for part in name.split("/")) or (path.is_dir() and not path.is_symlink()):
            continue
        kind = _format_of(path)
        if not path.is_file():
            yield Rejected(Place(_shown(name)), "is no file; a link to a folder is not followed")
        elif kind is None or format not in (None, kind):
            yield Rejected(Place(_shown(name)), f"its suffix is none of {_suffixes(format)}")
        elif not _is_being_written(path, settled):
            yield from _read_file(path, name, kind, form)


def _is_being_written(path: Path, settled: float) -> bool:
    """Tell whether a file was written to just now; by a time to come, which some clock gave it, nothing is held up."""
    try:
        return 0 <= time.time() - path.stat().st_mtime < settled
    except OSError:
        return False  # said when it is read


def _suffixes(format: str | None) -> str:
    return ", ".join(FORMATS[format] if format else (suffix for known in FORMATS.values() for suffix in known))


def _read_file(path: Path, name: str, kind: str, form: Form) -> Records:
    try:
        with path.open("rb") as file:
            marked = marked_encoding(file.peek(4))
            if marked and kind in ("csv", "jsonl") and form.encoding == "utf-8":
                remedy = f"add it with --encoding {marked}" if kind == "csv" else "convert it to UTF-8"
                problem = f"is not UTF-8; it looks like {marked}: {remedy} if that is right"
                yield Rejected(Place(_shown(name)), problem)
                return
            yield from _read_one(file, _shown(name), kind, form)
    except OSError as error:
        yield Rejected(Place(_shown(name)), f"cannot be read: {fault_of_machine(error)}"[:300])


def _read_one(file: BinaryIO, name: str, kind: str, form: Form) -> Records:
    with repeats() as seen:
        yield from READERS[kind](file, name, form, seen)


def _shown(name: str) -> str:
    """Return a file's name as the database can keep it; two that are no UTF-8 stay two."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")[-300:]


# ---- one format each -------------------------------------------------------------------------------


def _read_text(file: BinaryIO, name: str, form: Form, _: Repeats) -> Records:
    """Read a file as one note, called as the file is without its suffix."""
    encoding = form.encoding
    content = file.read(MOST_BYTES + 1)
    place = Place(name)
    if len(content) > MOST_BYTES:
        yield Rejected(place, _too_long(), name.removesuffix(".txt"))
        return
    try:
        text = _bare(content, encoding).decode(encoding, "surrogateescape")
    except UnicodeError:
        yield Rejected(place, f"is not {encoding.upper()}")
        return
    yield record(name.rsplit(".", 1)[0], text, None, place, encoding)


def _bare(content: bytes, encoding: str) -> bytes:
    """Take away the mark that some programs put in front of UTF-8."""
    return content.removeprefix(codecs.BOM_UTF8) if encoding == "utf-8" else content


def _too_long() -> str:
    return f"is longer than {MOST_BYTES:,} bytes"


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Yield the lines of a file with their numbers, from 1; None for a line that is too long."""
    number = 0
    while line := file.readline(MOST_BYTES + 1):
        number += 1
        whole = len(line) <= MOST_BYTES
        while not line.endswith(b"\n") and (rest := file.readline(MOST_BYTES)):
            whole, line = False, rest
        yield number, line if whole else None


def _read_jsonl(file: BinaryIO, name: str, form: Form, seen: Repeats) -> Records:
    if "{}\n".encode(form.encoding) != b"{}\n":
        yield Rejected(Place(name), f"JSON lines in {form.encoding.upper()} cannot be read: convert the file to UTF-8")
        return
    for number, line in _lines(file):
        place = Place(name, number)
        if line is None:
            yield Rejected(place, _too_long())
        elif content := (_bare(line, form.encoding) if number == 1 else line).strip():
            yield seen.checked(_of_json(content, place, form), place)


def _of_json(content: bytes, place: Place, form: Form) -> Incoming | Rejected:
    """`id` and `text`; `metadata`, and all other names with a plain value, are metadata."""
    try:
        entry = json.loads(content.decode(form.encoding, "surrogateescape"))
    except (ValueError, RecursionError):
        return Rejected(place, "is not JSON: write one object on each line")
    if not isinstance(entry, dict):
        return Rejected(place, 'is no object: write {"id": …, "text": …, "metadata": {…}}')
    identifier, text, metadata = entry.pop(form.id, None), entry.pop(form.text, None), entry.pop("metadata", None)
    if metadata is None or isinstance(metadata, dict):
        plain = {name: value for name, value in entry.items() if not isinstance(value, (dict, list))}
        metadata = {**plain, **(metadata or {})}
    return record(identifier, text, metadata, place, form.encoding)


def _read_csv(file: BinaryIO, name: str, form: Form, seen: Repeats) -> Records:
    """Columns `id` and `text`; all others are metadata."""
    encoding = form.encoding
    csv.field_size_limit(MOST_BYTES)
    stream = io.TextIOWrapper(
        file, "utf-8-sig" if encoding == "utf-8" else encoding, errors="surrogateescape", newline=""
    )
    # Without `strict`, a quote that is left open makes all notes behind it one note.
    rows = csv.reader(stream, strict=True)
    try:
        header = next(rows, [])
        if fault := fault_of_columns(header, form):
            yield Rejected(Place(name, 1), f"its first row {fault}")
            return
        yield from _csv_rows(rows, header, name, form, seen)
    except csv.Error:
        yield Rejected(Place(name, 1), "is no CSV: write columns id and text, parted by commas")
    except UnicodeError:
        yield Rejected(Place(name, rows.line_num), f"is not {encoding.upper()} from here on")
    finally:
        stream.detach()


def _csv_rows(rows: Iterator[list[str]], header: list[str], name: str, form: Form, seen: Repeats) -> Records:
    while True:
        first = rows.line_num + 1  # type: ignore[attr-defined]
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield Rejected(Place(name, first), _fault_of_csv(error))
            continue
        place = Place(name, rows.line_num)  # type: ignore[attr-defined]
        if not row:
            continue
        if len(row) != len(header):
            yield Rejected(place, f"has {len(row)} fields, and the first row {len(header)}")
            continue
        entry = dict(zip(header, row, strict=True))
        yield seen.checked(record(entry.pop(form.id), entry.pop(form.text), entry, place, form.encoding), place)


def _fault_of_csv(error: csv.Error) -> str:
    if "field larger" in str(error):
        return _too_long()
    if "unexpected end" in str(error):
        return "begins a quote that never ends: nothing from here on was read"
    return "is no CSV: a quote within a field must be doubled"


def _read_parquet(file: BinaryIO, name: str, form: Form, seen: Repeats) -> Records:
    """Columns `id` and `text`; a column `metadata` of structs, and all others, are metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(file, pre_buffer=False)
        if fault := fault_of_columns(table.schema_arrow.names, form):
            yield Rejected(Place(name), fault)
            return
        number = 0
        for batch in table.iter_batches(batch_size=200, use_threads=False):
            for row in batch.to_pylist():
                number += 1
                identifier, text, metadata = row.pop(form.id), row.pop(form.text), row.pop("metadata", None)
                whole = {**row, **metadata} if isinstance(metadata, dict) else row
                told = {column: as_json(value) for column, value in whole.items()}
                place = Place(name, number)
                yield seen.checked(record(identifier, text, told, place), place)
    except (pa.ArrowException, UnicodeError) as error:
        yield Rejected(Place(name), f"is no Parquet that can be read ({type(error).__name__})")


READERS: dict[str, Callable[[BinaryIO, str, Form, Repeats], Records]] = {
    "text": _read_text,
    "csv": _read_csv,
    "jsonl": _read_jsonl,
    "parquet": _read_parquet,
}

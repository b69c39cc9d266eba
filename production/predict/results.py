"""What was found, written note by note: to read, as a table, as JSON, CSV or Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import IO, Any

from rich.console import Console
from rich.text import Text

from production.inference.host import Found, FoundMention
from production.predict.rows import Note
from production.terminal import on_one_line, printable
from stages.common.colours import colours_of

Write = Callable[[Note, Found], None]

COLUMNS = ("note", "kind", "start", "end", "text", "label", "confidence", "accepted", "assertion")
"""Of the tables: a row for each mention or suggestion."""

_ROWS_A_GROUP = 5_000


def _rows(note: Note, found: Found) -> Iterator[tuple[Any, ...]]:
    for kind, spans in (("mention", found.mentions), ("suggestion", found.suggestions)):
        for span in spans:
            surface = note.text[span.start : span.end]
            yield (
                note.id, kind, span.start, span.end, surface, span.label, round(span.confidence, 4), span.accepted,
                span.assertion,
            )  # fmt: skip


def _object(note: Note, found: Found) -> str:
    spans = {
        kind: [span._asdict() | {"text": note.text[span.start : span.end]} for span in getattr(found, kind)]
        for kind in ("mentions", "suggestions")
    }
    whole = {name: getattr(found, name) for name in ("accepted", "sentences", "tokens", "unknown_tokens")}
    return json.dumps({"id": note.id} | spans | whole, ensure_ascii=False)


@contextmanager
def _jsonl(file: IO[bytes], labels: tuple[str, ...]) -> Iterator[Write]:
    yield lambda note, found: _put(file, _object(note, found) + "\n")


@contextmanager
def _json(file: IO[bytes], labels: tuple[str, ...]) -> Iterator[Write]:
    between = iter(["\n"])
    _put(file, "[")
    yield lambda note, found: _put(file, next(between, ",\n") + _object(note, found))
    _put(file, "\n]\n")


@contextmanager
def _csv(file: IO[bytes], labels: tuple[str, ...]) -> Iterator[Write]:
    lines = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    table = csv.writer(lines, lineterminator="\n")
    table.writerow(COLUMNS)
    try:
        yield lambda note, found: table.writerows(_rows(note, found))
    finally:
        lines.detach()


@contextmanager
def _parquet(file: IO[bytes], labels: tuple[str, ...]) -> Iterator[Write]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = (
        pa.string(), pa.string(), pa.int64(), pa.int64(), pa.string(), pa.string(), pa.float64(), pa.bool_(),
        pa.string(),
    )  # fmt: skip
    schema = pa.schema([pa.field(name, kind, nullable=False) for name, kind in zip(COLUMNS, kinds, strict=True)])
    waiting: list[tuple[Any, ...]] = []

    with pq.ParquetWriter(file, schema, compression="zstd") as table:

        def flush() -> None:
            columns = [list(column) for column in zip(*waiting, strict=True)] or [[] for _ in COLUMNS]
            table.write_table(pa.table(columns, schema=schema))
            waiting.clear()

        def write(note: Note, found: Found) -> None:
            waiting.extend(_rows(note, found))
            if len(waiting) >= _ROWS_A_GROUP:
                flush()

        yield write
        flush()


@contextmanager
def _table(file: IO[bytes], labels: tuple[str, ...]) -> Iterator[Write]:
    """Columns of one width, so that the first rows need not wait for the last."""
    widths = (18, 10, 6, 6, 36, 14, 6, 8, 14)
    shown = ("note", "kind", "start", "end", "text", "label", "conf.", "accepted", "assertion")

    def line(cells: tuple[Any, ...]) -> None:
        fitted = (_fitted(on_one_line(str(cell)), width) for cell, width in zip(cells, widths, strict=True))
        _put(file, " ".join(fitted).rstrip() + "\n")

    def write(note: Note, found: Found) -> None:
        for row in _rows(note, found):
            line((*row[:6], f"{row[6]:.2f}", "yes" if row[7] else "no", row[8]))

    line(shown)
    yield write


@contextmanager
def _marked(file: IO[bytes], labels: tuple[str, ...]) -> Iterator[Write]:
    lines = io.TextIOWrapper(file, encoding="utf-8", write_through=True)
    console = Console(file=lines, highlight=False, markup=False)
    styles = {label: colour.terminal for label, colour in colours_of(labels).items()}

    def write(note: Note, found: Found) -> None:
        console.print(Text(printable(note.id), "dim"), soft_wrap=True)
        console.print(_highlighted(note.text, found, styles), soft_wrap=True)
        if found.suggestions:
            said = ", ".join(_said(note.text, span) for span in found.suggestions)
            console.print(Text(f"may have been missed: {said}", "dim"), soft_wrap=True)
        console.print()

    try:
        yield write
    finally:
        lines.detach()


def _highlighted(text: str, found: Found, styles: dict[str, str]) -> Text:
    """Mark mentions by colour and by brackets, so that it can be read without colours, too."""
    marked, place = Text(), 0
    for mention in found.mentions:
        marked.append(printable(text[place : mention.start]))
        style = styles.get(mention.label, "bold")
        marked.append(f"[{printable(text[mention.start : mention.end])}]", style)
        notes = [mention.label, f"{mention.confidence:.2f}"]
        notes += [] if mention.assertion == "present" else [mention.assertion]
        notes += [] if mention.accepted else ["to review"]
        marked.append(f"({', '.join(notes)})", "dim")
        place = mention.end
    return marked.append(printable(text[place:]))


def _fitted(cell: str, width: int) -> str:
    return cell.ljust(width) if len(cell) <= width else f"{cell[: width - 1]}…"


def _said(text: str, span: FoundMention) -> str:
    return f"{on_one_line(text[span.start : span.end])} ({span.label}, {span.confidence:.2f})"


def _put(file: IO[bytes], text: str) -> None:
    file.write(text.encode())


WRITERS: dict[str, Callable[[IO[bytes], tuple[str, ...]], AbstractContextManager[Write]]] = {
    "marked": _marked,
    "table": _table,
    "json": _json,
    "jsonl": _jsonl,
    "csv": _csv,
    "parquet": _parquet,
}
ENDINGS = {
    ".txt": "marked", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet"
}  # fmt: skip
"""Of files that are written, where no format is said."""

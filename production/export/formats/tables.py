"""Mentions, and diseases beside treatments, as tables: CSV or Parquet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from production.export.formats import Open, Settings
from production.export.results import Result, Span
from production.export.rows import Rows

_RESULT = [
    pa.field("source", pa.string(), nullable=False),
    pa.field("source_id", pa.string(), nullable=False),
    pa.field("note_id", pa.int64(), nullable=False),
    pa.field("text_hash", pa.string(), nullable=False),
    pa.field("model_version", pa.string(), nullable=False),
    pa.field("created_at", pa.timestamp("us", "UTC"), nullable=False),
]
MENTIONS = pa.schema(
    [
        *_RESULT,
        pa.field("kind", pa.string(), nullable=False),  # mention, or suggestion: what may have been missed
        pa.field("number", pa.int32(), nullable=False),
        pa.field("start", pa.int32(), nullable=False),  # characters of the note's text
        pa.field("end", pa.int32(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("confidence", pa.float64(), nullable=False),
        pa.field("accepted", pa.bool_(), nullable=False),
        pa.field("assertion", pa.string(), nullable=False),
    ]
)
PAIRS = pa.schema(
    [
        *_RESULT,
        *(
            pa.field(f"{side}{column}", kind, nullable=False)
            for side in ("disease", "treatment")
            for column, kind in (
                ("", pa.string()), ("_start", pa.int32()), ("_end", pa.int32()), ("_assertion", pa.string())
            )
        ),
        pa.field("weight", pa.float64(), nullable=False),  # 1 same sentence, 0.5 adjacent, 0.2 same note
        pa.field("confidence", pa.float64(), nullable=False),
        pa.field("flag", pa.string(), nullable=False),  # why the pair does not count; empty where it does
    ]
)  # fmt: skip
_GROUP = 10_000
"""Rows that are held until they are written as one row group."""


class Csv:
    """Writes `mentions.csv` and `pairs.csv`."""

    def __init__(self, open: Open, settings: Settings) -> None:
        self._mentions = Rows(open("mentions.csv"), MENTIONS.names)
        self._pairs = Rows(open("pairs.csv"), PAIRS.names)

    def add(self, results: Sequence[Result]) -> None:
        """Write rows; times as ISO 8601."""
        for result in results:
            self._mentions.write(map(_spelt, mention_rows(result)))
            self._pairs.write(map(_spelt, pair_rows(result)))

    def close(self) -> None:
        """Close both files."""
        self._mentions.close()
        self._pairs.close()


class Parquet:
    """Writes `mentions.parquet` and `pairs.parquet`."""

    def __init__(self, open: Open, settings: Settings) -> None:
        self._tables = (_Table(open("mentions.parquet"), MENTIONS), _Table(open("pairs.parquet"), PAIRS))

    def add(self, results: Sequence[Result]) -> None:
        """Write rows, or hold them until they are many."""
        mentions, pairs = self._tables
        for result in results:
            mentions.add(mention_rows(result))
            pairs.add(pair_rows(result))

    def close(self) -> None:
        """Close both files."""
        for table in self._tables:
            table.close()


def mention_rows(result: Result) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a result in the table of mentions, suggestions among them."""
    for span in result.spans:
        place = (span.kind, span.number, span.start, span.end, span.label, span.surface)
        yield (*_of(result), *place, span.confidence, bool(span.accepted), span.assertion)


def pair_rows(result: Result) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a result in the table of pairs."""
    for pair in result.pairs:
        yield (
            *_of(result), *_side(pair.disease), *_side(pair.treatment), pair.weight, pair.confidence, pair.flag
        )  # fmt: skip


def _side(span: Span) -> tuple[Any, ...]:
    return span.surface, span.start, span.end, span.assertion


def _of(result: Result) -> tuple[Any, ...]:
    return (result.source, result.source_id, *result.key, result.created_at)


def _spelt(row: tuple[Any, ...]) -> tuple[Any, ...]:
    created = len(_RESULT) - 1
    return (*row[:created], row[created].isoformat(), *row[created + 1 :])


class _Table:
    """A Parquet file that grows by row groups."""

    def __init__(self, file: IO[bytes], schema: pa.Schema) -> None:
        self._file, self._schema, self._rows = file, schema, list[tuple[Any, ...]]()
        self._writer = pq.ParquetWriter(file, schema, compression="zstd")

    def add(self, rows: Iterator[tuple[Any, ...]]) -> None:
        self._rows.extend(rows)
        if len(self._rows) >= _GROUP:
            self._write()

    def close(self) -> None:
        self._write()
        self._writer.close()
        self._file.close()

    def _write(self) -> None:
        rows = [dict(zip(self._schema.names, row, strict=True)) for row in self._rows]
        if rows:
            self._writer.write_table(pa.Table.from_pylist(rows, schema=self._schema))
        self._rows = []

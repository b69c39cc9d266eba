"""Rows of the serving log as tables: what was served when, by which version, and what describes the note."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import pyarrow as pa

from stages.common.tables import serving_log
from stages.monitor.times import as_utc

_SERVED = [
    pa.field("log_id", pa.int64(), nullable=False),
    pa.field("served_at", pa.timestamp("us", "UTC"), nullable=False),
    pa.field("model_version", pa.string(), nullable=False),
    pa.field("probability", pa.float64(), nullable=False),  # with which a note was logged
]
_FIXED = serving_log(())


class LogRow(Protocol):
    """A row, as the database has it; `row` has the columns of `stages.common.tables.serving_log`."""

    @property
    def log_id(self) -> int:
        """Its number; below zero where no database gave it."""

    @property
    def served_at(self) -> datetime:
        """UTC where it has no zone."""

    @property
    def model_version(self) -> str:
        """Of the model that read the note."""

    @property
    def probability(self) -> float:
        """With which the note was logged."""

    @property
    def row(self) -> Mapping[str, Any]:
        """What describes the note."""


def alike(row: LogRow) -> tuple[str, frozenset[str]]:
    """Return what rows of one part have in common: their month and their columns."""
    return month_of(row), frozenset(row.row)


def month_of(row: LogRow) -> str:
    """Return the month in which a note was served, as 2026-11."""
    return as_utc(row.served_at).strftime("%Y-%m")


def table_of(rows: Sequence[LogRow]) -> pa.Table:
    """Return rows that are alike as a table; what rows of older versions do not have is null."""
    counts = [name for name in rows[0].row if name not in _FIXED.names]
    schema = pa.schema([*_SERVED, *_FIXED, *(pa.field(name, pa.int32()) for name in counts)])
    return pa.Table.from_pylist([_values(row) for row in rows], schema=schema)


def _values(row: LogRow) -> dict[str, Any]:
    served = {"log_id": row.log_id, "served_at": as_utc(row.served_at), "model_version": row.model_version}
    return served | {"probability": row.probability} | dict(row.row)

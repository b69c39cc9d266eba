"""A folder of the serving log: parts by month, each with all rows between two numbers.

``served_month=2026-11/part-000000000001-000000004096.parquet`` holds every row of the log from number 1 to 4096: what
the folder has can be told from the names alone, on a disk or on S3, and a part is written once and never again.
(Not ``month=``: that is a column of the log, and readers that make columns of folders' names would take one for the
other.) Beside them lie ``served-….parquet``, which services write: their rows have numbers below zero, which no
database has.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from stages.common.errors import BeHealthyError
from stages.common.files import replacing

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_PART = re.compile(r"served_month=(\d{4}-\d{2})/part-(\d{12,})-(\d{12,})\.parquet")


class LogError(BeHealthyError):
    """The serving log cannot be exported into this folder."""


class Numbers(NamedTuple):
    """Numbers of rows, both ends among them."""

    first: int
    last: int


@dataclass(frozen=True)
class LogFolder:
    """Where the parts lie.

    Parameters
    ----------
    files : AbstractFileSystem
    root : str
    """

    files: AbstractFileSystem
    root: str

    def parts(self) -> dict[Numbers, str]:
        """Return what is there, by the numbers of the rows, in their order."""
        found = {}
        for path in self._paths():
            named = _PART.fullmatch("/".join(path.split("/")[-2:]))
            if named:
                found[Numbers(int(named[2]), int(named[3]))] = path
        return dict(sorted(found.items()))

    def has_rows(self) -> bool:
        """Tell whether there is any part, of a database or of a service."""
        return any(path.endswith(".parquet") for path in self._paths())

    def _paths(self) -> list[str]:
        self.files.invalidate_cache()
        return list(self.files.find(self.root)) if self.files.exists(self.root) else []

    def write(self, month: str, numbers: Numbers, table: pa.Table) -> None:
        """Write a part, whole or not at all: a new name on a disk, one PUT on S3."""
        self._write(f"served_month={month}/part-{numbers.first:012}-{numbers.last:012}.parquet", table)

    def add(self, month: str, table: pa.Table, name: str) -> bool:
        """Write rows that no database numbers as a part of their own, whole or not at all.

        Returns
        -------
        bool
            Whether it was written now; a part that the month has under this name is left as it is.
        """
        path = f"served_month={month}/served-{name}.parquet"
        self.files.invalidate_cache()
        if self.files.exists(f"{self.root}/{path}"):
            return False
        self._write(path, table)
        return True

    def _write(self, name: str, table: pa.Table) -> None:
        if self._is_local():
            with replacing(Path(self.root, name), private=True) as file:
                pq.write_table(table, file, compression="zstd")
            return
        content = io.BytesIO()
        pq.write_table(table, content, compression="zstd")
        self.files.pipe_file(f"{self.root}/{name}", content.getvalue())

    def last_row(self, path: str) -> dict[str, object]:
        """Return the last row of a part."""
        with self.files.open(path, "rb") as file:
            part = pq.ParquetFile(file)
            group = part.read_row_group(part.num_row_groups - 1, columns=["log_id", "served_at", "note"])
            row: dict[str, object] = group.slice(group.num_rows - 1).to_pylist()[0]
        return row

    def _is_local(self) -> bool:
        protocol = self.files.protocol
        return "file" in ((protocol,) if isinstance(protocol, str) else protocol)


def open_folder(place: str) -> LogFolder:
    """Return the folder of a path or URL."""
    from fsspec.core import url_to_fs

    files, root = url_to_fs(place)
    return LogFolder(files, root.rstrip("/"))


def gaps(covered: Iterable[Numbers], first: int, last: int) -> list[Numbers]:
    """Return what lies between two numbers and is not covered; `covered` is in order.

    >>> gaps([Numbers(1, 4), Numbers(5, 6), Numbers(9, 9)], 1, 12)
    [Numbers(first=7, last=8), Numbers(first=10, last=12)]
    """
    open_from, found = first, []
    for numbers in covered:
        if numbers.first > open_from:
            found.append(Numbers(open_from, min(numbers.first - 1, last)))
        open_from = max(open_from, numbers.last + 1)
    if open_from <= last:
        found.append(Numbers(open_from, last))
    return [gap for gap in found if gap.first <= gap.last]

"""Rows of CSV into a file of bytes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import IO


class Rows:
    """A table that is written as CSV: UTF-8, a header, lines that end in a line feed.

    Parameters
    ----------
    file : file of bytes
    columns : sequence of str
    """

    def __init__(self, file: IO[bytes], columns: Sequence[str]) -> None:
        self._text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        self._rows = csv.writer(self._text, lineterminator="\n")
        self._rows.writerow(columns)

    def write(self, rows: Iterable[Sequence[object]]) -> None:
        """Write rows; None is an empty field."""
        self._rows.writerows(rows)

    def close(self) -> None:
        """Write what is held back, and close the file."""
        self._text.close()

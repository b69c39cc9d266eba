"""A table of the hospital's own: which OMOP concept a term is."""

from __future__ import annotations

import csv
from pathlib import Path

from stages.common.errors import BeHealthyError

COLUMNS = ["term", "concept_id"]
_LARGEST = 2**31 - 1


def normal(term: str) -> str:
    """Return a term as it is looked up: without case, every white space one blank."""
    return " ".join(term.casefold().split())


def read_concepts(path: Path) -> dict[str, int]:
    """Read a CSV of the columns `term` and `concept_id`.

    Raises
    ------
    BeHealthyError
        When it is none, or a term has two concepts; names the line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            if (rows.fieldnames or [])[:2] != COLUMNS:
                raise _fault(path, 1, "the columns must be term,concept_id")
            concepts: dict[str, int] = {}
            for row in rows:
                _enter(concepts, row, path, rows.line_num)
    except (UnicodeDecodeError, csv.Error):
        raise BeHealthyError(f"{path} is no CSV in UTF-8: write it anew") from None
    return concepts


def _enter(concepts: dict[str, int], row: dict[str, str | None], path: Path, line: int) -> None:
    term, number = normal(row["term"] or ""), (row["concept_id"] or "").strip()
    if not term or not (number.isascii() and number.isdecimal()) or int(number) > _LARGEST:
        raise _fault(path, line, "a term and the number of its concept are needed")
    if concepts.setdefault(term, int(number)) != int(number):
        raise _fault(path, line, "the term has another concept in a line before")


def _fault(path: Path, line: int, problem: str) -> BeHealthyError:
    return BeHealthyError(f"{path}, line {line}: {problem}: correct it")

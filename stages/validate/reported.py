"""What prepare says that it wrote, against what is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stages.validate.findings import Finding, finding
from stages.validate.frames import Tables


def counted(tables: Tables) -> dict[str, int]:
    """Count what the report of prepare counts."""
    return {
        "documents": len(tables.documents),
        "sentences": len(tables.tokens[["document", "sentence"]].drop_duplicates()),
        "tokens": len(tables.tokens),
        "mentions": len(tables.mentions),
        "unaligned": int((~tables.mentions["aligned"]).sum()),
    }


def check_report(tables: Tables, report: Mapping[str, Any]) -> list[Finding]:
    """Compare the tables with `data/prepared/report.json`.

    Rows that are gone from all tables alike, or were added to all, show here only. A report that
    does not say how many there should be is a fault, too.
    """
    actual = counted(tables)
    said = {name: _sum(report, name) for name in actual}
    said["unaligned"] = _sum(report, "inside_token", "across_sentences")
    wrong = [name for name in actual if said[name] != actual[name]]
    if not wrong:
        return []
    counts = "; ".join(
        f"{'no' if said[name] is None else said[name]} {name} reported, {actual[name]} found" for name in wrong
    )
    summary = f"data/prepared/report.json and the tables disagree: {counts}. Run `dvc repro --force prepare`."
    return [finding("prepare_report", "error", len(wrong), summary)]


def _sum(report: Mapping[str, Any], *names: str) -> int | None:
    numbers = [number for number in map(report.get, names) if type(number) is int]
    return sum(numbers) if len(numbers) == len(names) else None

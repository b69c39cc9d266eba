"""The verdict as `metrics/validation.json` and as lines for a reader. Neither holds text of a note."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stages.common.files import write_json
from stages.common.wording import counted
from stages.prepare.annotated import told
from stages.validate.gate import GateVerdict

METRICS = Path("metrics/validation.json")
BESIDE_DATA_DOCS = Path("reports/data_docs/validation.json")
"""The verdict that the pages show, by which `delivery` tells whose they are."""


def metrics_of(verdict: GateVerdict) -> dict[str, Any]:
    """Return the verdict as metrics: deterministic, without identifiers of documents."""
    findings = verdict.findings
    return {
        "passed": verdict.passed,
        "errors": sum(entry.severity == "error" for entry in findings),
        "warnings": sum(entry.severity == "warning" for entry in findings),
        "expectations": {
            "evaluated": verdict.outcome.evaluated,
            "failed": sorted(entry.check for entry in verdict.outcome.failed),
        },
        "checks": {
            entry.check: {
                "severity": entry.severity,
                "count": entry.count,
                "message": entry.summary or f"{entry.count} found.",
            }
            for entry in findings
        },
        "documents": verdict.documents,
        "mentions": verdict.mentions,
        "prepare": verdict.prepare,
    }


def save(verdict: GateVerdict, path: Path = METRICS) -> None:
    """Write the metrics."""
    write_json(path, metrics_of(verdict))


def save_failure(error: BaseException, path: Path = METRICS) -> None:
    """Write that the gate could not be computed: not passed, whatever the reason."""
    name = type(error).__name__
    message = f"The gate could not be computed ({name}). Run `python -m stages.validate` to see why."
    content = {
        "passed": False,
        "errors": 1,
        "warnings": 0,
        "expectations": {"evaluated": 0, "failed": []},
        "checks": {"could_not_be_computed": {"severity": "error", "count": 1, "message": message}},
        "documents": {},
        "mentions": {},
        "prepare": {},
    }
    write_json(path, content)


def summary_of(verdict: GateVerdict) -> str:
    """Return lines to print: what failed, in which documents, and what to do."""
    lines = [f"{entry.severity:7} {entry.check}: {entry.message}" for entry in verdict.findings]
    left_out = [
        f"        marked, but no mention: {line}" for line in told(verdict.prepare.get("mentions_left_out", {}))
    ]
    errors = sum(entry.severity == "error" for entry in verdict.findings)
    word = "passed" if verdict.passed else "FAILED"
    numbers = {"expectation": verdict.outcome.evaluated, "error": errors, "warning": len(lines) - errors}
    counts = ", ".join(counted(number, noun) for noun, number in numbers.items())
    return "\n".join([*lines, *left_out, f"validate: {word} ({counts})"])

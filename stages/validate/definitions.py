"""What an expectation of the gate is made of, and what is to be done where one fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stages.validate.findings import Severity

PREPARE = "Repair stages/prepare and run `dvc repro prepare`"
SPLIT = "Give the batches one fixed split or none (batch.yaml), then `dvc repro prepare`"
ANNOTATE = "Add annotations of the label (`python -m annotation.add`), or change the bound in params.yaml"


@dataclass(frozen=True)
class Expectation:
    """One expectation; `kind` is its Great Expectations type without `expect_`."""

    name: str
    kind: str
    protects: str
    remedy: str
    options: dict[str, Any]
    severity: Severity = "error"


@dataclass(frozen=True)
class Suite:
    """The expectations on one data frame; `index` are the columns that say where a fault is."""

    name: str
    asset: str
    index: tuple[str, ...]
    notes: str
    expectations: tuple[Expectation, ...]


def flag(name: str, column: str, protects: str, remedy: str = PREPARE, severity: Severity = "error") -> Expectation:
    """Expect a column that `frames.py` computed to be true wherever it is known."""
    return Expectation(
        name, "column_values_to_be_in_set", protects, remedy, {"column": column, "value_set": [True]}, severity
    )


def parameter(name: str) -> dict[str, str]:
    """Refer to a bound that is known at the time of the run."""
    return {"$PARAMETER": name}

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
    """The expectations on one data frame; `index` is the column that says where a fault is."""

    name: str
    asset: str
    index: str | None
    notes: str
    expectations: tuple[Expectation, ...]


def parameter(name: str) -> dict[str, str]:
    """Refer to a bound that is known at the time of the run."""
    return {"$PARAMETER": name}

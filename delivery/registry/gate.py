"""What one gate says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["passed", "refused", "no champion yet", "not asked"]
"""Not asked: another gate, which needs no model, refuses already."""


@dataclass(frozen=True)
class Gate:
    """What one gate says.

    Parameters
    ----------
    name : str
    status : {"passed", "refused", "no champion yet", "not asked"}
    reason : str
        In words, with its numbers; where it refused, what to do.
    numbers : dict
    """

    name: str
    status: Status
    reason: str
    numbers: dict[str, Any] = field(default_factory=dict)


def missing(name: str, what: str) -> Gate:
    """Refuse, since a figure is not there."""
    return Gate(name, "refused", f"cannot be computed without {what}: run `dvc repro` and commit metrics/")

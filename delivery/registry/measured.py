"""Figures of a commit as gates take them: one that cannot be what it says it is counts as missing, which refuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd


def share(value: object) -> float | None:
    """Return a figure from 0 to 1, None where it is none.

    >>> share(0.25), share(1), share(-5.0), share(float("nan")), share("0.1"), share(True)
    (0.25, 1.0, None, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        return None
    return float(value)


def accepted_counts(counts: pd.DataFrame | None) -> pd.DataFrame | None:
    """Return a table of documents with what is accepted and right, None where it is none of such counts."""
    if counts is None or not {"label", "tp", "fp", "accepted", "right"} <= set(counts.columns):
        return None
    numbers = counts[["tp", "fp", "accepted", "right"]].to_numpy()
    if not np.issubdtype(numbers.dtype, np.integer) or (numbers < 0).any():
        return None
    right, accepted, predicted = counts["right"], counts["accepted"], counts["tp"] + counts["fp"]
    return counts if ((right <= accepted) & (accepted <= predicted) & (right <= counts["tp"])).all() else None


def behaviour_table(metrics: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return ``kind, cases, passed, rate`` by capability, from flat metrics."""
    table: dict[str, dict[str, Any]] = {}
    for key, value in metrics.items():
        room, _, rest = key.partition(".")
        capability, _, column = rest.rpartition(".")
        if room == "behaviour" and capability:
            table.setdefault(capability, {})[column] = value
    return table


def outcome(row: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return how many cases of a capability passed and how many did not, None where that cannot be told."""
    passed, cases = row.get("passed"), row.get("cases")
    if type(cases) is int and not cases:
        return 0, 0
    if type(passed) is not int or type(cases) is not int or not 0 <= passed <= cases:
        return None
    return passed, cases - passed

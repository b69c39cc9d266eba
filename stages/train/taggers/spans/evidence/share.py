"""The share that a count is of another, as evidence gives it."""

from __future__ import annotations

from stages.common.compiled import kernel


@kernel(inner=True)
def smoothed(part: int, whole: int, prior: float) -> float:
    """Return the share of `part` in `whole`, smoothed by one observation of the prior."""
    return (part + prior) / (whole + 1.0)

"""What the steps of the work by hand take a person: measured where it was measured, assumed elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from stages.evaluate.params import KpiParams


@dataclass(frozen=True)
class StepTime:
    """What one step takes.

    Parameters
    ----------
    minutes : float
    source : {"measured", "assumed"}
    measured : tuple of float
        Minutes of each note that was measured; fewer than the parameter asks for leave the assumption in place.
    """

    minutes: float
    source: Literal["measured", "assumed"] = "assumed"
    measured: tuple[float, ...] = ()

    def drawn(self, resamples: int, generator: np.random.Generator) -> float | NDArray[np.float64]:
        """Return medians of notes drawn with replacement; an assumption stays what it is."""
        if self.source == "assumed":
            return self.minutes
        notes = np.asarray(self.measured)
        return np.array([np.median(generator.choice(notes, len(notes))) for _ in range(resamples)])

    def as_dict(self) -> dict[str, Any]:
        """Return the value, where it comes from and how many notes were measured."""
        return {"value": self.minutes, "source": self.source, "notes": len(self.measured)}


@dataclass(frozen=True)
class StepTimes:
    """Minutes of every step.

    Parameters
    ----------
    entry : StepTime
        Typing the mentions of a note.
    validation : StepTime
        Reading a note against what was extracted.
    review : StepTime
        Deciding on one mention or suggestion.
    """

    entry: StepTime
    validation: StepTime
    review: StepTime

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Return each step by its name."""
        return {name: step.as_dict() for name, step in vars(self).items()}


def step_times(
    params: KpiParams,
    *,
    entry: Sequence[float] = (),
    validation: Sequence[float] = (),
    review: Sequence[float] = (),
) -> StepTimes:
    """Take for each step by itself the median of the measured times, or the assumption where too few were measured.

    Pauses and open tabs make a mean meaningless.

    Parameters
    ----------
    params : KpiParams
    entry, validation, review : sequence of float
        Measured seconds: of a note, of a note, of a decision (averaged over those of a note); NaN where there is none.
    """
    return StepTimes(
        _step_time(entry, params.entry_minutes, params.measured_notes),
        _step_time(validation, params.validation_minutes, params.measured_notes),
        _step_time(review, params.review_seconds / 60, params.measured_notes),
    )


def _step_time(seconds: Sequence[float], assumed: float, least: int) -> StepTime:
    values = np.asarray(seconds, dtype=np.float64)
    measured = values[~np.isnan(values)] / 60
    if len(measured) < least:
        return StepTime(assumed, "assumed", tuple(measured.tolist()))
    return StepTime(float(np.median(measured)), "measured", tuple(measured.tolist()))

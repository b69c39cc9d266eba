"""The section `evaluate` of `params.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from stages.common.params import PARAMS, Positive, Section, Seed, Share, load_section

Amount = Annotated[float, Field(ge=0, le=10_000)]
"""Of minutes or seconds: beyond, a product of it is no number, and nothing would be said to be saved."""


class KpiParams(Section):
    """What the work by hand costs; assumptions until an organisation puts its own figures in.

    Minutes and seconds give way, each by itself, to the measured median where `measured_notes` notes or more were
    measured.
    """

    entry_minutes: Amount
    measured_notes: Positive
    validation_minutes: Amount
    review_seconds: Amount
    error_rate: Share
    automation_bias: Share


class EvaluateParams(Section):
    """How uncertainty is computed, and what manual work is compared with."""

    resamples: Positive
    seed: Seed
    kpi: KpiParams


def load_params(path: Path = PARAMS) -> EvaluateParams:
    """Read and check the section `evaluate`."""
    return load_section("evaluate", EvaluateParams, path)

"""The section `review` of `params.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from stages.common.params import PARAMS, Positive, Section, Share, load_section


class ReviewParams(Section):
    """What people's time there is, and how it is spread over notes."""

    weekly_minutes: Annotated[float, Field(ge=0, le=100_000)]
    floor: Annotated[float, Field(ge=0, le=0.25)]  # of four strata
    double: Share
    claim_minutes: Annotated[float, Field(gt=0, le=100_000)]
    characters_per_second: Annotated[float, Field(gt=0, le=10_000)]
    measured_reviews: Positive
    pause_seconds: Annotated[float, Field(ge=5, le=3600)]


def load_params(path: Path = PARAMS) -> ReviewParams:
    """Read and check the section `review`."""
    return load_section("review", ReviewParams, path)

"""The section `monitor` of `params.yaml`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from stages.common.params import PARAMS, Positive, Section, Seed, load_section
from stages.common.tables import SERVING_LOG


class Bands(Section):
    """Lower ends of the decision bands, in percent."""

    watch: float
    retrain: float
    alert: float
    redevelop: float

    @model_validator(mode="after")
    def _ascend(self) -> Self:
        if not 0 < self.watch < self.retrain < self.alert < self.redevelop <= 100:
            raise ValueError("the bands must ascend: 0 < watch < retrain < alert < redevelop <= 100")
        return self


class MonitorParams(Section):
    """What is watched in production, and from where on something is done about it."""

    columns: Annotated[list[str], Field(min_length=1)]
    bands: Bands
    minimum_notes: Positive
    resamples: Positive
    significance: Annotated[float, Field(gt=0, lt=1)]
    seed: Seed

    @model_validator(mode="after")
    def _watch_what_is_logged(self) -> Self:
        for column in self.columns:
            if column not in SERVING_LOG.names or column == "note":
                raise ValueError(f"{column} is no column of the serving log that can be watched")
        if len(set(self.columns)) < len(self.columns):
            raise ValueError("a column is watched twice")
        return self

    @model_validator(mode="after")
    def _resample_enough(self) -> Self:
        least = math.ceil(len(self.columns) / self.significance)
        if self.resamples < least:
            raise ValueError(f"nothing could ever count: resamples must be at least {least} (columns / significance)")
        return self


def load_params(path: Path = PARAMS) -> MonitorParams:
    """Read and check the section `monitor`."""
    return load_section("monitor", MonitorParams, path)

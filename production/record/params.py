"""The section `record` of `params.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import model_validator

from stages.common.params import PARAMS, Section, load_section


class RecordParams(Section):
    """Which labels the record pairs: those of its side of diseases, and of its side of treatments."""

    disease: str
    treatment: str

    @model_validator(mode="after")
    def _sides_differ(self) -> Self:
        if self.disease == self.treatment:
            raise ValueError("both sides of the record are one label")
        return self


def load_params(path: Path = PARAMS) -> RecordParams:
    """Read and check the section `record`."""
    return load_section("record", RecordParams, path)

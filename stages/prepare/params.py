"""The section `prepare` of `params.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from stages.common.params import PARAMS, Positive, Section, Share, load_section


class PrepareParams(Section):
    """What goes in, and how it is split."""

    batches: list[str]
    sentences_per_document: Positive
    dev: Share
    test: Share
    near_duplicate: Annotated[float, Field(gt=0, le=1)]
    copied: Annotated[float, Field(gt=0, le=1)]
    salt: str

    @model_validator(mode="after")
    def _leave_something_to_train_on(self) -> Self:
        if len(set(self.batches)) < len(self.batches):
            raise ValueError("batches names one batch twice")
        if self.dev + self.test >= 1:
            raise ValueError("dev + test must be below 1: nothing would be left to train on")
        return self


def load_params(path: Path = PARAMS) -> PrepareParams:
    """Read and check the section `prepare`."""
    return load_section("prepare", PrepareParams, path)

"""The sections of `params.yaml` that the gate goes by: its own, and that of prepare, whose work it checks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from stages.common.labels import LabelList
from stages.common.params import PARAMS, Positive, Section, Share, load_sections
from stages.prepare.params import PrepareParams


class ValidateParams(Section):
    """Bounds of the gate."""

    sentence_tokens: Positive
    label_share: Annotated[list[Share], Field(min_length=2, max_length=2)]
    mentions_per_label: Annotated[int, Field(ge=0)]
    aligned_share: Share

    @model_validator(mode="after")
    def _bounds_ascend(self) -> Self:
        if self.label_share[0] > self.label_share[1]:
            raise ValueError("label_share must be [lowest, highest]")
        return self


class GateParams(Section):
    """What the gate knows: the labels, how prepare was told to work, and the bounds."""

    labels: LabelList
    prepare: PrepareParams
    validate_: Annotated[ValidateParams, Field(alias="validate")]


def load_params(path: Path = PARAMS) -> GateParams:
    """Read and check `labels` and the sections `prepare` and `validate`."""
    return load_sections(GateParams, path)

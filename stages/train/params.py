"""The section `train` of `params.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from stages.common.params import PARAMS, Positive, Section, Seed, load_section


class CrfParams(Section):
    """The averaged passive-aggressive CRF."""

    runs: Positive
    iterations: Positive
    aggressiveness: Annotated[float, Field(gt=0, allow_inf_nan=False)]


class SpanParams(Section):
    """The trees that judge the spans which the CRF proposes."""

    folds: Annotated[int, Field(ge=2)]
    trees: Positive
    leaves: Annotated[int, Field(ge=2, le=64)]
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)]


class TokenLogisticParams(Section):
    """Multinomial logistic regression of the tag of one token."""

    c: Annotated[float, Field(gt=0)]
    iterations: Positive
    transitions: Annotated[float, Field(ge=0)]


class TokenAutomlParams(Section):
    """The leaderboard of token classifiers, and the tuning of the one that is kept."""

    components: Positive
    attributes: Positive
    tokens: Positive
    folds: Annotated[int, Field(ge=2)]
    tunings: Annotated[int, Field(ge=0)]


class AcceptanceParams(Section):
    """What is promised to those who no longer check."""

    precision: Annotated[float, Field(gt=0, lt=1)]
    whole: Annotated[float, Field(gt=0, lt=1)]
    risk: Annotated[float, Field(gt=0, lt=1)]
    start: Annotated[float, Field(ge=0, le=1)]
    suggestion: Annotated[float, Field(gt=0, le=1)]
    models: list[str]
    tunings: Annotated[int, Field(ge=0)]


class TrainParams(Section):
    """Model family and its settings."""

    family: Literal["stacked", "crf", "token-logistic", "token-automl"]
    seed: Seed
    learning_curve: list[Annotated[float, Field(gt=0, lt=1)]]
    crf: CrfParams
    span: SpanParams
    acceptance: AcceptanceParams

    @model_validator(mode="after")
    def _curve_ascends(self) -> Self:
        if sorted(set(self.learning_curve)) != self.learning_curve:
            raise ValueError("learning_curve must ascend")
        return self

    token_logistic: TokenLogisticParams
    token_automl: TokenAutomlParams


def load_params(path: Path = PARAMS) -> TrainParams:
    """Read and check the section `train`."""
    return load_section("train", TrainParams, path)

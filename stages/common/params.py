"""`params.yaml`, typed: an unknown key or an ill-typed value is an error that names the key."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from stages.common.errors import ParameterError
from stages.common.files import parse_yaml
from stages.common.labels import INPUT_COLUMNS, MENTIONS, LabelList, count_column, model_columns

Share = Annotated[float, Field(ge=0, le=1)]
_LARGEST = 2**31 - 1  # the compiled libraries hold counts and seeds in 32 bits
Positive = Annotated[int, Field(ge=1, le=_LARGEST)]
Seed = Annotated[int, Field(ge=0, le=_LARGEST)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class PrepareParams(_Section):
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


class ValidateParams(_Section):
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


class FeaturizeParams(_Section):
    """What is learned from the training text before any label is looked at."""

    minimum_count: Positive
    named_documents: Positive
    clusters: list[Positive]
    topic_clusters: list[Positive]
    epochs: Positive
    terminology: str | None
    seed: Seed


class CrfParams(_Section):
    """The averaged passive-aggressive CRF."""

    runs: Positive
    iterations: Positive
    aggressiveness: Annotated[float, Field(gt=0, allow_inf_nan=False)]


class SpanParams(_Section):
    """The trees that judge the spans which the CRF proposes."""

    folds: Annotated[int, Field(ge=2)]
    trees: Positive
    leaves: Annotated[int, Field(ge=2, le=64)]
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)]


class TokenLogisticParams(_Section):
    """Multinomial logistic regression of the tag of one token."""

    c: Annotated[float, Field(gt=0)]
    iterations: Positive
    transitions: Annotated[float, Field(ge=0)]


class TokenAutomlParams(_Section):
    """The leaderboard of token classifiers, and the tuning of the one that is kept."""

    components: Positive
    attributes: Positive
    tokens: Positive
    folds: Annotated[int, Field(ge=2)]
    tunings: Annotated[int, Field(ge=0)]


class AcceptanceParams(_Section):
    """What is promised to those who no longer check."""

    precision: Annotated[float, Field(gt=0, lt=1)]
    risk: Annotated[float, Field(gt=0, lt=1)]
    suggestion: Annotated[float, Field(gt=0, le=1)]
    models: list[str]
    tunings: Annotated[int, Field(ge=0)]


class KpiParams(_Section):
    """What the work by hand costs; assumptions until an organisation puts its own figures in.

    `entry_minutes` gives way to the measured median where `measured_notes` notes or more were measured.
    """

    entry_minutes: Annotated[float, Field(ge=0)]
    measured_notes: Positive
    validation_minutes: Annotated[float, Field(ge=0)]
    review_seconds: Annotated[float, Field(ge=0)]
    error_rate: Share


class TrainParams(_Section):
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


class EvaluateParams(_Section):
    """How uncertainty is computed, and what manual work is compared with."""

    resamples: Positive
    seed: Seed
    kpi: KpiParams


class Bands(_Section):
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


class MonitorParams(_Section):
    """What is watched in production, and from where on something is done about it."""

    columns: Annotated[list[str], Field(min_length=1)]
    bands: Bands
    minimum_notes: Positive
    resamples: Positive
    significance: Annotated[float, Field(gt=0, lt=1)]
    seed: Seed

    def watching(self, labels: Sequence[str]) -> Self:
        """Return the same with the count of each label in place of `mentions`.

        Raises
        ------
        ValueError
            When a column is none of the serving log of these labels or is watched twice, or when there are too
            few resamples for so many.
        """
        counts = [count_column(label) for label in labels]
        columns = [name for column in self.columns for name in (counts if column == MENTIONS else [column])]
        known = {*INPUT_COLUMNS, *model_columns(labels)} - {"note"}
        for column in columns:
            if column not in known:
                raise ValueError(f"columns: {column} is no column of the serving log that can be watched")
        if len(set(columns)) < len(columns):
            raise ValueError("columns: a column is watched twice")
        least = math.ceil(len(columns) / self.significance)
        if self.resamples < least:
            raise ValueError(f"resamples must be at least {least} (columns / significance): nothing could ever count")
        return self.model_copy(update={"columns": columns})


class RecordParams(_Section):
    """Which labels the record pairs: those of its side of diseases, and of its side of treatments."""

    disease: str
    treatment: str

    @model_validator(mode="after")
    def _sides_differ(self) -> Self:
        if self.disease == self.treatment:
            raise ValueError("both sides of the record are one label")
        return self


class Params(_Section):
    """The whole of `params.yaml`."""

    labels: LabelList
    prepare: PrepareParams
    validate_: Annotated[ValidateParams, Field(alias="validate")]
    featurize: FeaturizeParams
    train: TrainParams
    evaluate: EvaluateParams
    monitor: MonitorParams
    record: RecordParams

    @model_validator(mode="after")
    def _watch_what_is_logged(self) -> Self:
        try:
            self.monitor.watching(self.labels)
        except ValueError as error:
            raise ValueError(f"monitor.{error}") from None
        return self


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check the parameters.

    Raises
    ------
    ParameterError
        Names every key at fault and what is wrong with it.
    """
    try:
        content = parse_yaml(path.read_bytes())
    except FileNotFoundError:
        raise ParameterError(f"{path} is missing: run from the root of the repository") from None
    except yaml.YAMLError as error:
        raise ParameterError(f"{path} is not valid YAML: {error}") from None
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'the file'}: {fault['msg']}" for fault in error.errors()
        )
        raise ParameterError(f"{path}: {faults}") from None

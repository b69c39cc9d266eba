"""The section `monitor` of `params.yaml`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from stages.common.labels import ASSERTION_COLUMNS, ASSERTIONS, INPUT_COLUMNS, MENTIONS, count_column, model_columns
from stages.common.params import PARAMS, Positive, Section, Seed, load_section


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
    slices: list[Literal["note_type", "speciality", "sex", "age_band"]]
    bands: Bands
    minimum_notes: Positive
    significance: Annotated[float, Field(gt=0, lt=1)]
    yearly_significance: Annotated[float, Field(gt=0, lt=1)]
    windows_per_year: Positive
    runs: Annotated[list[Positive], Field(min_length=1)]
    seed: Seed

    @model_validator(mode="after")
    def _runs_ascend(self) -> Self:
        if self.runs[0] != 1 or sorted(set(self.runs)) != self.runs:
            raise ValueError("runs: numbers of windows, ascending, from 1 on")
        return self

    def watching(self, labels: Sequence[str]) -> Self:
        """Return the same with the count of each label in place of `mentions`, and so of `assertions`.

        Raises
        ------
        ValueError
            When a column is none of the serving log of these labels or is watched twice.
        """
        groups = {MENTIONS: [count_column(label) for label in labels], ASSERTIONS: list(ASSERTION_COLUMNS)}
        columns = [name for column in self.columns for name in groups.get(column, [column])]
        known = {*INPUT_COLUMNS, *model_columns(labels)} - {"note"}
        for column in columns:
            if column not in known:
                raise ValueError(f"columns: {column} is no column of the serving log that can be watched")
        if len(set(columns)) < len(columns):
            raise ValueError("columns: a column is watched twice")
        return self.model_copy(update={"columns": columns})


def load_params(path: Path = PARAMS) -> MonitorParams:
    """Read and check the section `monitor`."""
    return load_section("monitor", MonitorParams, path)

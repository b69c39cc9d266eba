"""The whole of `params.yaml`, for rooms that need more than one section; a stage loads its own.

No stage imports this module: it would depend on the parameters of all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import model_validator

from stages.common.params import PARAMS, load_sections
from stages.evaluate.params import EvaluateParams
from stages.featurize.params import FeaturizeParams
from stages.monitor.params import MonitorParams
from stages.train.params import TrainParams
from stages.validate.params import GateParams


class Params(GateParams):
    """Every section."""

    featurize: FeaturizeParams
    train: TrainParams
    evaluate: EvaluateParams
    monitor: MonitorParams

    @model_validator(mode="after")
    def _watch_what_is_logged(self) -> Self:
        try:
            self.monitor.watching(self.labels)
        except ValueError as error:
            raise ValueError(f"monitor.{error}") from None
        return self


def load_params(path: Path = PARAMS) -> Params:
    """Read and check every section.

    Raises
    ------
    ParameterError
        Names every key at fault and what is wrong with it.
    """
    return load_sections(Params, path)

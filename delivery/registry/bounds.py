"""The bounds of the gates, as `delivery/registry/gate.yaml` of a trusted commit has them."""

from __future__ import annotations

from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from delivery.errors import DeliveryError
from stages.common.files import parse_yaml

Share = Annotated[float, Field(ge=0, le=1)]


class Bounds(BaseModel):
    """`delivery/registry/gate.yaml`."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    calibration_error: Share
    significance: Annotated[float, Field(gt=0, lt=1)]
    margin: Share
    label_margin: Share
    accepted_margin: Share
    estimate: Annotated[float, Field(ge=-1, le=1)]
    confidence: Annotated[float, Field(gt=0.5, lt=1)]
    minimum_functionality: Share
    minimum_documents: Annotated[int, Field(ge=1)]
    resamples: Annotated[int, Field(ge=100)]
    seed: Annotated[int, Field(ge=0)]
    throughput: Share
    rounds: Annotated[int, Field(ge=1)]
    round_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)]


def read_bounds(content: bytes, name: str) -> Bounds:
    """Read the bounds from the content of a file.

    Parameters
    ----------
    content : bytes
        UTF-8, YAML.
    name : str
        Of the file, for errors.

    Raises
    ------
    DeliveryError
        Names the file and every key at fault: without bounds nothing is promoted.
    """
    try:
        return Bounds.model_validate(parse_yaml(content))
    except yaml.YAMLError as error:
        raise DeliveryError(f"{name} cannot be read ({type(error).__name__}): restore it with git checkout") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'the file'}: {e['msg']}" for e in error.errors())
        raise DeliveryError(f"{name}: {faults}") from None

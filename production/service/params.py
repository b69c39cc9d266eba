"""The section `service` of `params.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from stages.common.params import PARAMS, Positive, Section, load_section

Seconds = Annotated[float, Field(gt=0, le=3600)]


class ServiceParams(Section):
    """What a request may cost."""

    note_bytes: Positive
    request_bytes: Positive
    request_notes: Positive
    note_seconds: Seconds
    request_seconds: Seconds
    waiting: Positive

    @property
    def arrival_seconds(self) -> float:
        """Seconds of a request for its header to arrive, and as many for its body."""
        return self.request_seconds / 3


def load_params(path: Path = PARAMS) -> ServiceParams:
    """Read and check the section `service`."""
    return load_section("service", ServiceParams, path)

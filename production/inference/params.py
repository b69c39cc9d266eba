"""The section `inference` of `params.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from stages.common.params import PARAMS, Positive, Section, Share, load_section

Seconds = Annotated[float, Field(gt=0, le=86_400)]


class InferenceParams(Section):
    """What one note and one batch may take, and how often the worker looks around."""

    note_characters: Positive
    token_characters: Positive
    note_seconds: Seconds
    note_megabytes: Positive
    batch: Positive
    batch_seconds: Seconds
    champion_seconds: Seconds
    poll_seconds: Seconds
    log_rate: Share


def load_params(path: Path = PARAMS) -> InferenceParams:
    """Read and check the section `inference`."""
    return load_section("inference", InferenceParams, path)

"""The section `watch` of `params.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from production.watch.names import LOOPBACK
from stages.common.params import PARAMS, Positive, Section, load_section

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Days = Annotated[float, Field(ge=0, le=3660)]
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]


def _server(given: str) -> str:
    if not given:
        return given
    parts = urlsplit(given)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("write https://host, and no more than a path")
    if parts.username or parts.password:
        raise ValueError("no user and no password here: the file is in git")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError("http would show the token to the network: write https")
    return given.rstrip("/")


class TriggerParams(Section):
    """What starts a retraining; of the other keys each kind reads its own."""

    kind: Literal["none", "github", "airflow", "command"]
    event: Word
    url: Annotated[str, AfterValidator(_server)]
    dag: Word
    words: list[str]
    seconds: Seconds

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Self:
        if self.kind == "airflow" and not self.url:
            raise ValueError("kind airflow needs a url")
        if self.kind == "command" and not self.words:
            raise ValueError("kind command needs words")
        return self


class WatchParams(Section):
    """What follows from what the watch finds, and how it is told."""

    window: Annotated[str, Field(pattern=r"^(day|week|count-[1-9][0-9]{1,8})$")]
    reference_notes: Positive
    reference_windows: Positive
    cooldown_days: Days
    retraining_days: Days
    remind_days: Days
    issues: bool
    trigger: TriggerParams
    send_seconds: Seconds
    retry_seconds: Seconds
    longest_retry_seconds: Seconds
    give_up_attempts: Positive
    poll_seconds: Seconds


def load_params(path: Path = PARAMS) -> WatchParams:
    """Read and check the section `watch`."""
    return load_section("watch", WatchParams, path)

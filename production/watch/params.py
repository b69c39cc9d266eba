"""The section `watch` of `params.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from stages.common.params import PARAMS, Positive, Section, load_section

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Days = Annotated[float, Field(ge=0, le=3660)]
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def _server(given: str) -> str:
    parts = urlsplit(given)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("write https://host, and no more than a path")
    if parts.username or parts.password:
        raise ValueError("no user and no password here: the file is in git")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError("http would show the token to the network: write https")
    return given.rstrip("/")


class NoTrigger(Section):
    """Nothing is started; a decision says that it would have been."""

    kind: Literal["none"]


class GitHubTrigger(Section):
    """A `repository_dispatch` of this type."""

    kind: Literal["github"]
    event: Word


class AirflowTrigger(Section):
    """A run of a DAG; who may start it stands in the environment."""

    kind: Literal["airflow"]
    url: Annotated[str, AfterValidator(_server)]
    dag: Word


class CommandTrigger(Section):
    """A command of this machine, word by word; no shell."""

    kind: Literal["command"]
    words: Annotated[list[str], Field(min_length=1)]
    seconds: Seconds


Trigger = Annotated[NoTrigger | GitHubTrigger | AirflowTrigger | CommandTrigger, Field(discriminator="kind")]


class WatchParams(Section):
    """What follows from what the watch finds, and how it is told."""

    cooldown_days: Days
    retraining_days: Days
    remind_days: Days
    issues: bool
    trigger: Trigger
    send_seconds: Seconds
    retry_seconds: Seconds
    longest_retry_seconds: Seconds
    give_up_attempts: Positive
    poll_seconds: Seconds


def load_params(path: Path = PARAMS) -> WatchParams:
    """Read and check the section `watch`."""
    return load_section("watch", WatchParams, path)

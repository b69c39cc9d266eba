"""Whether every channel has what it needs, before anything is sent."""

from __future__ import annotations

import os
from collections.abc import Mapping

from production.watch.channels import addresses
from production.watch.notifying import plugin_of
from production.watch.params import WatchParams
from stages.common.errors import BeHealthyError
from stages.common.variables import AIRFLOW_PASSWORD, AIRFLOW_TOKEN, AIRFLOW_USER

_GITHUB = ("GITHUB_TOKEN", "GITHUB_REPOSITORY")


def check_channels(params: WatchParams, environment: Mapping[str, str] = os.environ) -> None:
    """Make sure, before anything is sent, that every channel has what it needs.

    Raises
    ------
    BeHealthyError
        Names what is missing or wrong, without any address.
    """
    for name, url in addresses(environment).items():
        plugin_of(name, url)
    missing = [name for name in _needed(params, environment) if not environment.get(name)]
    if missing:
        raise BeHealthyError(f"{' and '.join(missing)} not set: the section `watch` of params.yaml needs it")


def _needed(params: WatchParams, environment: Mapping[str, str]) -> tuple[str, ...]:
    github = _GITHUB if params.issues or params.trigger.kind == "github" else ()
    token = params.trigger.kind == "airflow" and not environment.get(AIRFLOW_TOKEN)
    return (*github, *((AIRFLOW_USER, AIRFLOW_PASSWORD) if token else ()))

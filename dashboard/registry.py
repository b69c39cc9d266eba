"""What the registry has of champion and challenger, and the ledger, read within seconds or not at all."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import streamlit as st

from delivery.errors import DeliveryError
from delivery.lineage import lineage
from delivery.registry.registry import CHALLENGER, CHAMPION, Entry, evidence, is_unwritten, ledger, version_with_alias
from delivery.registry.server import MODEL, connect, server_session, shown, tracking_uri
from production.deadline import within

SECONDS = 20.0
"""Until a page goes on without the registry; importing MLflow alone takes some of them, the first time."""


@dataclass(frozen=True)
class Registered:
    """The registered model.

    Parameters
    ----------
    champion, challenger : dict or None
        As `delivery.lineage.lineage` returns it, with the numbers of its last verdict as `evidence`, None where the
        server does not have them any more; None where no version has the alias.
    ledger : list of Entry
        In order of time.
    versions : list of int
        All there are.
    """

    champion: dict[str, Any] | None
    challenger: dict[str, Any] | None
    ledger: list[Entry]
    versions: list[int]


@st.cache_data(ttl=30, show_spinner="Asking the registry.")
def registered() -> Registered | None:
    """Read the registry; None where nothing was ever registered.

    Raises
    ------
    DeliveryError
        When it does not answer in time, or a version is of no known commit.
    """
    if is_unwritten():
        return None
    # What a person waits for is tried twice and given up: the defaults are for commands.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    late = DeliveryError(
        f"the tracking server {shown(tracking_uri())} does not answer within {SECONDS:g} s: see that it runs (`make"
        " mlflow` starts one here), or correct MLFLOW_TRACKING_URI"
    )
    return within(SECONDS, _read, late)


def _read() -> Registered:
    with server_session():
        client = connect()
        lines = ledger(client)
        champion, challenger = (_version(client, alias, lines) for alias in (CHAMPION, CHALLENGER))
        versions = sorted(int(one.version) for one in client.search_model_versions(f"name='{MODEL}'"))
        return Registered(champion, challenger, lines, versions)


def _version(client: Any, alias: str, lines: list[Entry]) -> dict[str, Any] | None:
    version = version_with_alias(client, alias)
    if version is None:
        return None
    number = int(version.version)
    judged = [line for line in lines if line.version == number and line.event != "rolled back"]
    return {**lineage(number, client), "evidence": evidence(client, version, judged[-1]) if judged else None}

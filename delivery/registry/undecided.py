"""Whether a version still waits for its verdict: asked again and again, a pipeline must not judge it each time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from delivery.errors import DeliveryError
from delivery.registry.registry import (
    CHALLENGER,
    CHAMPION,
    PROMOTING,
    Entry,
    ledger,
    version_of_commit,
    version_with_alias,
)
from delivery.revision.revision import Revision

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion


def version_of_revision(client: MlflowClient, revision: Revision) -> ModelVersion:
    """Return the version that was registered for a commit.

    Raises
    ------
    DeliveryError
        When none was.
    """
    digest = revision.hashes().get("models")
    version = digest and version_of_commit(client, str(revision.sha), digest)
    if not version:
        raise DeliveryError(f"no version is of commit {revision.name}: `python -m delivery.register` makes one")
    return version


def why_decided(client: MlflowClient, version: ModelVersion) -> str:
    """Say why a version needs no verdict; empty where it waits for one.

    One that is or was champion has had its verdict: it comes back by a rollback only. One that was refused is judged
    again when there is another champion to compare it with.
    """
    champion = version_with_alias(client, CHAMPION)
    if champion is not None and champion.version == version.version:
        return "it is the champion"
    before = int(champion.version) if champion else None
    entries = ledger(client)
    mine = [entry for entry in entries if entry.version == int(version.version)]
    changes = [entry for entry in entries if entry.event != "refused"]
    if changes and changes[-1] in mine and PROMOTING in version.tags:
        return ""  # written into the ledger, but not made champion: whoever promoted it was ended between
    if passed := [entry for entry in mine if entry.event != "refused"]:
        return f"it was champion already (ledger {passed[-1].number})"
    refused = [entry for entry in mine if entry.previous == before]
    return _refusal(refused[-1]) if refused else ""


def is_next(client: MlflowClient, version: ModelVersion) -> bool:
    """Tell whether a version is to be challenger: asked every day, an old one must not take that from a later one."""
    challenger = version_with_alias(client, CHALLENGER)
    return not why_decided(client, version) and int(challenger.version if challenger else 0) <= int(version.version)


def _refusal(entry: Entry) -> str:
    return f"it was refused (ledger {entry.number}): {'; '.join(entry.reasons)}"

"""Versions of the working tree's model in a registry, as `delivery.register` makes them, of made-up commits."""

from __future__ import annotations

from mlflow import MlflowClient

from delivery.registry.model import MD5, log_extractor
from delivery.registry.registry import SHA, ensure_registered_model
from delivery.registry.server import MODEL
from delivery.revision.hashes import folder_md5
from tests.repository import ROOT


def add_version(client: MlflowClient, commit: str, *, alias: str | None = None, artifacts: str | None = None) -> None:
    """Register the model of the working tree as that of a commit.

    Parameters
    ----------
    client : MlflowClient
        Of the server that the environment names.
    commit : str
        40 hexadecimal digits.
    alias : str, optional
        That the version gets.
    artifacts : str, optional
        Address where the models of the server go, if it is the first; its own place by default.
    """
    ensure_registered_model(client, MODEL, "")
    known = client.get_experiment_by_name("behealthy")
    experiment = known.experiment_id if known else client.create_experiment("behealthy", artifact_location=artifacts)
    run = client.create_run(experiment).info.run_id
    source = log_extractor(ROOT / "models", run_id=run, root=ROOT)
    tags = {SHA: commit, MD5: folder_md5(ROOT / "models")}
    version = client.create_model_version(MODEL, source, run, tags=tags, model_id=source.removeprefix("models:/"))
    if alias is not None:
        client.set_registered_model_alias(MODEL, alias, version.version)

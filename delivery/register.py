"""Register the model of a commit as challenger: ``python -m delivery.register [--rev HEAD]``.

Each step can be done twice, so that whatever ended in the middle is mended by running it again: the run of the
commit is found or made, the model is logged or found, its bytes are read back and compared, and only then is there
a version, and only a whole version gets an alias.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from delivery.errors import DeliveryError
from delivery.registry.card import card_of, summary_of
from delivery.registry.lease import claimed
from delivery.registry.registry import (
    CHALLENGER,
    SHA,
    download,
    download_source,
    ensure_registered_model,
    version_of_commit,
)
from delivery.registry.server import MODEL, connect, server_session
from delivery.registry.tracking import MODEL as LOGGED
from delivery.registry.tracking import Content, track
from delivery.registry.undecided import is_next
from delivery.revision.dvc_files import DvcFiles
from delivery.revision.graph import Graph
from delivery.revision.revision import Revision, resolve
from stages.common.command import run_command

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

_DATA = ("data/annotations", "data/prepared", "data/features", "models")


def register(revision: Revision, client: MlflowClient) -> ModelVersion:
    """Register the model of a commit and make it challenger, if it waits for a verdict and no later one does.

    Raises
    ------
    DeliveryError
        When the commit's results are not those of its code, data and parameters; when DVC has not its model; when
        what the server keeps is not what was sent.
    """
    digest = _checked(revision)
    run_id = track(revision, client=client)
    ensure_registered_model(client, MODEL, "Marks mentions in clinical notes; a version's card says of which labels.")
    with claimed(client) as claim, tempfile.TemporaryDirectory() as folder:
        version = version_of_commit(client, str(revision.sha), digest)
        if version is None:
            source = _stored(revision, digest, run_id, Path(folder), client)
            claim.check()
            version = client.create_model_version(
                MODEL,
                source,
                run_id,
                tags=lineage_tags(revision),
                model_id=source.removeprefix("models:/"),
                await_creation_for=0,
            )
        download(client, version, Path(folder) / "version")
        _describe(client, revision, version)
        if is_next(client, version):
            claim.check()
            client.set_registered_model_alias(MODEL, CHALLENGER, version.version)
    return client.get_model_version(MODEL, version.version)


def lineage_tags(revision: Revision) -> dict[str, str]:
    """Return what a version says of where it comes from."""
    hashes, metrics = revision.hashes(), revision.metrics()
    wanted = {f"{path.removeprefix('data/')}.md5": hashes.get(path) for path in _DATA}
    figures = {
        "strict_f1": metrics.get("evaluation.strict.micro.f1"),
        "strict_f1_low": metrics.get("evaluation.strict.micro.f1_low"),
        "strict_f1_high": metrics.get("evaluation.strict.micro.f1_high"),
        "validation": "passed" if metrics.get("validation.passed") is True else "failed",
    }
    tags = {SHA: revision.sha, **wanted, **figures}
    return {key: str(value) for key, value in tags.items() if value is not None}


def _checked(revision: Revision) -> str:
    """Return the MD5 of the commit's model, when its results can be believed."""
    stale = Graph.of(revision).stale()
    if stale:
        stage, reason = next(iter(stale.items()))
        raise DeliveryError(
            f"the results at {revision.name} are not those of its code, data and parameters (stage {stage}: {reason}): "
            "run `dvc repro` and commit dvc.lock and metrics/"
        )
    digest = revision.hashes().get("models")
    if digest is None:
        raise DeliveryError(f"dvc.lock at {revision.name} has no models: run `dvc repro` and commit it")
    return digest


def _stored(revision: Revision, digest: str, run_id: str, folder: Path, client: MlflowClient) -> str:
    """Return the address of the run's model, its bytes read back; no version has it yet."""
    source = _address(client, run_id)
    try:
        download_source(client, source, digest, folder / "stored", source)
    except DeliveryError:
        # What the server lost is not looked at again; the model is sent once more.
        client.delete_logged_model(source.removeprefix("models:/"))
        Content(revision, DvcFiles(revision), folder / "content").log_model(client, run_id)
        source = _address(client, run_id)
        download_source(client, source, digest, folder / "stored again", source)
    return source


def _address(client: MlflowClient, run_id: str) -> str:
    address = client.get_run(run_id).data.tags.get(LOGGED, "absent")
    if not address.startswith("models:/"):
        raise DeliveryError(f"the run of the commit has no model ({address})")
    return address


def _describe(client: MlflowClient, revision: Revision, version: ModelVersion) -> None:
    number = int(version.version)
    client.log_text(str(version.run_id), card_of(revision, number), f"model_card/version-{number}.md")
    client.update_model_version(MODEL, version.version, description=summary_of(revision, number))


def main(arguments: list[str] | None = None) -> int:
    """Run the command: 0 registered (now or before), 2 not."""
    parser = argparse.ArgumentParser(prog="python -m delivery.register", description=__doc__.split(":")[0])
    parser.add_argument("--rev", default="HEAD", help="commit whose model is registered (default: HEAD)")
    options = parser.parse_args(arguments)

    def work() -> None:
        revision = resolve(options.rev)
        version = register(revision, connect())
        alias = ", ".join(version.aliases) or "no alias"
        print(f"register: version {version.version} of {MODEL} is commit {str(revision.sha)[:12]} ({alias})")

    return run_command("register", work, within=server_session())


if __name__ == "__main__":
    sys.exit(main())

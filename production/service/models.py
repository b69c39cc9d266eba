"""Which model is asked: a folder of the working tree, or a version of the registry with the code that it brings."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stages.common.errors import BeHealthyError

MODELS = "models"
REGISTRY = "models:/"
HELP = "model folder, or models:/NAME@ALIAS or models:/NAME/VERSION of the registry (default: models)"
_ADDRESS = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>\d+))")
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class OpenedModel:
    """A model folder, the folder of the code that it runs with, and what it is called.

    Parameters
    ----------
    code, models : Path
        As `production.inference.host.ModelHost` takes them.
    version : str
        Number in the registry; of a folder, ``local-`` and the beginning of its hash.
    commit : str, optional
        That the version was made from; of a folder nobody knows.
    """

    code: Path
    models: Path
    version: str
    commit: str | None = None


@contextmanager
def opened_model(address: str) -> Iterator[OpenedModel]:
    """Open a model folder or a version of the registry, whose files are checked and removed with the block.

    Raises
    ------
    BeHealthyError
        When there is no such model, or its files are not those that were registered.
    """
    if address.startswith(REGISTRY):
        with tempfile.TemporaryDirectory(prefix="behealthy-model-") as folder:
            yield _downloaded(address, Path(folder))
        return
    from delivery.revision.hashes import folder_md5

    models = Path(address)
    if not (models / "model.json").is_file():
        raise BeHealthyError(f"there is no complete model in {address}/: run `make repro`, or name one of the registry")
    yield OpenedModel(_ROOT, models, f"local-{folder_md5(models)[:12]}")


def _downloaded(address: str, folder: Path) -> OpenedModel:
    from delivery.registry.registry import commit_of, download, version_of, version_with_alias
    from delivery.registry.server import MODEL, connect, server_session

    parts = _ADDRESS.fullmatch(address)
    if parts is None or parts["name"] != MODEL:
        raise BeHealthyError(f"{address} is no address of a model: write models:/{MODEL}@champion or models:/{MODEL}/1")
    with server_session():
        client = connect()
        if parts["alias"]:
            version = version_with_alias(client, parts["alias"])
            if version is None:
                remedy = "`python -m delivery.promote` makes a champion"
                raise BeHealthyError(f"no version of {MODEL} is {parts['alias']}: {remedy}")
        else:
            version = version_of(client, parts["version"])
        found = download(client, version, folder)
        return OpenedModel(found / "code", found / "artifacts" / "models", str(version.version), commit_of(version))

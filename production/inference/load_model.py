"""Step 3, `load_model`: the champion of the registry, its files checked before anything of it is run.

A version is downloaded once into a folder of its own beside the database, whole or not at all, and held against the
hashes of the registry whenever a process loads it. Which version is champion is looked up again every
`inference.champion_seconds`; where the registry does not answer then, the model that is loaded goes on.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from production.inference.host import Found, HostError, ModelHost, NoteFailedError
from stages.common.errors import BeHealthyError
from stages.common.files import make_beside

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

ROOT = Path(__file__).parents[2]
LOCAL = "local-"


class Model(NamedTuple):
    """A model folder and the code that it runs with."""

    version: str
    commit: str | None
    digest: str
    code: Path
    models: Path


class Host(Protocol):
    """What answers for a model; `ModelHost` does."""

    @property
    def labels(self) -> Sequence[str]:
        """What it finds."""

    def extract(self, text: str, seconds: float) -> Found:
        """Find the mentions of a note."""
        ...

    def extract_all(self, texts: Iterable[str], seconds: float) -> Generator[Found | NoteFailedError, None, None]:
        """Find the mentions of notes in their order, or say in its place why one failed."""
        ...

    def stop(self) -> None:
        """End it."""
        ...


def start_host(model: Model, note_megabytes: int | None = None) -> Host:
    """Start the process of a model, and wait until it is warm."""
    host = ModelHost(model.code, model.models, note_megabytes)
    host.start()
    return host


def folder_model(models: Path) -> Model:
    """Return the model of a folder with the code of this repository: for trying out, and where there is no registry.

    Raises
    ------
    BeHealthyError
        When there is no complete model, or its files are not those that were saved.
    """
    from delivery.revision.hashes import folder_md5
    from stages.common.seal import check_seal

    if not (models / "model.json").is_file():
        raise BeHealthyError(f"there is no complete model in {models}/: run `make repro` to train one")
    check_seal(models)
    digest = folder_md5(models)
    return Model(f"{LOCAL}{digest.removesuffix('.dir')[:12]}", _commit_of(digest), digest, ROOT, models)


def _commit_of(digest: str) -> str | None:
    """Return the commit of the working tree where it has this model by its `dvc.lock`, and nothing was changed since.

    A model folder does not say what it was made from. What git does not vouch for is None: no guess.
    """
    from delivery.revision.git import local

    if shutil.which("git") is None:
        return None
    said = [local(ROOT, *command) for command in (("show", "HEAD:dvc.lock"), ("status", "--porcelain"))]
    if any(one.returncode for one in said) or digest.encode() not in said[0].stdout or said[1].stdout.strip():
        return None
    return local(ROOT, "rev-parse", "HEAD").stdout.decode().strip()


@dataclass
class Registry:
    """A version of the registry, in a folder of this machine.

    Parameters
    ----------
    wanted : str
        An alias, such as ``champion`` or ``challenger``, or the number of a version.
    folder : Path
        Where versions are kept; each in a folder of its own.
    command : str, optional
        That looks it up, in what is said.
    """

    wanted: str
    folder: Path
    command: str = "infer"
    _client: MlflowClient | None = field(default=None, init=False, repr=False)
    _known: Model | None = field(default=None, init=False, repr=False)

    def find(self) -> Model:
        """Look it up; download it where it is not here, and check its files where it was not loaded before.

        Raises
        ------
        BeHealthyError
            When there is no such version, the registry does not answer, or the files are not those of the version.
        """
        from delivery.registry.server import connect, server_session

        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")  # notes wait meanwhile
        with server_session():
            client = self._client = self._client or connect()
            version = _version(client, self.wanted)
            if self._known is None or self._known.version != str(version.version):
                self._known = self._local(client, version)
            return self._known

    def _local(self, client: MlflowClient, version: ModelVersion) -> Model:
        from delivery.registry.model import MD5
        from delivery.registry.registry import SHA, commit_of

        commit_of(version)  # refuses what was put there by hand
        digest = str(version.tags[MD5])
        kept = self.folder / f"{version.version}-{digest.removesuffix('.dir')[:12]}"
        if kept.is_dir() and not _is_whole(client, version, kept):
            said = f"the files of version {version.version} here were changed: fetching them"
            print(f"{self.command}: {said}", file=sys.stderr)
            shutil.rmtree(kept)
        if not kept.is_dir():
            _fetch(client, version, kept)
        models = kept / "artifacts" / "models"
        return Model(str(version.version), version.tags.get(SHA), digest, kept / "code", models)


def _version(client: MlflowClient, wanted: str) -> ModelVersion:
    from delivery.registry.registry import version_of, version_with_alias

    if wanted.isdecimal():
        return version_of(client, wanted)
    version = version_with_alias(client, wanted)
    if version is None:
        remedy = _REMEDY.get(wanted, "give it to one on MLflow's page *Model registry*")
        raise BeHealthyError(f"no version is {wanted} in the registry: {remedy}")
    return version


_REMEDY = {
    "champion": "`python -m delivery.promote` makes one, and --model FOLDER does without a registry",
    "challenger": "`python -m delivery.register` makes one",
}


def _is_whole(client: MlflowClient, version: ModelVersion, kept: Path) -> bool:
    """Compare all files with what was sent to the registry."""
    from delivery.registry.model import FILES
    from delivery.revision.hashes import folder_md5

    for cache in list(kept.rglob("__pycache__")):
        shutil.rmtree(cache, ignore_errors=True)
    sent = client.get_logged_model(str(version.source).removeprefix("models:/")).tags.get(FILES)
    return bool(sent) and folder_md5(kept) == sent


def _fetch(client: MlflowClient, version: ModelVersion, kept: Path) -> None:
    from delivery.registry.registry import download
    from production.database.engine import ensure_private

    ensure_private(kept.parent)
    beside = make_beside(kept, private=True)
    try:
        folder = download(client, version, beside / "model")
        try:
            folder.rename(kept)
        except OSError:
            if not kept.is_dir():  # else another worker was first, and checked its own
                raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)


@dataclass
class Loaded:
    """A model that is loaded, and follows what is found.

    Parameters
    ----------
    find : callable
        Returns the model that is to be loaded.
    seconds : float
        How often it is asked.
    start : callable
        Starts the process of a model.
    on_load : callable
        Told of each model and its labels before the first note.
    command : str, optional
        That has it loaded, in what is said.
    """

    find: Callable[[], Model]
    seconds: float
    on_load: Callable[[Model, Sequence[str]], None]
    start: Callable[[Model], Host] = start_host
    command: str = "infer"
    _model: Model | None = field(default=None, init=False, repr=False)
    _host: Host | None = field(default=None, init=False, repr=False)
    _looked: float = field(default=float("-inf"), init=False, repr=False)

    def current(self) -> tuple[Model, Host]:
        """Return the model, loaded; another one than before where another was found since.

        Raises
        ------
        BeHealthyError
            When none was ever loaded, and none can be.
        """
        if time.monotonic() - self._looked >= self.seconds:
            self._looked = time.monotonic()
            try:
                self._follow()
            except BeHealthyError as error:
                if self._model is None:
                    raise
                said = f"ALERT: going on with version {self._model.version}: {error}"
                print(f"{self.command}: {said}", file=sys.stderr)
        assert self._model and self._host
        return self._model, self._host

    def _follow(self) -> None:
        found = self.find()
        if self._model is not None and found.version == self._model.version:
            return
        host = self.start(found)
        try:
            self.on_load(found, host.labels)
        except BaseException:
            host.stop()
            raise
        self.stop()
        self._model, self._host = found, host
        print(f"{self.command}: version {found.version} is loaded", file=sys.stderr, flush=True)

    def stop(self) -> None:
        """End its process."""
        if self._host is not None:
            self._host.stop()
        self._host = self._model = None


__all__ = ["Host", "HostError", "Loaded", "Model", "Registry", "folder_model", "start_host"]

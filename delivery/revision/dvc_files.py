"""What a revision keeps in DVC: predictions, gold mentions, plots, models, the names of its batches.

It comes from the workspace, the local cache or the remote. Where a reader may see none of them, the answer is a
`NotReadableError` with the reason, and never a traceback.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from delivery.errors import DeliveryError
from delivery.revision.hashes import content_md5
from delivery.revision.revision import Revision
from delivery.revision.storage_faults import reason_of

if TYPE_CHECKING:
    from dvc.api import DVCFileSystem

PREDICTIONS = "predictions/predictions.parquet"
DOCUMENTS = "data/prepared/documents.parquet"
MENTIONS = "data/prepared/mentions.parquet"
ANNOTATIONS = "data/annotations"
_SOURCES = ("data/annotations.dvc", "data/incoming.dvc")
_GIT_ONLY = "--git-only"
_REMOTES = (None, "bundled")  # the default one, and the one in git that holds the seed


class NotReadableError(DeliveryError):
    """A file of a revision cannot be had here; the message says why, without addresses or secrets."""


@dataclass
class Remote:
    """What is known of the remote: one that failed is not asked again, for every revision would wait as long."""

    fault: str | None = None


@dataclass
class DvcFiles:
    """The files of one revision that DVC keeps.

    Parameters
    ----------
    revision : Revision
    git_only : bool
        Read nothing, as in a fork that may not.
    remote : Remote, optional
        Give the same one for several revisions.
    """

    revision: Revision
    git_only: bool = False
    remote: Remote = field(default_factory=Remote)
    _systems: dict[str | None, DVCFileSystem] = field(default_factory=dict)

    def table(self, path: str, columns: list[str] | None = None) -> pd.DataFrame:
        """Read a Parquet or CSV table.

        Raises
        ------
        NotReadableError
        """
        content = BytesIO(self._read(path))
        return pd.read_csv(content) if path.endswith(".csv") else pd.read_parquet(content, columns=columns)

    def batches(self) -> list[str]:
        """Return the names of the annotation batches.

        Raises
        ------
        NotReadableError
        """
        self._refuse_where_only_git_may_be_read()
        folder = self.revision.root / ANNOTATIONS
        if self.revision.sha is None and folder.is_dir():
            return sorted(path.name for path in folder.iterdir() if path.is_dir())
        failures: list[Exception] = []
        for name in _REMOTES:
            try:
                entries = self._system(name).ls(ANNOTATIONS, detail=True)
            except Exception as error:  # as in _read
                failures.append(error)
            else:
                return sorted(entry["name"].rsplit("/", 1)[-1] for entry in entries if entry["type"] == "directory")
        raise NotReadableError(self._not_here(ANNOTATIONS, _cause(failures[0]))) from failures[0]

    def copy(self, path: str, target: Path) -> None:
        """Copy an output, file or folder, to `target`, which is not there yet, and check it against its MD5.

        Raises
        ------
        NotReadableError
            When neither cache nor remote has it intact; nothing is left at `target`.
        """
        self._refuse_where_only_git_may_be_read()
        md5 = self.revision.hashes().get(path)
        if md5 is None:
            raise NotReadableError(
                f"dvc.lock at {self.revision.name} knows no {path}: run `dvc repro` and commit dvc.lock"
            )
        try:
            self._copy(path, md5, target)
        except NotReadableError:
            _remove(target)
            raise

    def _copy(self, path: str, md5: str, target: Path) -> None:
        files = self._system(None)
        cached = _is_cached(files, md5)
        if not cached and self.remote.fault:
            raise NotReadableError(
                f"{path} ({md5}) is not in the cache, and the remote failed before ({self.remote.fault})"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            files.get(path, str(target), recursive=True)
        except Exception as error:  # of DVC, of the remote's library, of the network: there is no common class
            reason = reason_of(error)
            if not cached:
                self.remote.fault = reason
            raise NotReadableError(
                f"{path} ({md5}) is neither in the cache nor can it be fetched ({reason}); "
                "`dvc fetch` it, or reproduce the revision"
            ) from error
        if damaged := _damaged(files, path, target):
            raise NotReadableError(f"{damaged} does not have the MD5 that DVC knows of it: `dvc fetch` it anew")

    def _read(self, path: str) -> bytes:
        self._refuse_where_only_git_may_be_read()
        file = self.revision.root / path
        if self.revision.sha is None and file.is_file():
            return file.read_bytes()
        if self.remote.fault:
            raise NotReadableError(self._not_here(path, self.remote.fault))
        try:
            return self._system(None).read_bytes(path)
        except Exception as error:  # whatever the library of the remote raises: the report goes on without it
            self.remote.fault = _cause(error)
            raise NotReadableError(self._not_here(path, self.remote.fault)) from error

    def _refuse_where_only_git_may_be_read(self) -> None:
        if self.git_only:
            raise NotReadableError(_GIT_ONLY)

    def _system(self, remote: str | None) -> DVCFileSystem:
        # A server that does not answer must not hold a command up for minutes.
        os.environ.setdefault("AWS_MAX_ATTEMPTS", "2")
        from dvc.api import DVCFileSystem

        if remote not in self._systems:
            root, sha = str(self.revision.root.resolve()), self.revision.sha
            self._systems[remote] = (
                DVCFileSystem(root, rev=sha, remote=remote) if remote else DVCFileSystem(root, rev=sha)
            )
        return self._systems[remote]

    def _not_here(self, path: str, reason: str) -> str:
        return f"{path} of {self.revision.name} cannot be read here ({reason})"


def fetch_bundled(root: Path = Path()) -> None:
    """Put into the cache what git itself brings; what it lacks comes from `storage` when a stage asks for it."""
    command = ["dvc", "fetch", "--quiet", "--remote", "bundled", *_SOURCES]
    subprocess.run(command, cwd=root, capture_output=True, check=False)


def _cause(error: Exception) -> str:
    why = reason_of(error)
    return "it is in no cache and no remote" if why == FileNotFoundError.__name__ else why


def _is_cached(files: DVCFileSystem, md5: str) -> bool:
    cache = files.repo.cache.local
    if not cache.exists(md5):
        return False
    if not md5.endswith(".dir"):
        return True
    listed = json.loads(Path(cache.oid_to_path(md5)).read_text(encoding="utf-8"))
    return all(cache.exists(entry["md5"]) for entry in listed)


def _damaged(files: DVCFileSystem, path: str, target: Path) -> str | None:
    """Name the first copied file that is not what DVC says it is."""
    for name, about in files.find(path, detail=True).items():
        copied = target / Path(name).relative_to(path)
        if about["md5"] != content_md5(copied.read_bytes()):
            return str(name)
    return None


def _remove(target: Path) -> None:
    if target.is_dir():
        shutil.rmtree(target)
    target.unlink(missing_ok=True)

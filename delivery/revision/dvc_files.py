"""What a revision keeps in DVC: predictions, gold mentions, plots, the names of its batches.

It comes from the workspace, the local cache or the remote; where a reader may see none of them, the
answer is `NotReadableError` with the reason, and never a traceback.
"""

from __future__ import annotations

import os
from io import BytesIO
from typing import TYPE_CHECKING

import pandas as pd

from delivery.revision.revision import Revision
from delivery.revision.storage_faults import reason_of

if TYPE_CHECKING:
    from dvc.api import DVCFileSystem

PREDICTIONS = "predictions/predictions.parquet"
DOCUMENTS = "data/prepared/documents.parquet"
MENTIONS = "data/prepared/mentions.parquet"
ANNOTATIONS = "data/annotations"
_GIT_ONLY = "--git-only"
_REMOTES = (None, "bundled")  # the default one, and the one in git that holds the seed


class NotReadableError(Exception):
    """The data of a revision cannot be had here; the message says why, without addresses or secrets."""


class Stored:
    """The data of one revision.

    Parameters
    ----------
    revision : Revision
    git_only : bool
        Read nothing, as in a fork that may not.
    """

    def __init__(self, revision: Revision, *, git_only: bool = False) -> None:
        self._revision = revision
        self._git_only = git_only
        self._systems: dict[str | None, DVCFileSystem] = {}
        self._failed: NotReadableError | None = None

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
        if self._git_only:
            raise NotReadableError(_GIT_ONLY)
        folder = self._revision.root / ANNOTATIONS
        if self._revision.sha is None and folder.is_dir():
            return sorted(path.name for path in folder.iterdir() if path.is_dir())
        failures: list[Exception] = []
        for remote in _REMOTES:
            try:
                entries = self._system(remote).ls(ANNOTATIONS, detail=True)
            except Exception as error:  # as in _read
                failures.append(error)
            else:
                return sorted(entry["name"].rsplit("/", 1)[-1] for entry in entries if entry["type"] == "directory")
        raise NotReadableError(self._reason(ANNOTATIONS, failures[0])) from failures[0]

    def _read(self, path: str) -> bytes:
        file = self._revision.root / path
        if self._git_only:
            raise NotReadableError(_GIT_ONLY)
        if self._revision.sha is None and file.is_file():
            return file.read_bytes()
        if self._failed:  # a remote that did not answer is not asked again
            raise self._failed
        try:
            return self._system(None).read_bytes(path)
        except Exception as error:  # whatever the library of the remote raises: the report goes on without it
            self._failed = NotReadableError(self._reason(path, error))
            raise self._failed from error

    def _system(self, remote: str | None) -> DVCFileSystem:
        # A server that does not answer must not hold a report up for minutes.
        os.environ.setdefault("AWS_MAX_ATTEMPTS", "2")
        from dvc.api import DVCFileSystem

        if remote not in self._systems:
            root, sha = str(self._revision.root), self._revision.sha
            self._systems[remote] = (
                DVCFileSystem(root, rev=sha, remote=remote) if remote else DVCFileSystem(root, rev=sha)
            )
        return self._systems[remote]

    def _reason(self, path: str, error: Exception) -> str:
        why = reason_of(error)
        if why == FileNotFoundError.__name__:
            why = "it is in no cache and no remote"
        return f"{path} of {self._revision.name} cannot be read here ({why})"

"""What DVC keeps of a revision: out of the cache where it is there, else from the remote."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from delivery.errors import DeliveryError
from delivery.revision.revision import Revision
from delivery.revision.storage_faults import reason_of

if TYPE_CHECKING:
    from dvc.api import DVCFileSystem


class OutputError(DeliveryError):
    """An output of a revision cannot be had."""


@dataclass
class Outputs:
    """Copies outputs of revisions, each checked against the MD5 in `dvc.lock`.

    A remote that failed once is not asked again: it would make every revision wait as long.
    """

    fault: str | None = field(default=None, init=False)
    """Why a remote could not be read; has no address and no secret."""

    def copy(self, revision: Revision, path: str, target: Path) -> None:
        """Copy an output (file or folder) of a revision to `target`, which is not there yet.

        Raises
        ------
        OutputError
            When neither cache nor remote has it intact; nothing is left at `target`.
        """
        md5 = revision.hashes().get(path)
        if md5 is None:
            raise OutputError(f"dvc.lock at {revision.name} knows no {path}: run `dvc repro` and commit dvc.lock")
        files = _open(revision)
        try:
            self._copy(files, path, md5, target)
        except OutputError:
            _remove(target)
            raise

    def _copy(self, files: DVCFileSystem, path: str, md5: str, target: Path) -> None:
        cached = _is_cached(files, md5)
        if not cached and self.fault:
            raise OutputError(f"{path} ({md5}) is not in the cache, and the remote failed before ({self.fault})")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            files.get(path, str(target), recursive=True)
        except Exception as error:  # of DVC, of the remote's library, of the network: there is no common class
            reason = reason_of(error)
            if not cached:
                self.fault = reason
            raise OutputError(
                f"{path} ({md5}) is neither in the cache nor can it be fetched ({reason}); "
                "`dvc fetch` it, or reproduce the revision"
            ) from error
        damaged = _damaged(files, path, target)
        if damaged:
            raise OutputError(f"{damaged} does not have the MD5 that DVC knows of it: `dvc fetch` it anew")


def _open(revision: Revision) -> DVCFileSystem:
    from dvc.api import DVCFileSystem

    return DVCFileSystem(str(revision.root.resolve()), rev=revision.sha)


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
        if about["md5"] != hashlib.md5(copied.read_bytes(), usedforsecurity=False).hexdigest():
            return str(name)
    return None


def _remove(target: Path) -> None:
    if target.is_dir():
        shutil.rmtree(target)
    target.unlink(missing_ok=True)

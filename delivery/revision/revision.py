"""What a commit says of its own graph, read from git alone: parameters, metrics, hashes of the data.

Nothing here needs DVC's cache or a remote, so that it works in a fork without credentials.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from delivery.errors import DeliveryError
from delivery.revision.git import local
from stages.common.files import parse_yaml

METRICS = (
    "metrics/validation.json",
    "metrics/evaluation.json",
    "metrics/kpi.json",
    "metrics/behaviour.json",
    "metrics/drift.json",
    "metrics/decision.json",
)
TRACKED = ("data/annotations", "data/incoming")
DOCUMENT_COUNTS = "metrics/documents.csv"


@dataclass(frozen=True)
class Revision:
    """A commit, or the workspace where `sha` is None.

    Parameters
    ----------
    root : Path
        Of the repository.
    sha : str or None
        Full hash of the commit.
    name : str
        As the user called it.
    """

    root: Path
    sha: str | None
    name: str

    def read(self, path: str) -> bytes | None:
        """Return a file of this revision as git has it, None where there is none."""
        if self.sha is None:
            file = self.root / path
            return file.read_bytes() if file.is_file() else None
        result = local(self.root, "cat-file", "blob", f"{self.sha}:{path}")
        return result.stdout if result.returncode == 0 else None

    def files(self, path: str) -> list[str]:
        """Return the files of this revision that git has, or would commit, under a folder; sorted paths."""
        if self.sha is None:
            result = local(self.root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", f"{path}/")
            listed = [name for name in _names(result.stdout) if (self.root / name).is_file()]
        else:
            listed = _names(local(self.root, "ls-tree", "-r", "-z", "--name-only", self.sha, "--", f"{path}/").stdout)
        return sorted(listed)

    def contents(self, paths: Sequence[str]) -> list[bytes]:
        """Return many files of this revision in one go; all of them must be there."""
        if self.sha is None:
            return [(self.root / path).read_bytes() for path in paths]
        request = "".join(f"{self.sha}:{path}\n" for path in paths).encode()
        stream = BytesIO(local(self.root, "cat-file", "--batch", given=request).stdout)
        contents = []
        for path in paths:
            kind, size = stream.readline().split()[-2:]
            if kind != b"blob":
                raise DeliveryError(f"{path} at {self.name} is no file")
            contents.append(stream.read(int(size)))
            stream.read(1)  # the newline after each
        return contents

    def json(self, path: str) -> Any:
        """Return a JSON file of this revision, None where there is none.

        Raises
        ------
        DeliveryError
            When the file is there and is no JSON.
        """
        content = self.read(path)
        try:
            return None if content is None else json.loads(content)
        except ValueError as error:
            raise DeliveryError(
                f"{path} at {self.name} is not valid JSON: commit it again as `dvc repro` wrote it"
            ) from error

    def yaml(self, path: str) -> Any:
        """Return a YAML file of this revision, None where there is none.

        Raises
        ------
        DeliveryError
            When the file is there and is no YAML, as after a merge with conflicts.
        """
        content = self.read(path)
        try:
            return None if content is None else parse_yaml(content)
        except yaml.YAMLError as error:
            raise DeliveryError(f"{path} at {self.name} is not valid YAML: resolve its conflicts") from error

    def params(self) -> dict[str, Any]:
        """Return the parameters, flat: ``{"train.crf.runs": 5, …}``."""
        return flat(self.yaml("params.yaml") or {})

    def metrics(self) -> dict[str, Any]:
        """Return all metrics, flat, under the name of their file: ``{"evaluation.strict.micro.f1": 0.8, …}``.

        Metrics that the revision does not have are absent.
        """
        metrics = {Path(path).stem: self.json(path) for path in METRICS}
        return flat({name: content for name, content in metrics.items() if content is not None})

    def document_counts(self) -> pd.DataFrame | None:
        """Return ``document, label, tp, fp, fn`` and more of the test documents, None where there are none."""
        content = self.read(DOCUMENT_COUNTS)
        return None if content is None else pd.read_csv(BytesIO(content), dtype={"document": str, "label": str})

    def hashes(self) -> dict[str, str]:
        """Return the MD5 that `dvc.lock` and the `.dvc` files give to every input and output of the graph."""
        lock = self.yaml("dvc.lock") or {}
        entries = [
            entry
            for stage in lock.get("stages", {}).values()
            for entry in [*stage.get("deps", []), *stage.get("outs", [])]
        ]
        hashes = {entry["path"]: entry["md5"] for entry in entries if "md5" in entry}
        return dict(sorted((hashes | self.described()).items()))

    def described(self) -> dict[str, str]:
        """Return the MD5 of what the `.dvc` files describe.

        Raises
        ------
        DeliveryError
            When one is not as DVC writes it.
        """
        read = {name: self.yaml(f"{name}.dvc") for name in TRACKED}
        return {name: self._md5_of(name, content) for name, content in read.items() if content}

    def _md5_of(self, name: str, content: Any) -> str:
        try:
            return str(content["outs"][0]["md5"])
        except (TypeError, LookupError):
            raise DeliveryError(f"{name}.dvc at {self.name} is not as DVC writes it: see `dvc status`") from None


def workspace(root: Path = Path()) -> Revision:
    """Return what lies in the working tree, committed or not."""
    return Revision(root, None, "workspace")


def checked_out(root: Path = Path()) -> Revision:
    """Return what lies in the working tree, named by its branch and commit where it is that commit."""
    here = workspace(root)
    commit = commit_of(here)
    if commit is None:
        return here
    branch = local(root, "symbolic-ref", "--quiet", "--short", "HEAD").stdout.decode().strip()
    return replace(here, name=f"{branch} ({commit[:7]})" if branch else commit[:7])


def resolve(name: str, root: Path = Path()) -> Revision:
    """Return the commit of that name (a branch, a tag, a hash).

    Raises
    ------
    DeliveryError
        When git knows no such commit.
    """
    for candidate in (name, f"origin/{name}"):
        result = local(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{candidate}^{{commit}}")
        if result.returncode == 0:
            return Revision(root, result.stdout.decode().strip(), name)
    raise DeliveryError(
        f"git knows no commit {name}: fetch it first (git fetch origin {name}; a shallow clone needs --unshallow)"
    )


def common_ancestor(revision: Revision, other: Revision) -> Revision:
    """Return the commit from which two revisions went apart.

    Raises
    ------
    DeliveryError
        When git knows none, as in a shallow clone.
    """
    result = local(revision.root, "merge-base", revision.sha or "HEAD", other.sha or "HEAD")
    if result.returncode != 0:
        raise DeliveryError(
            f"git knows no common ancestor of {revision.name} and {other.name}: fetch the whole history "
            "(git fetch --unshallow; fetch-depth: 0 in a workflow)"
        )
    sha = result.stdout.decode().strip()
    return revision if revision.sha == sha else Revision(revision.root, sha, sha[:7])


def commits_missing(old: Revision, new: Revision) -> int:
    """Count the commits of `old` that `new` does not have; 0 where git cannot say."""
    result = local(old.root, "rev-list", "--count", f"{new.sha or 'HEAD'}..{old.sha or 'HEAD'}")
    return int(result.stdout) if result.returncode == 0 else 0


def commit_of(revision: Revision) -> str | None:
    """Return the commit that a revision is: of a workspace, its HEAD, and None where something was changed."""
    if revision.sha is not None:
        return revision.sha
    if local(revision.root, "status", "--porcelain").stdout.strip():
        return None
    return local(revision.root, "rev-parse", "HEAD").stdout.decode().strip() or None


def flat(nested: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten nested mappings into dotted keys, in order; lists are values.

    >>> flat({"train": {"crf": {"runs": 5}, "seed": 1}})
    {'train.crf.runs': 5, 'train.seed': 1}
    """
    return dict(_pairs(nested, ""))


def _pairs(nested: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in nested.items():
        if isinstance(value, Mapping):
            yield from _pairs(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _names(output: bytes) -> list[str]:
    return [name for name in output.decode().split("\0") if name]

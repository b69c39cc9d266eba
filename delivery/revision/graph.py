"""Which stages a revision changed without running them again: `dvc status` from git alone.

A stage is fresh when `dvc.lock` describes it as `dvc.yaml` does, when every input has the hash that
the lock gives it, and when nothing it reads comes from a stage that is not fresh. So metrics in git
are known to belong to the code, data and parameters that lie beside them, without DVC's cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from delivery.errors import DeliveryError, DeliveryRefusedError
from delivery.revision.hashes import content_md5, listing_md5
from delivery.revision.revision import Revision, workspace

_NOTHING: Mapping[str, Any] = {}
_SIDES = ("deps", "outs", "metrics", "plots")


@dataclass(frozen=True)
class Graph:
    """The stages of a revision: as `dvc.yaml` wants them, as `dvc.lock` says they ran.

    Parameters
    ----------
    revision : Revision
    wanted, ran : mapping of str to mapping
        By stage.
    params : mapping
        Of `params.yaml`, nested.
    """

    revision: Revision
    wanted: Mapping[str, Any]
    ran: Mapping[str, Any]
    params: Mapping[str, Any]
    _described: Mapping[str, str]
    _known: dict[str, str | None] = field(default_factory=dict)

    @classmethod
    def of(cls, revision: Revision) -> Graph:
        """Read the graph of a revision.

        Raises
        ------
        DeliveryError
            When `dvc.yaml`, `dvc.lock` or `params.yaml` cannot be read, or `dvc.yaml` is no graph.
        """
        wanted, ran = (stages_of(revision, name) for name in ("dvc.yaml", "dvc.lock"))
        for name, stage in wanted.items():
            if not all(_is_listed(stage.get(side, [])) for side in _SIDES):
                raise DeliveryError(f"stage {str(name)[:60]!r} of dvc.yaml at {revision.name} has no lists of paths")
        return cls(revision, wanted, ran, revision.yaml("params.yaml") or {}, revision.described())

    def stale(self) -> dict[str, str]:
        """Say which stages have to be run again before their results can be believed.

        Returns
        -------
        dict of str to str
            Reason by stage; empty when all results are fresh.
        """
        makers = self.makers()
        reasons: dict[str, str] = {}

        def look(name: str) -> None:
            sources = {path: makers[path] for path in _paths(self.wanted[name], "deps") if path in makers}
            for source in sources.values():
                if source not in seen:
                    seen.add(source)
                    look(source)
            late = (f"reads {path} of {source}, out of date" for path, source in sources.items() if source in reasons)
            reason = next(late, None) or next(self._changes(name), None)
            if reason:
                reasons[name] = reason

        seen: set[str] = set()
        for name in self.wanted:
            if name not in seen:
                seen.add(name)
                look(name)
        return {name: reasons[name] for name in self.wanted if name in reasons}

    def makers(self) -> dict[str, str]:
        """Return the stage that writes each output."""
        return {path: name for name, stage in self.wanted.items() for path in _outputs(stage)}

    def _changes(self, name: str) -> Iterator[str]:
        stage, lock = self.wanted[name], self.ran.get(name)
        if lock is None:
            yield "never run"
            return
        if lock["cmd"] != stage.get("cmd"):
            yield "its command changed"
        read, written = (_hashes_of(lock, side) for side in ("deps", "outs"))
        for path in _paths(stage, "deps"):
            if path not in read or self._hash(path) != read[path]:
                yield f"{path} changed"
        known = lock.get("params", _NOTHING).get("params.yaml", _NOTHING)
        for key in stage.get("params", ()):
            if key not in known or known[key] != _at(self.params, key):
                yield f"parameter {key} changed"
        for path, cached in _outputs(stage).items():
            if path not in written:
                yield f"{path} was never written"
            elif not cached and self._hash_in_git(path) != written[path]:
                yield f"{path} is not what it wrote"

    def _hash(self, path: str) -> str | None:
        """Hash an input: what DVC keeps is known from the lock or a `.dvc` file, the rest is in git."""
        if path in self._described:
            return self._described[path]
        maker = self.makers().get(path)
        if maker and _outputs(self.wanted[maker])[path]:
            return _hashes_of(self.ran.get(maker, _NOTHING), "outs").get(path)
        return self._hash_in_git(path)

    def _hash_in_git(self, path: str) -> str | None:
        if path not in self._known:
            content = self.revision.read(path)
            self._known[path] = content_md5(content) if content is not None else self._hash_of_folder(path)
        return self._known[path]

    def _hash_of_folder(self, folder: str) -> str | None:
        files = self.revision.files(folder)
        contents = zip(files, self.revision.contents(files), strict=True)
        hashes = {file.removeprefix(f"{folder}/"): content_md5(content) for file, content in contents}
        return listing_md5(hashes) if hashes else None


def refuse_stale(root: Path = Path()) -> None:
    """Compare `dvc.lock` with code, parameters and `.dvc` files; needs no data and no remote.

    Raises
    ------
    DeliveryRefusedError
        When a stage would run, and why.
    """
    stale = Graph.of(workspace(root)).stale()
    if stale:
        stage, reason = next(iter(stale.items()))
        raise DeliveryRefusedError(
            f"dvc.lock does not hold for what lies beside it (stage {stage}: {reason}): run `dvc repro`,"
            " or let the workflow `reproduce` do it, and commit dvc.lock and metrics/"
        )


def stages_of(revision: Revision, name: str) -> Mapping[str, Any]:
    """Return the stages of `dvc.yaml` or `dvc.lock`.

    Raises
    ------
    DeliveryError
        When it cannot be read, or has something else.
    """
    content = revision.yaml(name) or {}
    stages = content.get("stages") or {} if isinstance(content, Mapping) else None
    if not isinstance(stages, Mapping) or not all(isinstance(stage, Mapping) for stage in stages.values()):
        raise DeliveryError(f"{name} at {revision.name} has no stages as DVC knows them: see `dvc status`")
    return stages


def _is_listed(entries: Any) -> bool:
    """Tell whether this is a list of paths, each with options or without."""
    return isinstance(entries, list) and all(
        isinstance(entry, str)
        or (isinstance(entry, Mapping) and len(entry) == 1 and isinstance(next(iter(entry.values())), Mapping))
        for entry in entries
    )


def _hashes_of(lock: Mapping[str, Any], side: str) -> dict[str, str]:
    return {entry["path"]: entry["md5"] for entry in lock.get(side, ())}


def _paths(stage: Mapping[str, Any], side: str) -> list[str]:
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in stage.get(side, ())]


def _outputs(stage: Mapping[str, Any]) -> dict[str, bool]:
    """Return the outputs of a stage, and whether DVC's cache keeps them (otherwise git does)."""
    outputs = {}
    for side in ("outs", "metrics", "plots"):
        for entry in stage.get(side, ()):
            path, options = (entry, _NOTHING) if isinstance(entry, str) else next(iter(entry.items()))
            outputs[path] = options.get("cache", True)
    return outputs


def _at(nested: Mapping[str, Any], key: str) -> Any:
    value: Any = nested
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value

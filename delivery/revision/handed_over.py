"""What one job handed to another, checked: the reader trusts nothing.

Paths, kinds, sizes and forms are checked, and no file is ever run.
"""

from __future__ import annotations

import csv
import json
import math
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, NoReturn

from delivery.errors import DeliveryError, DeliveryRefusedError
from delivery.revision.graph import Graph
from delivery.revision.lock_files import read_described, read_lock
from delivery.revision.revision import Revision

LOCK, DATA = "dvc.lock", "data/annotations.dvc"
SOURCE, REPORT, FAILURE = "source.json", "report.md", "failure.md"
LARGEST = {".md": 1 << 20, ".csv": 16 << 20}
"""Bytes of a file by its ending."""
LARGEST_OTHER = 2 << 20
MOST = 64
"""Files and folders."""

_METRIC = re.compile(r"metrics/[a-z][a-z0-9_]*\.(json|csv)")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True)
class Results:
    """What was handed over, checked as far as it can be without the repository.

    Parameters
    ----------
    source : str or None
        Commit that the graph was reproduced from, as the other job says; None where it was not reproduced.
    files : mapping of str to bytes
        Content by path in the repository; `dvc.lock` is among them, or there are none.
    report, failure : str or None
        Markdown.
    """

    source: str | None
    files: Mapping[str, bytes]
    report: str | None
    failure: str | None


def kept_in_git(revision: Revision) -> set[str]:
    """Return the outputs of the graph that git keeps and that may be handed over: JSON and CSV under `metrics/`."""
    return {path for path in Graph.of(revision).makers() if _METRIC.fullmatch(path)}


def read(folder: Path, *, with_data: bool = False) -> Results:
    """Read what was handed over.

    Parameters
    ----------
    folder : Path
        As `collect` left it, and another job filled it.
    with_data : bool
        Whether data may come too.

    Raises
    ------
    DeliveryError
        Names the first path that is not allowed, is no regular file, is too large, or not of its form.
    """
    contents = {path: _content(folder / path, path) for path in _paths(folder)}
    known = {LOCK, SOURCE, REPORT, FAILURE, *([DATA] if with_data else [])}
    for path, content in contents.items():
        if path not in known and not _METRIC.fullmatch(path):
            raise DeliveryRefusedError(f"{path[:100]!r} may not be handed over: nothing of it was used")
        _FORMS[Path(path).suffix](content, path)
    texts = {path: contents.pop(path).decode("utf-8") if path in contents else None for path in (REPORT, FAILURE)}
    source = _source(contents.pop(SOURCE, None), contents)
    return Results(source, contents, texts[REPORT], texts[FAILURE])


def check_against(results: Results, revision: Revision) -> None:
    """Make sure that the files are what the graph of a commit writes, all of them and no others.

    Parameters
    ----------
    results : Results
    revision : Revision
        The commit that holds them.

    Raises
    ------
    DeliveryError
        When `dvc.lock` lists stages or outputs that `dvc.yaml` does not, or does not hold for the commit.
    """
    graph = Graph.of(revision)
    lock = read_lock(results.files[LOCK])
    listed = {entry.path: name for name, stage in lock.stages.items() for entry in stage.outs}
    differing = {path for path, _ in set(listed.items()) ^ set(graph.makers().items())}
    unknown = sorted((set(lock.stages) ^ set(graph.wanted)) or differing)
    if unknown:
        raise DeliveryRefusedError(
            f"{LOCK} and dvc.yaml do not list the same stages and outputs ({unknown[0]}): `dvc repro`"
        )
    surplus = sorted(set(results.files) - kept_in_git(revision) - {LOCK, DATA})
    if surplus:
        raise DeliveryRefusedError(f"{surplus[0]} is no output of the graph in dvc.yaml: nothing of it was used")
    for stage, reason in graph.stale().items():
        raise DeliveryRefusedError(
            f"{LOCK} does not hold for {revision.name} (stage {stage}: {reason}): run `dvc repro`"
        )


def _paths(folder: Path) -> Iterator[str]:
    """Yield the files under a folder as paths relative to it; links are not followed."""
    if folder.is_symlink() or not folder.is_dir():
        raise DeliveryError(f"{folder.name} is no folder: did the job before hand anything over?")
    count = 0
    for parent, folders, files in os.walk(folder, followlinks=False):
        count += len(folders) + len(files)
        if count > MOST:
            raise DeliveryRefusedError(f"more than {MOST} files were handed over: nothing of them was used")
        for name in [*folders, *files]:
            mode = (Path(parent) / name).lstat().st_mode
            if not (stat.S_ISDIR(mode) if name in folders else stat.S_ISREG(mode)):
                raise DeliveryRefusedError(f"{name[:100]!r} is a link or no regular file: nothing was used")
        yield from ((Path(parent) / name).relative_to(folder).as_posix() for name in files)


def _content(file: Path, path: str) -> bytes:
    most = LARGEST.get(file.suffix, LARGEST_OTHER)
    with os.fdopen(os.open(file, os.O_RDONLY | os.O_NOFOLLOW), "rb") as stream:
        content = stream.read(most + 1)
    if len(content) > most:
        raise DeliveryRefusedError(f"{path[:100]!r} is larger than {most:,} bytes: nothing was used")
    return content


def _source(content: bytes | None, files: Mapping[str, bytes]) -> str | None:
    """Return the commit; it and `dvc.lock` come together, and with nothing they are not there."""
    if content is None and not files:
        return None
    commit = json.loads(content).get("commit") if content else None
    if LOCK not in files or not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
        raise DeliveryRefusedError(f"{LOCK} and {SOURCE}, which names the commit, belong together: nothing was used")
    return commit


def _check_json(content: bytes, path: str) -> None:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(constant)

    def finite(written: str) -> float:
        return number if math.isfinite(number := float(written)) else refuse(written)

    def whole(written: str) -> int:
        return int(written) if finite(written) else 0

    options: Any = {"parse_constant": refuse, "parse_float": finite, "parse_int": whole}
    try:
        read: Any = json.loads(content.decode("utf-8"), **options)
        json.dumps(read, ensure_ascii=False).encode("utf-8")  # half a character has no bytes: nobody could print it
    except (ValueError, RecursionError) as error:
        raise DeliveryRefusedError(f"{path} is no JSON ({type(error).__name__}): nothing was used") from None
    if not isinstance(read, dict):
        raise DeliveryRefusedError(f"{path} holds no JSON object: nothing was used")


def _check_csv(content: bytes, path: str) -> None:
    try:
        rows = list(csv.reader(StringIO(content.decode("utf-8")), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DeliveryRefusedError(f"{path} is no CSV ({type(error).__name__}): nothing was used") from None
    widths = {len(row) for row in rows}
    if len(widths) != 1 or 0 in widths:
        raise DeliveryRefusedError(f"{path} has rows of different lengths: nothing was used")


def _check_text(content: bytes, path: str) -> None:
    try:
        fault = "it has control characters" if _UNSEEN.search(content.decode("utf-8")) else None
    except UnicodeDecodeError:
        fault = "it is not UTF-8"
    if fault:
        raise DeliveryRefusedError(f"{path} is no text ({fault}): nothing was used")


_FORMS: dict[str, Callable[[bytes, str], object]] = {
    ".lock": lambda content, _: read_lock(content),
    ".dvc": read_described,
    ".json": _check_json,
    ".csv": _check_csv,
    ".md": _check_text,
}

"""Add the batches that wait in an inbox: `python -m annotation.inbox s3://BUCKET/inbox` (or a local folder).

An export lies there as ``FORMAT/NAME`` or ``FORMAT/NAME.EXTENSION``, a file or a folder: format and name of the batch,
in which what cannot stand in a name becomes a dash. What is a batch already, by its content, is passed over, so that
nothing has to be removed from the inbox, and this may run at any time; all that is passed over is said. An export is
fetched to be compared, also when it is known: another content under a known name is refused, never taken for it.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from annotation.add import Request, add, print_refusal
from stages.common.command import DONE, REFUSED, run_command
from stages.common.errors import AnnotationError, BeHealthyError
from stages.common.labels import load_labels
from stages.common.wording import counted
from stages.prepare.batches import Batch, digest, load_batches
from stages.prepare.formats import READERS
from stages.prepare.formats.source import list_files

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


@dataclass(frozen=True)
class Waiting:
    """An export in the inbox."""

    path: str
    format: str
    name: str
    is_folder: bool

    @property
    def place(self) -> str:
        """Where it lies in the inbox."""
        return f"{self.format}/{PurePosixPath(self.path).name}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 when all that waits is added, 1 when a batch was refused, 2 when the inbox cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m annotation.inbox", description=__doc__)
    parser.add_argument("inbox", help="folder or URL that holds FORMAT/NAME")
    parser.add_argument("--to", type=Path, default=Path("data/annotations"), help="folder of the batches")
    options = parser.parse_args(arguments)
    return run_command("inbox", lambda: collect(options.inbox, options.to))


class InboxError(BeHealthyError):
    """The inbox cannot be read."""


def collect(inbox: str, to: Path) -> int:
    """Add what waits, in the order of names; go on after a refusal; `REFUSED` if there was any.

    Raises
    ------
    InboxError
        When the inbox cannot be reached or holds something that names no format.
    AnnotationError
        When the batches that are there already cannot be read.
    """
    with _reaching(inbox):
        from fsspec.core import url_to_fs

        files, root = url_to_fs(inbox)
        waiting = _waiting(files, root)
    present = {batch.name: batch for batch in load_batches(to)} if to.is_dir() else {}
    by_name = _by_name(waiting)
    status = DONE
    ends = Counter(added=0, refused=0, known=0)
    for item in waiting:
        clashing = [other.place for other in by_name[item.name] if other != item]
        with tempfile.TemporaryDirectory() as folder:
            local = Path(folder) / Path(item.path).name
            try:
                with _reaching(inbox):
                    _fetch(files, item, local)
            except AnnotationError as error:
                print_refusal(error, item.name or item.place)
                status = REFUSED
                ends["refused"] += 1
                continue
            known = _known(item, local, present)
            if known:
                print(f"inbox: {item.place} passed over: it is batch {known} already")
                ends["known"] += 1
                continue
            try:
                _refuse_name(item, clashing, present)
                batch = _add(item, local, inbox, to)
                present[batch.name] = batch
                ends["added"] += 1
            except AnnotationError as error:
                print_refusal(error, item.name or item.place)
                status = REFUSED
                ends["refused"] += 1
    print(f"inbox: {ends['added']} added, {ends['refused']} refused, {ends['known']} there already")
    return status


def _fetch(files: AbstractFileSystem, item: Waiting, local: Path) -> None:
    """Copy an export entry by entry: `get` takes brackets and stars in a name for patterns, and follows links.

    Raises
    ------
    AnnotationError
        Names an entry that is no file or folder, or whose name, as a store may have it, leads elsewhere.
    """
    waiting = [(item.path, local)]
    while waiting:
        path, target = waiting.pop()
        try:
            about = files.info(path)
        except FileNotFoundError:
            problem = "holds a link that leads nowhere, or an entry that was removed meanwhile"
            raise AnnotationError(problem, "Put the files themselves there", item.place) from None
        if about.get("islink") or about["type"] not in ("file", "directory") or target.name in ("", ".."):
            problem = "holds a link, or what is no regular file or has no usable name"
            raise AnnotationError(problem, "Put the files themselves there", item.place)
        if about["type"] == "file":
            files.get_file(path, str(target))
            continue
        target.mkdir()
        inner = (listed.rstrip("/") for listed in files.ls(path, detail=False))
        waiting += [(entry, target / entry.rsplit("/", 1)[-1]) for entry in inner if entry != path.rstrip("/")]


def _by_name(waiting: Sequence[Waiting]) -> dict[str, list[Waiting]]:
    by_name: dict[str, list[Waiting]] = {}
    for item in waiting:
        by_name.setdefault(item.name, []).append(item)
    return by_name


def _known(item: Waiting, local: Path, present: Mapping[str, Batch]) -> str | None:
    """Return the name of the batch that has exactly these files, whatever they were called."""
    try:
        content = sorted(digest(file.path) for file in list_files(local))
    except AnnotationError:  # said when it is added
        return None
    for batch in present.values():
        if batch.about.format == item.format and sorted(batch.about.sha256.values()) == content:
            return batch.name
    return None


def _refuse_name(item: Waiting, clashing: Sequence[str], present: Mapping[str, Batch]) -> None:
    """Refuse an export that cannot have its name."""
    if clashing:
        others = " and ".join(clashing)
        raise AnnotationError(
            f"{item.place} and {others} would be the batch of one name, {item.name}", "Rename one of them", item.place
        )
    if item.name in present:
        files = ", ".join(sorted(present[item.name].about.sha256)[:3])
        raise AnnotationError(
            f"{item.place} has another content than the batch {item.name}, which was added from {files}",
            "Give it a name of its own: batches are immutable, a correction is a new one",
            item.place,
        )


@contextmanager
def _reaching(inbox: str) -> Iterator[None]:
    """Say which inbox it was when it cannot be read: every store has exceptions of its own."""
    try:
        yield
    except BeHealthyError:
        raise
    except Exception as error:
        raise InboxError(f"{inbox} cannot be read ({type(error).__name__}: {error}): check it and the keys") from error


def _waiting(files: AbstractFileSystem, root: str) -> list[Waiting]:
    waiting = []
    for folder, format in _entries(files, root):
        if format not in READERS or not files.isdir(folder):
            raise InboxError(f"{format} in the inbox is not a folder named after a format: {', '.join(READERS)}")
        for path, name in _entries(files, folder):
            is_folder = files.isdir(path)
            stem = name if is_folder else PurePosixPath(name).stem
            waiting.append(Waiting(path, format, legal_name(stem), is_folder))
    return waiting


def _entries(files: AbstractFileSystem, folder: str) -> Iterator[tuple[str, str]]:
    """Yield path and name of what lies in a folder, and say what is hidden."""
    for listed in sorted(files.ls(folder, detail=False)):
        path = listed.rstrip("/")
        name = path.rsplit("/", 1)[-1]
        if path == folder.rstrip("/"):  # some stores list the folder itself
            continue
        if name.startswith("."):
            print(f"inbox: {name} passed over: it is hidden")
            continue
        yield path, name


def legal_name(stem: str) -> str:
    """Return the name of the batch that an export of this name becomes.

    >>> legal_name("Ward-3.2024_01")
    'ward-3-2024-01'
    """
    return re.sub("[^a-z0-9]+", "-", stem.lower()).strip("-")


def _add(item: Waiting, local: Path, inbox: str, to: Path) -> Batch:
    request = Request(local, item.format, item.name, None, None, f"{inbox.rstrip('/')}/{item.format}", None, to)
    batch, documents, warnings = add(request)
    size = f"{counted(len(documents), 'document')}, {counted(len(warnings), 'warning')}"
    labels = documents[0].labels or ()
    some = f", annotates {' and '.join(labels)} only" if len(labels) < len(load_labels()) else ""
    print(f"added batch {batch.name}, number {batch.order}: {size}{some}")
    return batch


if __name__ == "__main__":
    sys.exit(main())

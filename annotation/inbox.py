"""Add the batches that wait in an inbox: `python -m annotation.inbox s3://BUCKET/inbox` (or a local folder).

An export lies there as ``FORMAT/NAME`` or ``FORMAT/NAME.EXTENSION``, a file or a folder: format and name of the batch.
What is a batch already is passed over, so that nothing has to be removed from the inbox, and this may run at any time.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from annotation.add import SUCCESS, Request, add
from annotation.command import refuse
from stages.common.errors import AnnotationError, BeHealthyError
from stages.prepare.formats import READERS

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


@dataclass(frozen=True)
class Waiting:
    """An export in the inbox."""

    path: str
    format: str
    name: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 when all that waits is added, 1 when the inbox cannot be read, 2 when a batch was refused."""
    parser = argparse.ArgumentParser(prog="python -m annotation.inbox", description=__doc__)
    parser.add_argument("inbox", help="folder or URL that holds FORMAT/NAME")
    parser.add_argument("--to", type=Path, default=Path("data/annotations"), help="folder of the batches")
    chosen = parser.parse_args(arguments)
    try:
        return collect(chosen.inbox, chosen.to)
    except InboxError as error:
        print(f"inbox: {error}", file=sys.stderr)
        return 1


class InboxError(BeHealthyError):
    """The inbox cannot be read."""


def collect(inbox: str, to: Path) -> int:
    """Add what waits, in the order of names; go on after a refusal, and return 2 if there was one.

    Raises
    ------
    InboxError
        When the inbox cannot be reached or holds something that names no format.
    """
    with _reaching(inbox):
        from fsspec.core import url_to_fs

        files, root = url_to_fs(inbox)
        waiting = [item for item in _waiting(files, root) if not (to / item.name).exists()]
    status = SUCCESS
    for item in waiting:
        with tempfile.TemporaryDirectory() as folder:
            local = Path(folder) / Path(item.path).name
            with _reaching(inbox):
                files.get(item.path, str(local), recursive=files.isdir(item.path))
            status = max(status, _add(item, local, inbox, to))
    print(f"inbox: {len(waiting)} new")
    return status


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
    found = []
    for folder in sorted(files.ls(root, detail=False)):
        format = folder.rstrip("/").rsplit("/", 1)[-1]
        if format not in READERS or not files.isdir(folder):
            raise InboxError(f"{format} in the inbox is not a folder named after a format: {', '.join(READERS)}")
        for path in sorted(files.ls(folder, detail=False)):
            name = path.rstrip("/").rsplit("/", 1)[-1]
            if path.rstrip("/") != folder.rstrip("/"):  # some stores list the folder itself
                found.append(Waiting(path.rstrip("/"), format, name.split(".")[0].lower()))
    return found


def _add(item: Waiting, local: Path, inbox: str, to: Path) -> int:
    request = Request(local, item.format, item.name, None, None, f"{inbox.rstrip('/')}/{item.format}", None, to)
    try:
        batch, documents, warnings = add(request)
    except AnnotationError as error:
        return refuse(error, item.name)
    print(f"added batch {batch.name}, number {batch.order}: {len(documents)} documents, {len(warnings)} warnings")
    return SUCCESS


if __name__ == "__main__":
    sys.exit(main())

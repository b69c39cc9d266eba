"""Where to: a folder of parts that knows its own name, so that a result comes into it once.

A part is written whole into a hidden folder, flushed to the disk, and entered in the ledger (the table `exported`)
in one transaction; only then does it get its name. Who is killed before the transaction leaves a hidden folder that
the ledger does not know: it is thrown away. Who is killed after it leaves one that the ledger knows: it gets its name
when the same command runs again. Whoever takes parts from the folder never sees one that is taken back.
"""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING

import sqlalchemy as sa

from production.database.schema import EXPORTED
from production.export.results import Key
from stages.common.errors import BeHealthyError
from stages.common.files import read_json, write_text
from stages.monitor.times import as_utc

if TYPE_CHECKING:
    from sqlalchemy import Engine

NAME_FILE = ".target"
_STAMP = "%Y%m%dT%H%M%S.%fZ"
_PREPARED = re.compile(r"\.part-(\d{8}T\d{6}\.\d{6}Z)")


class TargetError(BeHealthyError):
    """The folder cannot take this export."""


@dataclass(frozen=True)
class Target:
    """A folder of parts, and what the ledger calls it.

    Parameters
    ----------
    folder : Path
    name : str
        The format, and what was drawn for the folder when it was made: a folder that is moved keeps what it has,
        one that is made anew in the same place has nothing.
    """

    folder: Path
    name: str


def open_target(folder: Path, format: str, engine: Engine) -> Target:
    """Make a folder of parts or take the one that is there, and end what a process left that was killed.

    Raises
    ------
    TargetError
        When the folder holds something else, or another format.
    """
    name = folder / NAME_FILE
    if not name.is_file():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise TargetError(f"{folder} holds something else than exports: choose another --to, or empty it")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _name(folder, format)
    try:
        content = read_json(name)
        target = Target(folder, f"{content['format']} {content['id']}")
    except (ValueError, KeyError, TypeError):
        raise TargetError(f"{name} is damaged: choose another --to; it gets all results") from None
    if content["format"] != format:
        raise TargetError(f"{folder} holds {content['format']}, and not {format}: choose another --to")
    _end_parts(target, engine)
    return target


def renew(target: Target, format: str, engine: Engine) -> Target:
    """Give a folder another name, under which it has nothing yet: all is exported again, in parts of its own."""
    renewed = _name(target.folder, format)
    with engine.begin() as connection:
        connection.execute(sa.delete(EXPORTED).where(EXPORTED.c.target == target.name))
    return renewed


class Part:
    """A part that is being written; it is there when `commit` has returned, and gone when it was left without.

    Parameters
    ----------
    target : Target
    engine : Engine
    """

    def __init__(self, target: Target, engine: Engine) -> None:
        self._target, self._engine = target, engine
        self._at = _next_time(target, engine)
        self._files: list[IO[bytes]] = []
        self.path = target.folder / f".part-{self._at.strftime(_STAMP)}"
        self.path.mkdir(mode=0o700)

    def open(self, name: str) -> IO[bytes]:
        """Open a file of the part; only its owner may read it."""
        path = self.path / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        return os.fdopen(descriptor, "wb")

    def commit(self, keys: Sequence[Key]) -> Path:
        """Enter results in the ledger, and give the part its name; its files must be closed.

        Returns
        -------
        Path
            The part.
        """
        _flush(self.path)
        rows = [{"target": self._target.name, **key._asdict(), "at": self._at} for key in keys]
        same = (EXPORTED.c[name] == sa.bindparam(f"its_{name}") for name in ("target", *Key._fields))
        with self._engine.begin() as connection:
            its = [{f"its_{name}": value for name, value in row.items() if name != "at"} for row in rows]
            connection.execute(sa.delete(EXPORTED).where(*same), its)
            connection.execute(sa.insert(EXPORTED), rows)
        return _show(self.path)

    def discard(self) -> None:
        """Throw away what was written."""
        shutil.rmtree(self.path, ignore_errors=True)


def _name(folder: Path, format: str) -> Target:
    drawn = uuid.uuid4().hex
    write_text(folder / NAME_FILE, f'{{"format": "{format}", "id": "{drawn}"}}\n', private=True)
    return Target(folder, f"{format} {drawn}")


def _end_parts(target: Target, engine: Engine) -> None:
    for path in sorted(target.folder.iterdir()):
        stamp = _PREPARED.fullmatch(path.name)
        if stamp is None:
            continue
        at = datetime.strptime(stamp[1], _STAMP).replace(tzinfo=UTC)
        known = sa.select(sa.exists().where(EXPORTED.c.target == target.name, EXPORTED.c.at == at))
        with engine.connect() as connection:
            entered = bool(connection.execute(known).scalar_one())
        if entered:
            _show(path)
        else:
            shutil.rmtree(path)


def _next_time(target: Target, engine: Engine) -> datetime:
    """Return the time, later than that of any part before: parts are told apart, and ordered, by it."""
    latest = sa.select(sa.func.max(EXPORTED.c.at)).where(EXPORTED.c.target == target.name)
    with engine.connect() as connection:
        before = connection.execute(latest).scalar_one()
    now = datetime.now(UTC)
    return now if before is None else max(now, as_utc(before) + timedelta(microseconds=1))


def _show(prepared: Path) -> Path:
    path = prepared.with_name(prepared.name.removeprefix("."))
    prepared.rename(path)
    _flush_one(path.parent)
    return path


def _flush(folder: Path) -> None:
    """Make sure that all of a folder is on the disk: the ledger must not know what a power cut takes away."""
    for path in (*folder.rglob("*"), folder, folder.parent):
        _flush_one(path)


def _flush_one(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

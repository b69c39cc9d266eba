"""The key of the names in the serving log: in the environment, or in a file that only its owner can read."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from production.database.engine import DatabaseError, close_to_others, ensure_private
from stages.common.pseudonyms import KEY
from stages.common.variables import LOG_KEY

NAME = "log.key"


def log_key(folder: Path, in_use: Callable[[], bool] = lambda: False) -> str:
    """Return the key; make the file where there is neither, and take from others what they may do with it.

    Parameters
    ----------
    folder : Path
        Where the file stands: beside the database.
    in_use : callable
        Whether there are names already, which another key would let begin anew.

    Raises
    ------
    DatabaseError
        When what is there is no key, or when the key of the names that there are is lost.
    """
    file = folder / NAME
    key = os.environ.get(LOG_KEY)
    if key is None:
        if not file.exists():
            _refuse_lost(file, in_use)
            _make(file)
        close_to_others(file)
        key = file.read_text(encoding="ascii", errors="replace").strip()
    if not re.fullmatch(KEY, key):
        raise DatabaseError(
            f"{LOG_KEY if LOG_KEY in os.environ else file.name} is no key: it has 32 hexadecimal digits in lower case"
            " (`openssl rand -hex 16`); with another key, the names in the serving log begin anew"
        )
    return key


def new_key(folder: Path) -> Path:
    """Make a key where there is none, whatever names there are; return its file.

    Raises
    ------
    DatabaseError
        When there is one: with another key, names begin anew.
    """
    file = folder / NAME
    if file.exists():
        raise DatabaseError(f"{file.name} is there already: the names in the serving log go on with it")
    _make(file)
    return file


def _refuse_lost(file: Path, in_use: Callable[[], bool]) -> None:
    if in_use() and not file.exists():  # another worker may have made it, and used it at once
        raise DatabaseError(
            f"the serving log has names, and their key {file.name} is not there: restore it from its backup, or set"
            f" {LOG_KEY}; `python -m production.log new-key` makes another one, with which the names begin anew"
        )


def _make(file: Path) -> None:
    """Write a new key, whole or not at all; of two processes that do it at once, one wins."""
    ensure_private(file.parent)
    own = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as written:
        written.write(secrets.token_hex(16) + "\n")
        written.flush()
        os.fsync(descriptor)
    with suppress(FileExistsError):
        os.link(own, file)
    own.unlink()

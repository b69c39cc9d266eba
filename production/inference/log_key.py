"""The key of the names in the serving log: in the environment, or in a file that only its owner can read."""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

from production.database.engine import DatabaseError, ensure_private
from stages.common.pseudonyms import KEY
from stages.common.variables import LOG_KEY

NAME = "log.key"


def log_key(folder: Path) -> str:
    """Return the key; make the file where there is neither.

    Parameters
    ----------
    folder : Path
        Where the file stands: beside the database.

    Raises
    ------
    DatabaseError
        When what is there is no key.
    """
    file = folder / NAME
    key = os.environ.get(LOG_KEY)
    if key is None:
        if not file.exists():
            _make(file)
        key = file.read_text(encoding="ascii", errors="replace").strip()
    if not re.fullmatch(KEY, key):
        raise DatabaseError(
            f"{LOG_KEY if LOG_KEY in os.environ else file.name} is no key: it has 32 hexadecimal digits in lower case"
            " (`openssl rand -hex 16`); with another key, the names in the serving log begin anew"
        )
    return key


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

"""How production reaches its database: an embedded SQLite file, or PostgreSQL by an address in the environment.

Both are read and written by the same statements. What differs is here: the address, who may read the file, and how
a transaction begins. No message has anything of the address, which may hold a password, nor of a statement's values,
which may be notes.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.common.errors import BeHealthyError
from stages.common.variables import DATABASE

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

FILE = Path("data/production/behealthy.db")
BUSY_SECONDS = 60.0
"""How long a statement waits for another process's transaction on SQLite."""

_ALIVE = {"keepalives_idle": "60", "keepalives_interval": "10", "keepalives_count": "6", "tcp_user_timeout": "120000"}
"""After two minutes a server that is gone without a word is an error; by the system's own settings after two hours."""
_READING = "behealthy_reading"
_POSTGRESQL = ("postgres", "postgresql")


class DatabaseError(BeHealthyError):
    """The database is not there, does not answer, or is not of this revision of the code."""


def address(url: str | None = None) -> URL:
    """Return where the database is: `url`, or what the environment says, or the file `FILE`.

    Raises
    ------
    DatabaseError
        When it is no address of SQLite or PostgreSQL.
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    given = url or os.environ.get(DATABASE) or f"sqlite:///{FILE}"
    try:
        made = make_url(given)
    except (ArgumentError, ValueError):
        raise DatabaseError(f"{DATABASE} is no address of a database: {_FORM}") from None
    if made.drivername in _POSTGRESQL:
        made = made.set(drivername="postgresql+psycopg")
    if made.drivername not in ("postgresql+psycopg", "sqlite"):
        raise DatabaseError(f"{DATABASE} names neither SQLite nor PostgreSQL: {_FORM}")
    if made.drivername == "sqlite" and made.database in (None, "", ":memory:"):
        raise DatabaseError(f"{DATABASE} names no file: {_FORM}")
    return made


_FORM = "write postgresql://user:password@host/name or sqlite:///path/to/file.db, or unset it for the file of its own"


def file_of(url: URL) -> Path | None:
    """Return the file of SQLite, None for PostgreSQL."""
    return Path(str(url.database)) if url.drivername == "sqlite" else None


def folder_of(url: URL) -> Path:
    """Return the private folder of what stands beside the database: keys, models, locks."""
    file = file_of(url)
    return file.parent if file else FILE.parent


def ensure_private(folder: Path) -> None:
    """Make a folder that only its owner may enter; a folder that is there keeps its other uses and its modes."""
    if not folder.is_dir():
        folder.mkdir(parents=True, mode=0o700)
        folder.chmod(0o700)


def make_engine(url: URL | None = None, *, create: bool = False) -> Engine:
    """Return an engine; nothing is connected yet.

    Parameters
    ----------
    url : URL, optional
        As `address` returns it.
    create : bool
        Make the SQLite file where there is none. Without it, it is an error that names the command.

    Raises
    ------
    DatabaseError
        When the SQLite file is not there.
    """
    from sqlalchemy import create_engine

    url = url or address()
    file = file_of(url)
    if file is None:
        alive = {name: value for name, value in _ALIVE.items() if name not in url.query}
        return create_engine(url, hide_parameters=True, pool_pre_ping=True, pool_size=2, connect_args=alive)
    if create:
        ensure_private(file.parent)
        # SQLite gives its journal the mode of the file.
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    elif not file.is_file():
        raise DatabaseError("there is no database yet: `python -m production.database build` makes it")
    for path in (file, *(file.with_name(f"{file.name}-{kind}") for kind in ("wal", "shm"))):
        close_to_others(path)
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS})
    _prepare_sqlite(engine)
    _keep_to_file(engine, file.absolute())
    return engine


def close_to_others(file: Path) -> None:
    """Take from all but its owner what a copy or a backup let them do with a file."""
    with suppress(FileNotFoundError, PermissionError):  # not there; or of somebody else, who does it
        mode = stat.S_IMODE(file.stat().st_mode)
        if mode & 0o077:
            file.chmod(mode & 0o700)


def _prepare_sqlite(engine: Engine) -> None:
    from sqlalchemy import event

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # `begin` below says which kind of transaction it is
        for setting in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {setting}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that reads first and writes then would fail where another has written in between.
        reads = connection.get_execution_options().get(_READING)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _keep_to_file(engine: Engine, file: Path) -> None:
    """Refuse every transaction once the file is gone or another: SQLite would go on with what has no name any more."""
    from sqlalchemy import event

    opened = _identity(file)

    def refuse_another(*_: Any) -> None:
        if _identity(file) != opened:
            raise DatabaseError(
                "the file of the database was deleted or replaced while it was in use: end all that still uses it,"
                " put the right file there, and start the same again"
            )

    event.listen(engine, "do_connect", refuse_another)  # would make an empty file
    event.listen(engine, "checkout", refuse_another)


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Read within one transaction, which keeps nobody from writing."""
    with engine.connect().execution_options(**{_READING: True}) as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Read and write within one transaction: all of it is written with the end of the block, or nothing."""
    with engine.begin() as connection:
        yield connection


@contextmanager
def database_session() -> Iterator[None]:
    """Let a command use the database within the block; what it refuses becomes an error without values.

    Raises
    ------
    DatabaseError
        When the database did not do what was asked of it.
    """
    try:
        yield
    except BeHealthyError:
        raise
    except Exception as error:
        from sqlalchemy.exc import DBAPIError

        if not isinstance(error, DBAPIError):
            raise
        raise DatabaseError(
            f"the database did not do it ({kind_of(error)}): see that it runs and has room, then run the same again;"
            " what was written is whole"
        ) from None


def kind_of(error: Exception) -> str:
    """Name what a database refused without what it says of it: that may quote a note, or the address."""
    original = getattr(error, "orig", None)
    code = getattr(original, "sqlstate", None) or getattr(original, "sqlite_errorname", None)
    name = type(original or error).__name__
    return f"{name}, {code}" if code else name

"""Of which revision a database is, and how it comes to that of the code: Alembic's migrations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from production.database.engine import DatabaseError, kind_of, make_engine

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from sqlalchemy import Connection, Engine

MIGRATIONS = Path(__file__).with_name("migrations")
BUILD = "`python -m production.database build`"


def _config(connection: Connection | None = None) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _scripts() -> ScriptDirectory:
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config())


def newest() -> str:
    """Return the revision of the code."""
    return str(_scripts().get_current_head())


def revision_of(connection: Connection) -> str | None:
    """Return the revision of a database, None where it has no tables of ours."""
    from alembic.migration import MigrationContext

    return MigrationContext.configure(connection).get_current_revision()


def migrate(engine: Engine, target: str = "head") -> tuple[str | None, str | None]:
    """Bring a database to a revision, up or down, in one transaction; return the revisions before and after.

    Raises
    ------
    DatabaseError
        When the database is of a revision that this code does not know.
    """
    from alembic import command
    from sqlalchemy import text

    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(4711)"))  # one migrates, others wait
        before = revision_of(connection)
        _refuse_newer(before)
        config = _config(connection)
        known = list(reversed([script.revision for script in _scripts().walk_revisions()]))
        goal = None if target == "base" else known[-1] if target == "head" else target
        down = before is not None and (goal is None or known.index(goal) < known.index(before))
        (command.downgrade if down else command.upgrade)(config, target)
        return before, revision_of(connection)


def _refuse_newer(revision: str | None) -> None:
    known = {script.revision for script in _scripts().walk_revisions()}
    if revision is not None and revision not in known:
        raise DatabaseError(
            f"the database is of revision {revision}, which is newer than this code ({newest()}): check out the code"
            f" that migrated it (`git pull`), or restore the database from before"
        )


def check(engine: Engine) -> None:
    """Make sure that a database is of the revision of the code.

    Raises
    ------
    DatabaseError
        When it is missing, older or newer, with the command that mends it; or when it does not answer.
    """
    from sqlalchemy.exc import DBAPIError

    from production.database.engine import reading

    try:
        with reading(engine) as connection:
            revision = revision_of(connection)
    except DBAPIError as error:
        raise DatabaseError(
            f"the database does not answer ({kind_of(error)}): start it, or correct BEHEALTHY_DATABASE_URL"
        ) from None
    if revision is None:
        raise DatabaseError(f"the database has no tables yet: {BUILD} makes them")
    _refuse_newer(revision)
    if revision != newest():
        raise DatabaseError(
            f"the database is of revision {revision}, older than this code ({newest()}): {BUILD} migrates it"
        )


def open_database() -> Engine:
    """Return an engine of the database of this environment, which is of the revision of the code.

    Raises
    ------
    DatabaseError
        When it is not, or is not there; says which command mends it.
    """
    engine = make_engine()
    check(engine)
    return engine

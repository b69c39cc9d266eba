"""Databases of production, for the tests that try both kinds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.servers import postgres

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Engine

    from tests.served import Hospital


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The address of a PostgreSQL that all tests of this process share; `tests.production.empty` empties it."""
    with postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty database of either kind."""
    from tests.production import empty, sqlite_url

    made = empty(sqlite_url(tmp_path) if request.param == "sqlite" else request.getfixturevalue("postgresql"))
    yield made
    made.dispose()


@pytest.fixture
def hospital(engine: Engine) -> Hospital:
    """A hospital whose champion was promoted, and which nothing was served yet."""
    from tests.served import Hospital

    hospital = Hospital(engine)
    hospital.promote()
    return hospital


@pytest.fixture(scope="session")
def quiet_hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, datetime]]:
    """A database of quiet weeks in 1970, with notes, reviews and windows, and the end of the last one: only read it."""
    from tests.operated import EPOCH, operated
    from tests.production import empty, sqlite_url

    folder = tmp_path_factory.mktemp("quiet")
    engine = empty(sqlite_url(folder))
    yield engine, operated(engine, folder, monday=EPOCH, drift=0.0)
    engine.dispose()

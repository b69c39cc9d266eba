"""A small year that was lived, reviewed and watched, for tests of the roll-up and of the pages that read it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from production.rollup.place import Place
from production.watch.channels import Channels
from production.watch.running import Place as WatchPlace
from production.watch.running import watch
from stages.common.variables import DATABASE
from tests import simulated_year
from tests.production import empty, sqlite_url
from tests.repository import ROOT
from tests.served import MONDAY, WEEK, Hospital, params_of, watched
from tests.simulated_year import COLUMNS, YEAR_PARAMS, Truth, Year

WEEKS = 6
NOW = MONDAY + WEEKS * WEEK + simulated_year.SETTLED
"""When the last week was judged."""


def lived(folder: Path, weeks: int = WEEKS) -> Engine:
    """Live through some weeks, of which the last ones drift, and half of the accepted mentions are wrong in them."""
    engine = empty(sqlite_url(folder))
    params = YEAR_PARAMS.model_copy(update={"reference_notes": 500})
    year = Year(engine, folder, _truth, params=params, slices=("speciality", "note_type"), sending=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulated_year, "COLUMNS", COLUMNS.model_copy(update={"slices": ["speciality"]}))
        for _ in year.weeks(0, weeks - 1):
            pass
    return engine


def _truth(week: int) -> Truth:
    return Truth(drift=0.4, precision=0.5) if week >= WEEKS - 2 else Truth()


def unheard(engine: Engine, folder: Path) -> None:
    """Judge a week in which nothing was served."""
    hospital = Hospital(engine)
    hospital.promote()
    profile = hospital.profile(folder / "profile.parquet", 100)
    where = WatchPlace(engine, params_of(), watched("tokens"), 0.95, Channels(), profile)
    assert len(list(watch(where, day(8)))) == 1


def place_of(engine: Engine) -> Place:
    """Return where the roll-up looks, by the parameters of the repository."""
    return Place.open(engine)


def at(patch: pytest.MonkeyPatch, engine: Engine) -> None:
    """Let commands and pages find a database, as they do from the root of the repository."""
    patch.setenv(DATABASE, engine.url.render_as_string(hide_password=False))
    patch.chdir(ROOT)


def day(number: float) -> datetime:
    """Return a moment, by days since the year began."""
    return MONDAY + number * WEEK / 7

"""The watch while others write: rows go, batches lie among each other, a reset or another champion comes in between."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import delete, update

from production.database.engine import writing
from production.database.schema import SERVING_LOG
from production.database.watch_tables import DECISIONS, WATCH_REFERENCES, WATCH_WINDOWS
from production.log.exporting import Window, export_log
from production.log.folder import open_folder
from production.watch import running
from production.watch.channels import load_channels
from production.watch.judging import Judged
from production.watch.keeping import reset
from production.watch.periods import SETTLED
from production.watch.running import Place, watch
from tests.served import MONDAY, NOTES, WEEK, Hospital, params_of, watched
from tests.watching import rows


def at(week: float) -> Any:
    return MONDAY + week * WEEK + SETTLED


@pytest.fixture
def place_of(hospital: Hospital, tmp_path: Path) -> Callable[..., Place]:
    profile = hospital.profile(tmp_path / "profile.parquet", 400)

    def make(**changed: Any) -> Place:
        params = params_of(**changed)
        return Place(hospital.engine, params, watched("speciality", "tokens"), 0.95, load_channels(params, {}), profile)

    return make


def judge(place: Place, week: float) -> list[Judged]:
    return list(watch(place, at(week)))


@pytest.mark.parametrize("how", ["reset", "champion"])
def test_nothing_follows_from_windows_of_a_reign_that_ended_while_they_were_judged(
    hospital: Hospital,
    place_of: Callable[..., Place],
    how: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    place = place_of()
    hospital.weeks(0, 2, 400)
    hospital.weeks(3, 4, 400, drift=0.3)
    keep, calls = running.keep, iter(range(100))

    def disturbed(*given: Any) -> Any:
        if next(calls) == 3:  # the first one that drifts
            if how == "reset":
                reset(hospital.engine, "a new ward", at(5), place.params, place.channels)
            else:
                hospital.promote("2", at(5))
        return keep(*given)

    monkeypatch.setattr(running, "keep", disturbed)
    assert len(judge(place, 5)) == 3
    assert "2026-W05 is of a time that is over" in capsys.readouterr().err
    assert len(rows(hospital.engine, WATCH_WINDOWS)) == 3
    assert {row.kind for row in rows(hospital.engine, DECISIONS)} <= {"window", "reset"}
    assert judge(place, 5) == []  # the new reign has none yet


def test_rows_that_are_deleted_move_no_window_of_so_many(hospital: Hospital, place_of: Callable[..., Place]) -> None:
    place = place_of(window="count-100", reference_notes=200)
    hospital.weeks(0, 3, NOTES)
    assert [one.period.first for one in judge(place, 4)] == [1, 101, 201, 301]
    with writing(hospital.engine) as connection:
        connection.execute(delete(SERVING_LOG).where(SERVING_LOG.c.log_id <= 30))
    assert judge(place, 4) == []
    hospital.weeks(4, 4, NOTES)
    assert [one.period.first for one in judge(place, 5)] == [401, 501]


def test_windows_of_so_many_rows_may_overlap_in_time(hospital: Hospital, place_of: Callable[..., Place]) -> None:
    """Two workers write their batches among each other; rows are numbered by when they were written."""
    place = place_of(window="count-100", reference_notes=200)
    hospital.weeks(0, 2, NOTES)
    early = MONDAY + timedelta(hours=1)
    with writing(hospital.engine) as connection:
        for number in (150, 201, 301):  # the last of these began before those of the windows before it
            change = update(SERVING_LOG).where(SERVING_LOG.c.log_id == number)
            connection.execute(change.values(served_at=early + timedelta(seconds=number)))
    hospital.serve(MONDAY + 3 * WEEK, NOTES)
    found = judge(place, 4)
    assert [one.reference for one in found] == ["profile", "profile", "served", "served"]
    assert "unknown" not in [one.finding.decision for one in found]


def test_windows_without_notes_make_no_reference(hospital: Hospital, place_of: Callable[..., Place]) -> None:
    place = place_of(reference_windows=2)
    hospital.weeks(3, 6, NOTES)
    found = judge(place, 7)
    assert [one.finding.decision == "unknown" for one in found] == [True] * 3 + [False] * 4
    assert [one.reference for one in found] == ["profile"] * 4 + ["served"] * 3
    assert len(rows(hospital.engine, WATCH_REFERENCES)) == 1


@pytest.mark.parametrize("column", ["model_version", "served_at", "note", "probability"])
def test_a_folder_that_cannot_be_read_is_unknown_and_is_kept(
    hospital: Hospital, place_of: Callable[..., Place], tmp_path: Path, column: str
) -> None:
    hospital.weeks(0, 1, NOTES)
    export_log(hospital.engine, open_folder(str(tmp_path / "log")), Window())
    for part in (tmp_path / "log").rglob("*.parquet"):
        frame = pd.read_parquet(part, partitioning=None)
        spoiled = frame.assign(probability=0.0) if column == "probability" else frame.drop(columns=column)
        spoiled.to_parquet(part)
    place = Place(**{**vars(place_of()), "log": tmp_path / "log"})
    assert [one.finding.decision for one in judge(place, 2)] == ["unknown", "unknown"]
    assert len(rows(hospital.engine, WATCH_WINDOWS)) == 2
    assert str(tmp_path) not in str(rows(hospital.engine, DECISIONS))

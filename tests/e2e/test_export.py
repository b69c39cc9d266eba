"""Exports and the serving log on a real PostgreSQL and S3."""

from __future__ import annotations

import csv
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from production.export.exporting import export
from production.export.formats import FORMATS, Settings, load_format
from production.export.results import STEP, Scope, _due
from production.export.target import open_target
from production.log.exporting import export_log
from production.log.folder import Numbers, open_folder
from tests.results import START, add_notes, add_results, add_version, fill_with_tables, log_rows, make_champion
from tests.servers import object_store, postgres

pytestmark = pytest.mark.slow
NOTES = range(1, 2 * STEP + 1)
COPY = """
insert into serving_log (served_at, model_version, probability, row)
select served_at, model_version, probability, row from serving_log
"""


@pytest.fixture(scope="module")
def database() -> Iterator[sa.Engine]:
    with postgres() as address:
        engine = sa.create_engine(address)
        fill_with_tables(engine)
        add_version(engine, "1")
        add_notes(engine, NOTES)
        add_results(engine, NOTES, "1")
        yield engine
        engine.dispose()


def notes_in(folder: Path) -> list[int]:
    rows = []
    for part in sorted(folder.glob("part-*")):
        with (part / "notes.csv").open(encoding="utf-8", newline="") as file:
            rows += [int(row["note_id"]) for row in csv.DictReader(file)]
    return rows


def into(folder: Path, engine: sa.Engine, format: str) -> int:
    target = open_target(folder, format, engine)
    return export(engine, Scope(), target, load_format(format), Settings(), notes_per_part=STEP).notes


@pytest.mark.parametrize("format", FORMATS)
def test_every_note_is_exported_once(database, tmp_path, format):
    assert into(tmp_path / "out", database, format) == len(NOTES)
    assert notes_in(tmp_path / "out") == list(NOTES)
    assert into(tmp_path / "out", database, format) == 0


def test_a_new_version_and_a_rollback(database, tmp_path):
    into(tmp_path / "out", database, "csv")
    add_version(database, "2", START + timedelta(days=1))
    add_results(database, [7], "2")
    assert into(tmp_path / "out", database, "csv") == 1
    make_champion(database, "1", START + timedelta(days=2))
    assert into(tmp_path / "out", database, "csv") == 1
    assert into(tmp_path / "out", database, "csv") == 0


def test_a_part_that_was_entered_and_not_shown_is_shown(database, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("production.export.target._show", lambda path: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            monkeypatch.setattr("production.export.target.Part.discard", lambda self: None)
            into(tmp_path / "out", database, "csv")
    assert notes_in(tmp_path / "out") == []
    assert into(tmp_path / "out", database, "csv") == len(NOTES) - STEP
    assert notes_in(tmp_path / "out") == list(NOTES)


def test_only_the_notes_of_a_step_are_ranked(database):
    """The view ranks the results of each note: of those that are asked for, not of all."""
    with database.connect() as connection:
        connection.execute(sa.text("set enable_seqscan = off"))
        query = _due(Scope(), "csv x", 1, 250).compile(database, compile_kwargs={"literal_binds": True})
        plan = "\n".join(connection.scalars(sa.text(f"explain {query}".replace(":", "\\:"))))
    assert "Seq Scan on results" not in plan and "note_id >= 1" in plan.partition("WindowAgg")[2]


def test_a_row_that_is_committed_late_is_not_left_out(database, tmp_path):
    """PostgreSQL numbers rows before it commits them."""
    folder = open_folder(str(tmp_path / "log"))
    log_rows(database, [START])
    with database.connect() as slow:
        slow.execute(sa.text(COPY))
        log_rows(database, [START] * 3)
        done = threading.Thread(target=export_log, args=(database, folder))
        done.start()
        time.sleep(1)
        assert done.is_alive() and folder.parts() == {}
        slow.commit()
    done.join(30)
    assert list(folder.parts()) == [Numbers(1, 5)]
    assert export_log(database, folder) == (0, 0)


def test_the_serving_log_on_s3(database, tmp_path, monkeypatch):
    with object_store(tmp_path / "s3") as store:
        for name, value in store.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        log_rows(database, [START + timedelta(hours=hour) for hour in range(100)])
        folder = open_folder("s3://behealthy/serving-log")
        written = export_log(database, folder, rows=30)
        assert written.rows >= 100 and export_log(database, folder) == (0, 0)
        log_rows(database, [START])
        assert export_log(database, folder) == (1, 1)
        kept = sorted((tmp_path / "s3/behealthy/serving-log/served_month=2026-11").glob("part-*.parquet"))
        assert len(kept) == written.parts + 1

"""The serving log: from the database into parts by month, and a window of them for the monitor."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from production.log import __main__ as command
from production.log.exporting import Window, export_log
from production.log.folder import LogError, LogFolder, Numbers, gaps, open_folder
from stages.common.errors import BeHealthyError
from stages.common.tables import serving_log
from stages.monitor import __main__ as monitor
from stages.monitor.window import Window as Judged
from stages.monitor.window import equally_likely, read_window
from tests.labels import LABELS
from tests.repository import ROOT
from tests.results import START, empty_database, log_rows, serve

OCTOBER, DECEMBER = START - timedelta(hours=1), START + timedelta(days=30)


def hours(*numbers: float) -> list[datetime]:
    return [START + timedelta(hours=number) for number in numbers]


@pytest.fixture
def database(tmp_path: Path) -> sa.Engine:
    engine = empty_database(tmp_path / "notes.db")
    log_rows(engine, [OCTOBER, *hours(1, 2, 3), DECEMBER])
    return engine


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.parquet"))


def numbers_in(folder: Path) -> list[int]:
    files = sorted(folder.rglob("*.parquet"))
    return sorted(n for path in files for n in pq.read_table(path, partitioning=None)["log_id"].to_pylist())


def test_months_are_folders_and_parts_are_named_by_their_rows(database, tmp_path):
    assert export_log(database, open_folder(str(tmp_path / "log"))) == (5, 3)
    assert names(tmp_path / "log") == [
        "served_month=2026-10/part-000000000001-000000000001.parquet",
        "served_month=2026-11/part-000000000002-000000000004.parquet",
        "served_month=2026-12/part-000000000005-000000000005.parquet",
    ]
    november = pq.read_table(tmp_path / "log" / names(tmp_path / "log")[1], partitioning=None)
    assert november.schema.names[:4] == ["log_id", "served_at", "model_version", "probability"]
    assert set(serving_log(LABELS).names) <= set(november.schema.names)
    assert november["served_at"].to_pylist() == hours(1, 2, 3)


def test_the_folder_can_be_read_by_what_makes_columns_of_folder_names(database, tmp_path):
    export_log(database, open_folder(str(tmp_path / "log")))
    frame = pd.read_parquet(tmp_path / "log")
    assert list(frame["log_id"]) == [1, 2, 3, 4, 5] and {"month", "served_month"} <= set(frame)


def test_what_is_there_is_not_written_again(database, tmp_path):
    folder = open_folder(str(tmp_path / "log"))
    export_log(database, folder)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "log").rglob("*.parquet")}
    assert export_log(database, folder) == (0, 0)
    log_rows(database, [DECEMBER])
    assert export_log(database, folder) == (1, 1)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert numbers_in(tmp_path / "log") == [1, 2, 3, 4, 5, 6]


def test_windows_in_any_order_are_the_whole_log_in_the_end(tmp_path):
    engine, folder = empty_database(tmp_path / "notes.db"), open_folder(str(tmp_path / "log"))
    log_rows(engine, hours(5, 1, 6, 2, 7, 3, 8))  # served at another time than written
    assert export_log(engine, folder, Window(hours(5)[0], None)).rows == 4
    assert numbers_in(tmp_path / "log") == [1, 3, 5, 7]
    assert export_log(engine, folder, Window(None, hours(3)[0])).rows == 2
    assert export_log(engine, folder, Window(hours(3)[0], hours(5)[0])).rows == 1
    assert export_log(engine, folder) == (0, 0)
    assert numbers_in(tmp_path / "log") == [1, 2, 3, 4, 5, 6, 7]


def test_numbers_that_no_row_has_do_not_cut_a_part(tmp_path):
    engine, folder = empty_database(tmp_path / "notes.db"), open_folder(str(tmp_path / "log"))
    log_rows(engine, hours(1, 2), first=3)
    log_rows(engine, hours(3), first=9)
    assert export_log(engine, folder) == (3, 1)
    assert list(folder.parts()) == [Numbers(3, 9)]


def test_long_runs_and_other_columns_begin_a_part(tmp_path):
    engine, folder = empty_database(tmp_path / "notes.db"), open_folder(str(tmp_path / "log"))
    log_rows(engine, hours(1, 2, 3))
    log_rows(engine, hours(4), symptoms=2)
    assert export_log(engine, folder, rows=2) == (4, 3)
    assert list(folder.parts()) == [Numbers(1, 2), Numbers(3, 3), Numbers(4, 4)]
    frame = read_window(tmp_path / "log", Judged())
    assert frame["symptoms"].isna().sum() == 3


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 7, 100])
def test_no_size_of_part_loses_a_row(tmp_path, rows):
    engine, folder = empty_database(tmp_path / "notes.db"), open_folder(str(tmp_path / "log"))
    log_rows(engine, hours(*range(-3, 4)))
    export_log(engine, folder, rows=rows)
    assert numbers_in(tmp_path / "log") == [1, 2, 3, 4, 5, 6, 7]


def test_rows_of_another_database_are_refused(database, tmp_path):
    folder = open_folder(str(tmp_path / "log"))
    export_log(database, folder)
    for number, times in enumerate((hours(1, 2), hours(1, 2, 3, 4, 5, 6))):  # fewer rows, and others
        other = empty_database(tmp_path / f"other{number}.db")
        log_rows(other, times)
        with pytest.raises(LogError, match="another database"):
            export_log(other, folder)


def test_old_rows_can_be_deleted_and_no_number_comes_twice(database, tmp_path):
    folder = open_folder(str(tmp_path / "log"))
    export_log(database, folder)
    with database.begin() as connection:
        connection.execute(sa.text("delete from serving_log"))
    assert export_log(database, folder) == (0, 0)
    log_rows(database, [DECEMBER])
    assert export_log(database, folder) == (1, 1)
    assert numbers_in(tmp_path / "log") == [1, 2, 3, 4, 5, 6]


def test_stopped_between_parts_the_rest_is_written(database, tmp_path, monkeypatch):
    folder, write, written = open_folder(str(tmp_path / "log")), LogFolder.write, []

    def once(*arguments: object) -> None:
        if written:
            raise KeyboardInterrupt
        written.append(write(*arguments))  # type: ignore[arg-type, func-returns-value]

    with monkeypatch.context() as patched:
        patched.setattr(LogFolder, "write", once)
        with pytest.raises(KeyboardInterrupt):
            export_log(database, folder)
    assert numbers_in(tmp_path / "log") == [1]
    export_log(database, folder)
    assert numbers_in(tmp_path / "log") == [1, 2, 3, 4, 5]


def test_object_storage_gets_the_same_parts(database, tmp_path):
    folder = open_folder("memory://serving/log")
    assert export_log(database, folder) == (5, 3)
    assert export_log(database, folder) == (0, 0)
    assert list(folder.parts()) == [Numbers(1, 1), Numbers(2, 4), Numbers(5, 5)]
    log_rows(database, [DECEMBER])
    assert export_log(database, folder) == (1, 1)


def test_gaps():
    covered = [Numbers(2, 3), Numbers(3, 5), Numbers(9, 9)]
    assert gaps(covered, 1, 9) == [Numbers(1, 1), Numbers(6, 8)]
    assert gaps(covered, 4, 12) == [Numbers(6, 8), Numbers(10, 12)]
    assert gaps(covered, 3, 7) == [Numbers(6, 7)] and gaps(covered, 2, 5) == [] and gaps([], 1, 1) == [Numbers(1, 1)]


KILLED = """
import sys
import sqlalchemy as sa
from production.log.exporting import export_log
from production.log.folder import open_folder
engine = sa.create_engine("sqlite:///" + sys.argv[1])
print("ready", flush=True)
export_log(engine, open_folder(sys.argv[2]), rows=3)
print("done", flush=True)
"""


@pytest.mark.slow
def test_killed_again_and_again_every_row_is_in_one_part(tmp_path):
    engine, kills, ended = empty_database(tmp_path / "notes.db"), 0, b""
    log_rows(engine, hours(*range(600)))
    while b"done" not in ended:
        driver = [sys.executable, "-c", KILLED, str(tmp_path / "notes.db"), str(tmp_path / "log")]
        process = subprocess.Popen(driver, cwd=ROOT, stdout=subprocess.PIPE)
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        try:
            ended, _ = process.communicate(timeout=0.3 + 0.05 * (kills % 7) if kills < 12 else 60)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            kills += 1
    assert kills >= 2
    assert numbers_in(tmp_path / "log") == list(range(1, 601))


def test_the_command(database, tmp_path, monkeypatch, capsys):
    serve(database, monkeypatch)
    log = str(tmp_path / "log")
    assert command.main(["export", "--since", "2026-11-01", "--until", "2026-12-01", "--to", log]) == 0
    assert "3 rows in 1 part" in capsys.readouterr().out
    assert command.main(["export", "--to", log]) == 0
    assert command.main(["export", "--to", log]) == 0
    assert "nothing new" in capsys.readouterr().out
    monkeypatch.chdir(ROOT)
    (tmp_path / "link").symlink_to(ROOT / "docs")
    for taken in ("docs", f"file://{ROOT}/docs", str(tmp_path / "link")):
        assert command.main(["export", "--to", taken]) == 2
        assert "git tracks" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        command.main(["export", "--since", "2026-12-01", "--until", "2026-11-01"])


# -- the monitor's window


def exported(tmp_path: Path, rows: int = 300, **options: float) -> Path:
    """A log of that many notes, one an hour."""
    engine = empty_database(tmp_path / "served.db")
    log_rows(engine, hours(*range(rows)), **options)
    export_log(engine, open_folder(str(tmp_path / "log")), rows=50)
    return tmp_path / "log"


def test_a_window_is_from_since_to_before_until(database, tmp_path):
    export_log(database, open_folder(str(tmp_path / "log")))
    window = Judged(*hours(1, 3))
    assert list(read_window(tmp_path / "log", window)["log_id"]) == [2, 3]
    assert list(read_window(tmp_path / "log" / names(tmp_path / "log")[1], window)["log_id"]) == [2, 3]
    assert len(read_window(tmp_path / "log", Judged())) == 5
    assert read_window(tmp_path / "log", Judged(since=DECEMBER + timedelta(days=1))).empty


def test_a_window_of_one_version(database, tmp_path, capsys):
    log_rows(database, [DECEMBER], version="2")
    export_log(database, open_folder(str(tmp_path / "log")))
    assert list(read_window(tmp_path / "log", Judged(model_version="2"))["log_id"]) == [6]
    assert capsys.readouterr().err == ""
    read_window(tmp_path / "log", Judged())
    assert "2 model versions" in capsys.readouterr().err


def test_a_row_that_two_parts_have_counts_once(database, tmp_path):
    folder = open_folder(str(tmp_path / "log"))
    export_log(database, folder)
    part = tmp_path / "log" / names(tmp_path / "log")[1]
    (part.parent / "part-000000000002-000000000003.parquet").write_bytes(part.read_bytes())
    assert list(read_window(tmp_path / "log", Judged())["log_id"]) == [1, 2, 3, 4, 5]


def test_a_log_that_cannot_say_when_is_not_judged_by_time(tmp_path):
    pd.DataFrame({"note": ["a"]}).to_parquet(tmp_path / "log.parquet")
    assert len(read_window(tmp_path / "log.parquet", Judged())) == 1
    with pytest.raises(BeHealthyError, match="no column served_at"):
        read_window(tmp_path / "log.parquet", Judged(since=START))
    (tmp_path / "empty").mkdir()
    with pytest.raises(BeHealthyError, match="no Parquet file"):
        read_window(tmp_path / "empty", Judged())


def logged(rates: dict[str, float], notes: int) -> pd.DataFrame:
    """Notes of two wards at rates of their own, as many of each before they were sampled."""
    draw = np.random.default_rng(7)
    frames = [
        pd.DataFrame({"note": [f"{ward}{n}" for n in range(notes)], "speciality": ward, "probability": rate})
        for ward, rate in rates.items()
    ]
    return pd.concat([frame[draw.random(notes) < frame["probability"]] for frame in frames], ignore_index=True)


def test_one_rate_changes_nothing():
    frame = logged({"a": 0.1, "b": 0.1}, 500)
    assert equally_likely(frame) is frame or equally_likely(frame).equals(frame)


def test_where_the_rate_changed_the_shares_are_right_again(capsys):
    frame = logged({"a": 1.0, "b": 0.25}, 4000)
    assert (frame["speciality"] == "a").mean() > 0.75
    thinned = equally_likely(frame)
    assert abs((thinned["speciality"] == "a").mean() - 0.5) < 0.04
    assert set(frame.loc[frame["speciality"] == "b", "note"]) <= set(thinned["note"])
    assert thinned.equals(equally_likely(frame)) and "are judged" in capsys.readouterr().err


@pytest.mark.parametrize("probability", [0.0, -1.0, 1.5, None])
def test_a_row_without_a_probability_is_refused(probability):
    frame = pd.DataFrame({"note": ["a", "b"], "probability": [1.0, probability]})
    with pytest.raises(BeHealthyError, match="without a probability"):
        equally_likely(frame)


def test_the_monitor_judges_a_window_of_a_folder(tmp_path, monkeypatch, capsys):
    log = exported(tmp_path, tokens=80)
    profile = read_window(log, Judged()).drop(columns=["log_id", "served_at", "model_version", "probability"])
    profile.to_parquet(tmp_path / "profile.parquet")
    given = ["--log", str(log), "--profile", str(tmp_path / "profile.parquet")]
    monkeypatch.chdir(ROOT)
    assert monitor.main([*given, "--since", "2026-11-02", "--until", "2026-11-06"]) == 0
    assert '"notes": 96' in capsys.readouterr().out
    assert monitor.main([*given, "--until", "2026-11-02", "--exit-code"]) == 20
    assert "speciality has no value" in capsys.readouterr().out  # in the profile, either
    with pytest.raises(SystemExit):
        monitor.main(["--since", "2026-11-02"])


def test_times_are_utc_unless_they_say_otherwise():
    from stages.monitor.times import as_time

    assert as_time("2026-11-01T01:00+01:00") == as_time("2026-11-01") == datetime(2026, 11, 1, tzinfo=UTC)

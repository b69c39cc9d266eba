"""The serving log of the service: what is in it, what is lost, and that no request notices."""

from __future__ import annotations

import stat
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from production.database.engine import DatabaseError
from production.inference.host import Found, HostError, NoteFailedError
from production.inference.load_model import Model
from production.log.exporting import export_log
from production.log.folder import LogFolder, open_folder
from production.serve import open_log
from production.service import pool as pools
from production.service import serving_log as serving_logs
from production.service.measures import Measures
from production.service.pool import NotAskedError
from production.service.served import Served
from production.service.serving_log import ServingLog
from stages.common.labels import model_columns
from stages.common.pseudonyms import pseudonym
from stages.common.variables import DATABASE, LOG_KEY
from stages.monitor.window import Window, read_window
from tests.hosts import FOUND, NOTHING, Host, exchanging, until
from tests.production import KEY, model
from tests.results import empty_database, log_rows


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> list[Host]:
    Host.made = []
    monkeypatch.setattr(pools, "ModelHost", Host)
    return Host.made


class Counts:
    def __init__(self) -> None:
        self.written = self.lost = 0

    def __call__(self, rows: int, *, lost: bool = False) -> None:
        if lost:
            self.lost += rows
        else:
            self.written += rows


def logging(folder: Path | LogFolder, rate: float = 1.0, **settings: Any) -> tuple[ServingLog, Counts]:
    counts = Counts()
    place = open_folder(str(folder)) if isinstance(folder, Path) else folder
    return ServingLog(place, KEY, rate, counts, **settings), counts


def taken(log: ServingLog, by: Model, labels: tuple[str, ...], notes: list[str], answers: list[Found]) -> None:
    log.take(by, labels, notes, answers, [{}] * len(notes))


def read(folder: Path) -> pd.DataFrame:
    return read_window(folder, Window())


def test_what_was_served_is_a_row_without_a_word(hosts: list[Host], tmp_path: Path) -> None:
    log, counts = logging(tmp_path / "log")

    async def asking(served: Served) -> None:
        await served.extract(["gout", "walk", "kill"], [{"sex": "female"}, {}, {}])
        await served.extract(["gout"])

    exchanging(asking, log)  # which closes it
    frame = read(tmp_path / "log")
    assert (len(frame), counts.written, counts.lost) == (4, 4, 0)
    failed = frame[frame["quarantined"] == 1]
    assert failed["note"].tolist() == [pseudonym(KEY, "kill")]
    assert failed[[*model_columns(("Disease",)), "sentences", "tokens"]].isna().all(axis=None)
    assert sorted(frame["quarantined"]) == [0, 0, 0, 1]
    assert sorted(frame["diseases"].dropna()) == [0, 1, 1]
    assert sorted(frame["characters"]) == [4, 4, 4, 4]
    assert frame["sex"].dropna().tolist() == ["female"]
    assert set(frame["model_version"]) == {"1"} and set(frame["probability"]) == {1.0}
    assert set(frame["note"]) == {pseudonym(KEY, text) for text in ("gout", "walk", "kill")}
    assert (frame["log_id"] < 0).all() and frame["log_id"].is_unique
    (file,) = (tmp_path / "log").rglob("*.parquet")
    assert file.parent.name == f"served_month={datetime.now(UTC):%Y-%m}"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert b"gout" not in file.read_bytes()


def test_a_note_that_the_model_was_not_asked_about_is_not_in_quarantine(tmp_path: Path) -> None:
    log, _ = logging(tmp_path / "log")
    answers = [NotAskedError("the process of the model does not start"), NoteFailedError("too slow"), FOUND]
    log.take(model("1"), ("Disease",), ["walk", "slow", "gout"], answers, [{}, {"sex": "male"}, {}])
    log.close()
    frame = read(tmp_path / "log").set_index("note")
    assert len(list((tmp_path / "log").rglob("*.parquet"))) == 1
    assert frame["quarantined"].to_dict() == {pseudonym(KEY, "slow"): 1, pseudonym(KEY, "gout"): 0}
    assert frame.loc[pseudonym(KEY, "slow"), "sex"] == "male"


def test_a_process_that_does_not_start_is_no_fault_of_the_note(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(host: Host, *_: object) -> None:
        raise HostError("no memory")

    log, _ = logging(tmp_path / "log")

    async def asking(served: Served) -> None:
        monkeypatch.setattr(Host, "extract", broken)
        answers = await served.extract(["gout"])
        assert isinstance(answers.notes[0], NotAskedError)

    Host.made = []
    monkeypatch.setattr(pools, "ModelHost", Host)
    exchanging(asking, log)
    assert not (tmp_path / "log").exists()


def test_a_log_whose_key_is_lost_is_not_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATABASE, f"sqlite:///{tmp_path}/behealthy.db")
    monkeypatch.delenv(LOG_KEY, raising=False)
    place = str(tmp_path / "log")
    log = open_log(place, 1.0, Measures())
    assert log is not None
    taken(log, model("1"), ("Disease",), ["gout"], [FOUND])
    log.close()
    (tmp_path / "log.key").unlink()
    with pytest.raises(DatabaseError, match="restore it from its backup"):
        open_log(place, 1.0, Measures())


def test_parts_are_written_by_rows_and_by_time(tmp_path: Path) -> None:
    log, counts = logging(tmp_path / "log", rows=3, seconds=0.3)
    for _ in range(7):
        taken(log, model("1"), ("Disease",), ["gout"], [FOUND])
    until(lambda: counts.written == 6)
    assert len(list((tmp_path / "log").rglob("*.parquet"))) == 2
    until(lambda: counts.written == 7)
    log.close()
    assert len(read(tmp_path / "log")) == 7


def test_models_with_other_labels_have_parts_of_their_own(tmp_path: Path) -> None:
    log, _ = logging(tmp_path / "log")
    taken(log, model("1"), ("Disease",), ["gout"], [FOUND])
    taken(log, model("2"), ("Disease", "Treatment"), ["gout"], [FOUND])
    taken(log, model("1"), ("Disease",), ["gout"], [FOUND])
    log.close()
    assert len(list((tmp_path / "log").rglob("*.parquet"))) == 2
    assert sorted(read(tmp_path / "log")["model_version"]) == ["1", "1", "2"]


def test_a_sample_says_with_which_probability_it_was_drawn(tmp_path: Path) -> None:
    log, counts = logging(tmp_path / "log", rate=0.25)
    taken(log, model("1"), ("Disease",), ["gout"] * 4000, [FOUND] * 4000)
    log.close()
    frame = read(tmp_path / "log")
    assert set(frame["probability"]) == {0.25}
    assert 800 < len(frame) == counts.written < 1200
    nothing, _ = logging(tmp_path / "nothing", rate=0.0)
    taken(nothing, model("1"), ("Disease",), ["gout"], [FOUND])
    nothing.close()
    assert not (tmp_path / "nothing").exists()


def test_a_disk_that_refuses_loses_rows_and_nothing_else(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "log").write_text("no folder")
    log, counts = logging(tmp_path / "log", rows=2)
    for _ in range(5):
        taken(log, model("1"), ("Disease",), ["gout"], [FOUND])
    log.close()
    assert (counts.written, counts.lost) == (0, 5)
    said = capfd.readouterr().err
    assert "ALERT" in said and "gout" not in said
    (tmp_path / "log").unlink()


def test_it_can_be_written_where_there_are_no_files(tmp_path: Path) -> None:
    folder = open_folder("memory://of-this-test")
    log, counts = logging(folder)
    taken(log, model("1"), ("Disease",), ["gout"], [FOUND])
    log.close()
    (part,) = folder.files.find(folder.root)
    assert part.split("/")[-1].startswith("served-") and counts.written == 1
    assert not folder.parts()  # of a database


class Stuck(LogFolder):
    """A disk that does not answer, until it is let go."""

    def __init__(self) -> None:
        super().__init__(None, "")
        object.__setattr__(self, "let_go", threading.Event())

    def add(self, month: str, table: Any, name: str) -> bool:
        return self.let_go.wait(60)


def test_no_request_waits_for_a_disk_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_logs, "WAITING", 1_000_000)
    stuck = Stuck()
    log, counts = logging(stuck, rows=1)
    taken(log, model("1"), ("Disease",), ["gout"], [FOUND])
    until(log._waiting.empty)
    started = time.monotonic()
    for _ in range(20):
        taken(log, model("1"), ("Disease",), ["x" * 100_000], [NOTHING])
    assert time.monotonic() - started < 5
    assert counts.lost == 10  # more than ten are not kept
    stuck.let_go.set()
    log.close()
    assert (counts.written, counts.lost) == (11, 10)


def test_rows_of_a_service_and_of_a_database_can_be_in_one_folder(tmp_path: Path) -> None:
    engine, folder = empty_database(tmp_path / "notes.db"), open_folder(str(tmp_path / "log"))
    log_rows(engine, [datetime(2026, 11, 1, tzinfo=UTC)] * 3)
    log, _ = logging(folder)
    taken(log, model("1"), ("Disease", "Treatment"), ["gout"] * 2, [FOUND] * 2)
    log.close()
    assert export_log(engine, folder) == (3, 1)
    assert export_log(engine, folder) == (0, 0)
    assert len(read(tmp_path / "log")) == 5

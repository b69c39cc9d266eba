"""Rows of the service's log before they are in a part: kills lose none, none comes twice, and the metrics tell."""

from __future__ import annotations

import random
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from production.database.engine import DatabaseError
from production.log.folder import open_folder
from production.serve import _journal_folder, open_log
from production.service import journals as journal_module
from production.service import serving_log as serving_logs
from production.service.journals import Journal, Journals
from production.service.measures import Measures
from production.service.serving_log import ServingLog
from stages.common.variables import DATABASE, LOG_KEY
from stages.monitor.window import Window, read_window
from tests.hosts import FOUND, until
from tests.production import KEY, model
from tests.repository import ROOT

SERVING = f"""
import itertools, sys
from pathlib import Path
from production.log.folder import open_folder
from production.service.journals import Journals
from production.service.serving_log import ServingLog
from tests.hosts import FOUND
from tests.production import model

folder, first, rows = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
log = ServingLog(
    open_folder(str(folder)), "{KEY}", 1.0, lambda *_, **__: None, Journals(folder / ".journals"), rows=rows
)
for size in itertools.count(first):
    log.take(model("1"), ("Disease",), ["gout".ljust(size, "!")], [FOUND], [{{}}])
    while not log._waiting.empty():
        pass
    print(size, flush=True)
    if size - first == 10_000:
        sys.stdin.read()
"""


class Log(ServingLog):
    """One that knows what became of its rows, and its metrics."""

    def __init__(self, folder: Path, journals: Path | None = None, **settings: Any) -> None:
        self.measures = Measures()
        self.journals = Journals(journals or folder / ".journals")
        super().__init__(
            open_folder(str(folder)),
            KEY,
            1.0,
            self.measures.logged,
            self.journals,
            self.measures.log_failing,
            **settings,
        )
        self.measures.watch_log(lambda: self.waiting)

    def serve(self, *texts: str) -> None:
        self.take(model("1"), ("Disease",), texts, [FOUND] * len(texts), [{}] * len(texts))
        until(self._waiting.empty)

    def says(self, metric: str, value: float) -> bool:
        return f"\nbehealthy_log_{metric} {value}" in self.measures.text().decode()


def read(folder: Path) -> list[int]:
    return sorted(read_window(folder, Window())["characters"]) if list(folder.rglob("*.parquet")) else []


def killed(folder: Path, first: int, after: float, rows: int = 5) -> int:
    """Serve notes of growing length and kill the process; return the length of the last that was taken for sure."""
    command = [sys.executable, "-c", SERVING, str(folder), str(first), str(rows)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stdin=subprocess.PIPE) as process:
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(4)]
        time.sleep(after)
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
    return int([line for line in lines if line.endswith(b"\n")][-2])  # of the last, the row may not be written


def test_a_kill_loses_no_row_and_the_next_start_writes_each_once(tmp_path: Path) -> None:
    last = killed(tmp_path / "log", 10, 0.2, rows=1_000_000)
    assert read(tmp_path / "log") == []
    (file,) = (tmp_path / "log/.journals").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert b"gout" not in file.read_bytes()
    for _ in range(2):
        log = Log(tmp_path / "log")
        until(lambda log=log: not log.journals.paths())  # type: ignore[misc]  # at its start already
        log.close()
        sizes = read(tmp_path / "log")
        assert sizes == list(range(10, len(sizes) + 10)) and sizes[-1] >= last


@pytest.mark.slow
def test_kills_at_any_time(tmp_path: Path) -> None:
    first, sure = 10, list[int]()
    for _ in range(12):
        last = killed(tmp_path / "log", first, random.uniform(0, 0.3))
        sure += range(first, last + 1)
        first = last + 1000
    Log(tmp_path / "log").close()
    sizes = read_parts(tmp_path / "log")
    assert len(set(sizes)) == len(sizes) and set(sure) <= set(sizes)
    print(f"{len(sizes)} rows after 12 kills, {len(sure)} of them known to have been taken")


def read_parts(folder: Path) -> list[int]:
    """Return the lengths of all notes, without the monitor's look for rows that are there twice."""
    import pyarrow.parquet as pq

    return [size for path in folder.rglob("*.parquet") for size in pq.read_table(path)["characters"].to_pylist()]


def test_a_part_that_was_written_before_its_journal_was_removed_is_written_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Journal, "remove", Journal.leave)
        log = Log(tmp_path / "log")
        log.serve("gout", "no gout")
        log.close()
    assert len(log.journals.paths()) == 1
    again = Log(tmp_path / "log")
    again.close()
    assert read_parts(tmp_path / "log") == [4, 7]
    assert again.says("rows_total", 0.0) and not again.journals.paths()


def test_what_a_living_process_has_is_not_taken(tmp_path: Path) -> None:
    one = Log(tmp_path / "log")
    one.serve("gout")
    until(lambda: bool(one._rows))
    other = Log(tmp_path / "log")
    other.serve("no gout")
    other.close()
    assert read_parts(tmp_path / "log") == [7]
    one.close()
    assert sorted(read_parts(tmp_path / "log")) == [4, 7]


def test_what_cannot_be_written_waits_and_the_metrics_say_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "log").write_text("no folder")
    log = Log(tmp_path / "log", tmp_path / "journals", rows=2, seconds=0.2)
    log.serve("gout", "no gout", "gout again")
    until(lambda: log.says("failing", 1.0))
    until(lambda: log.says("rows_waiting", 3.0))
    assert 'behealthy_log_failure_info{why="NotADirectoryError in' in log.measures.text().decode()
    (tmp_path / "log").unlink()
    until(lambda: log.says("rows_total", 3.0))
    until(lambda: log.says("rows_waiting", 0.0))
    assert log.says("failing", 0.0) and log.says("rows_lost_total", 0.0)
    log.close()
    assert sorted(read_parts(tmp_path / "log")) == [4, 7, 10]
    said = capfd.readouterr().err
    assert "ALERT: rows of the serving log cannot be written: NotADirectoryError" in said and "gout" not in said


def test_what_cannot_be_written_until_the_end_is_written_at_the_next_start(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("no folder")
    log = Log(tmp_path / "log", tmp_path / "journals")
    log.serve("gout")
    log.close()
    assert log.says("rows_lost_total", 0.0)
    (tmp_path / "log").unlink()
    Log(tmp_path / "log", tmp_path / "journals").close()
    assert read_parts(tmp_path / "log") == [4]


def test_where_there_is_no_room_for_a_journal_rows_are_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(journal_module, "MOST_BYTES", 0)
    log = Log(tmp_path / "log")
    log.serve("gout", "no gout")
    log.close()
    assert not log.journals.paths()
    assert sorted(read_parts(tmp_path / "log")) == [4, 7]
    assert capfd.readouterr().err.count("ALERT") == 1


def test_a_line_that_is_not_whole_ends_a_journal(tmp_path: Path) -> None:
    log = Log(tmp_path / "log")
    log.serve("gout", "no gout")
    until(lambda: log._journal is not None and log._journal.rows == 2)
    (path,) = log.journals.paths()
    content = path.read_bytes()
    log.close()
    for damage in (content[:-9], content[: len(content) // 2 + 5] + bytes(50) + b"\n", content + b"[1, "):
        (tmp_path / "other/.journals").mkdir(parents=True, exist_ok=True)
        (tmp_path / "other/.journals/0.jsonl").write_bytes(damage)
        with_rows = Journal.take(tmp_path / "other/.journals/0.jsonl")
        assert with_rows is not None
        assert [row.row["characters"] for row in with_rows.read()] == ([4, 7] if damage.startswith(content) else [4])
        with_rows.leave()


def test_a_journal_is_on_the_disk_within_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_logs, "_SYNCING", 0.05)
    log = Log(tmp_path / "log")
    log.serve("gout")
    until(lambda: log._journal is not None and log._journal._synced == 1)
    assert serving_logs._SYNCING < serving_logs.SECONDS
    log.close()


def test_the_service_keeps_journals_where_it_can_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATABASE, f"sqlite:///{tmp_path}/behealthy.db")
    monkeypatch.delenv(LOG_KEY, raising=False)
    assert _journal_folder("s3://bucket/log", tmp_path).parent == tmp_path / "journals"
    measures = Measures()
    log = open_log(str(tmp_path / "log"), 1.0, measures)
    assert log is not None
    log.take(model("1"), ("Disease",), ["gout"], [FOUND], [{}])
    until(lambda: bool(list((tmp_path / "log/.journals").glob("*.jsonl"))))
    assert b"behealthy_log_rows_waiting 1.0" in measures.text()
    (tmp_path / "log.key").unlink()
    with pytest.raises(DatabaseError, match="restore it from its backup"):  # names are in the journal already
        open_log(str(tmp_path / "log"), 1.0, Measures())
    log.close()

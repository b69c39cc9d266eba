"""`python -m production.infer` as it is typed: several workers, watched, ended, killed; the real model, SQLite."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Engine, func, select

from production.database.engine import reading
from production.database.schema import QUARANTINE, RESULTS
from production.inference.host import ModelHost
from production.notes.records import Incoming
from production.notes.storing import add
from stages.common.variables import DATABASE, LOG_KEY
from stages.prepare.segmentation import split_sentences
from tests.production import KEY, empty, rows_of, sqlite_url, waiting
from tests.repository import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (ROOT / "models/model.json").is_file(), reason="needs a model: make repro"),
]
NOTE = "Known asthma and gout. Start allopurinol 100 mg, note {}."
PATIENCE = 120.0


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return empty(sqlite_url(tmp_path))


def fill(engine: Engine, number: int, first: int = 0) -> None:
    add(engine, [Incoming(f"{n:05}", NOTE.format(n), {}) for n in range(first, first + number)], "s")


def results(engine: Engine) -> int:
    with reading(engine) as connection:
        return int(connection.execute(select(func.count()).select_from(RESULTS)).scalar_one())


def until(holds: object, log: Path) -> None:
    limit = time.monotonic() + PATIENCE
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < limit, log.read_text()[-3000:]
        time.sleep(0.05)


def changed_params(folder: Path, **values: object) -> None:
    """Write parameters of another working folder."""
    text = (ROOT / "params.yaml").read_text()
    for name, value in values.items():
        text, number = re.subn(rf"(?m)^  {name}: \S+", f"  {name}: {value}", text)
        assert number >= 1
    (folder / "params.yaml").write_text(text)


@contextmanager
def inferring(engine: Engine, folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Run the command in a folder with parameters of its own; whatever it started is over with the block."""
    log = folder / "log"
    if not (folder / "params.yaml").exists():
        changed_params(folder, poll_seconds=0.1)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "production.infer", "--model", str(ROOT / "models"), *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), DATABASE: str(engine.url), LOG_KEY: KEY},
            stdout=output,
            stderr=output,
        )
    started: list[psutil.Process] = []
    try:
        yield process, log
        started = family(process)
    finally:
        for one in started or family(process):
            one.kill()
        process.kill()
        process.wait(10)


def family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Return what a process started, and what these started."""
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def workers_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return [one for one in family(process) if "production.infer" in one.cmdline()]


def test_the_process_of_the_model_tells_where_sentences_end() -> None:
    text = "Known asthma (mild). Slept well.\n\n- gout: allopurinol"
    with ModelHost(ROOT, ROOT / "models") as host:
        assert host.extract(text, 10.0).ends == tuple(end for _, end in split_sentences(text))
        assert host.extract(" ", 10.0).ends == ()


def test_several_workers_do_every_note_once(engine: Engine, tmp_path: Path) -> None:
    fill(engine, 700)
    with inferring(engine, tmp_path, "--workers", "2", "--batch", "50") as (process, log):
        until(lambda: len(workers_of(process)) == 2, log)
        assert process.wait(PATIENCE) == 0, log.read_text()[-3000:]
    done = [
        int(number)
        for number in re.findall(r"infer: (\d+) notes, [\d,]+ mentions, 0 quarantined$", log.read_text(), re.M)
    ]
    assert (len(done), sum(done)) == (2, 700)
    assert (results(engine), waiting(engine)) == (700, 0)


def test_a_worker_that_is_killed_is_replaced_and_nothing_is_lost(engine: Engine, tmp_path: Path) -> None:
    fill(engine, 1500)
    with inferring(engine, tmp_path, "--workers", "2", "--batch", "20") as (process, log):
        for done in (100, 400):
            until(lambda done=done: results(engine) > done and len(workers_of(process)) == 2, log)  # type: ignore[misc]
            workers_of(process)[0].kill()
        assert process.wait(PATIENCE) == 0, log.read_text()[-3000:]
    assert log.read_text().count("a worker was ended by signal 9; starting another") == 2
    assert (results(engine), waiting(engine)) == (1500, 0)
    assert len({row[0] for row in rows_of(engine)["results"]}) == 1500


@pytest.mark.parametrize("number", [1, 2])
def test_a_watch_takes_what_comes_and_ends_when_asked(engine: Engine, tmp_path: Path, number: int) -> None:
    with inferring(engine, tmp_path, "--watch", "--workers", str(number)) as (process, log):
        until(lambda: log.read_text().count("is loaded") == number, log)
        for first in (0, 3):
            fill(engine, 3, first)
            until(lambda first=first: results(engine) == first + 3, log)  # type: ignore[misc]
        everyone = family(process)
        assert len(everyone) == (1 if number == 1 else 4)  # a model each, and two workers beside the first process
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, log.read_text()[-3000:]
        _, alive = psutil.wait_procs(everyone, timeout=5)
        assert not alive
    ended = [line for line in log.read_text().splitlines() if line.endswith("quarantined")]  # not "… so far"
    assert len(ended) == number and ("6 notes" in ended[0] or number == 2)
    assert waiting(engine) == 0


@pytest.mark.parametrize("number", [1, 2])
def test_a_watch_ends_when_its_file_is_gone(engine: Engine, tmp_path: Path, number: int) -> None:
    with inferring(engine, tmp_path, "--watch", "--workers", str(number)) as (process, log):
        until(lambda: log.read_text().count("is loaded") == number, log)
        (tmp_path / "production" / "behealthy.db").unlink()
        assert process.wait(30) == 2, log.read_text()[-3000:]
    assert log.read_text().count("was deleted or replaced while it was in use") == number


def test_a_command_that_is_asked_to_end_while_it_starts(engine: Engine, tmp_path: Path) -> None:
    with inferring(engine, tmp_path, "--watch", "--workers", "2") as (process, log):
        until(lambda: len(workers_of(process)) == 2, log)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, log.read_text()[-3000:]


def test_endless_notes_and_a_limit_that_is_raised(engine: Engine, tmp_path: Path) -> None:
    """What is beyond the limits is refused, what is within them is read; then the limits are raised."""
    notes = {"large": "Known asthma. " * 715_000, "many": "No gout. " * 100_000, "within": "Gout. " * 16_666}
    add(engine, [Incoming(name, text, {}) for name, text in notes.items()], "s")
    with inferring(engine, tmp_path) as (process, log):
        assert process.wait(PATIENCE) == 1, log.read_text()[-3000:]
    with reading(engine) as connection:
        assert list(connection.execute(select(RESULTS.c.sentences)).scalars()) == [16_666]
        reasons = connection.execute(select(QUARANTINE.c.reason).order_by(QUARANTINE.c.note_id)).scalars().all()
    assert [reason[:15] for reason in reasons] == ["has 10,010,000 ", "has 900,000 cha"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), DATABASE: str(engine.url)}
    command = [sys.executable, "-m", "production.notes", "retry"]
    said = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout
    assert "2 notes out of quarantine" in said
    changed_params(tmp_path, note_characters=1_000_000, note_seconds=90.0)
    with inferring(engine, tmp_path) as (process, log):
        assert process.wait(PATIENCE) == 1, log.read_text()[-3000:]
    with reading(engine) as connection:
        assert sorted(connection.execute(select(RESULTS.c.sentences)).scalars()) == [16_666, 100_000]
        assert connection.execute(select(func.count()).select_from(QUARANTINE)).scalar_one() == 1

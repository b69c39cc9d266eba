"""Exactly once, shown by killing: workers, PostgreSQL itself, a full disk, a promotion in mid-run; then the real model.

``KILLS`` in the environment says how many workers are killed for each database; `make e2e-inference` kills 60.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import OperationalError

from production.database.engine import address, make_engine, reading
from production.database.schema import QUARANTINE, RESULTS
from production.notes.records import Incoming
from production.notes.storing import add
from stages.common.variables import DATABASE
from tests.inference_worker import make_model, promote
from tests.production import empty, rows_of, sqlite_url, waiting
from tests.registered import add_version
from tests.repository import ROOT
from tests.servers import Server, postgres_server

KILLS = int(os.environ.get("KILLS", "4"))
PER_KILL = 60
"""Notes that are added for each worker that is killed."""
KINDS = ("Known asthma, aspirin.", "No gout {}.", "wrong {}", "Gout and allopurinol.", "   ", "Nothing in note {}.")
RARE = {7: "crash", 311: "endless"}


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Server, str]]:
    with postgres_server() as started:
        yield started


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return sqlite_url(tmp_path) if request.param == "sqlite" else request.getfixturevalue("server")[1]


def notes(first: int, number: int) -> list[Incoming]:
    return [
        Incoming(f"{n:06}", RARE.get(n) or KINDS[n % len(KINDS)].lower().format(n), {"sex": "male"})
        for n in range(first, first + number)
    ]


def start(folder: Path, url: str, log: Path, *settings: str, limit: int | None = None) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.inference_worker", str(folder), *settings],
            cwd=ROOT,
            env={**os.environ, DATABASE: url},
            stdout=output,
            stderr=output,
        )
    if limit is not None:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit, limit))
    return process


def finish(folder: Path, url: str, log: Path) -> None:
    process = start(folder, url, log)
    assert process.wait(300) == 0, log.read_text()[-3000:]


def expected(folder: Path, tmp_path: Path, number: int) -> dict[str, list[tuple[str, ...]]]:
    """Return what one undisturbed worker makes of the same notes."""
    engine = empty(sqlite_url(tmp_path / "undisturbed"))
    add(engine, notes(0, number), "s")
    finish(folder, str(engine.url), tmp_path / "undisturbed.log")
    assert not waiting(engine)
    return rows_of(engine)


def exactly_once(engine: Engine, number: int) -> Counter[str]:
    """Make sure that every text has one result or one reason, of whatever version; return how many of which."""
    with reading(engine) as connection:
        done = [
            (row.note_id, table.name)
            for table in (RESULTS, QUARANTINE)
            for row in connection.execute(select(table.c.note_id))
        ]
    assert not waiting(engine)
    assert sorted(note for note, _ in done) == list(range(1, number + 1))
    return Counter(kind for _, kind in done)


@contextmanager
def pool(folder: Path, url: str, log: Path, size: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Keep workers going; what is left of them in the end is ended."""
    workers = [start(folder, url, log) for _ in range(size)]
    try:
        yield workers
    finally:
        for worker in workers:
            worker.kill()
            worker.wait(10)


def kill_at_random(
    folder: Path, engine: Engine, url: str, log: Path, size: int, kills: int, chance: random.Random
) -> int:
    """Kill `kills` workers while there is work; return how many notes were added meanwhile."""
    added = 0
    with pool(folder, url, log, size) as workers:
        for _ in range(kills):
            add(engine, notes(added, PER_KILL), "s")
            added += PER_KILL
            before = rows_done(engine)
            limit = time.monotonic() + 60
            while rows_done(engine) == before and time.monotonic() < limit:  # somebody is at work
                for place, worker in enumerate(workers):
                    if worker.poll() is not None:  # had nothing to do
                        workers[place] = start(folder, url, log)
                time.sleep(0.02)
            time.sleep(chance.uniform(0, 0.15))
            place = chance.randrange(size)
            workers[place].send_signal(signal.SIGKILL)
            workers[place].wait(10)
            workers[place] = start(folder, url, log)
    return added


def recovered(engine: Engine) -> None:
    """Wait until a database that was killed takes connections again."""
    for _ in range(600):
        with suppress(OperationalError), engine.connect():
            return
        time.sleep(0.1)
    raise AssertionError("PostgreSQL did not recover")


def rows_done(engine: Engine) -> int:
    with reading(engine) as connection:
        return sum(
            connection.execute(select(func.count()).select_from(table)).scalar_one() for table in (RESULTS, QUARANTINE)
        )


@pytest.mark.parametrize("size", [2, 4])
def test_killed_workers_do_every_note_exactly_once(url: str, tmp_path: Path, size: int) -> None:
    folder, log, kills = make_model(tmp_path / "model"), tmp_path / "log", max(1, KILLS // 2)
    engine = empty(url)
    number = kill_at_random(folder, engine, str(url), log, size, kills, random.Random(size))
    finish(folder, url, log)
    counts = exactly_once(engine, number)
    assert rows_of(engine) == expected(folder, tmp_path, number)
    print(f"\n{engine.dialect.name}, {size} workers: {kills} killed, {number} notes, {dict(counts)}, all once")


def test_a_promotion_in_mid_run_loses_no_note(url: str, tmp_path: Path) -> None:
    folder, log, number = make_model(tmp_path / "model"), tmp_path / "log", 1200
    engine = empty(url)
    add(engine, notes(0, number), "s")
    with pool(folder, url, log, 2) as workers:
        while rows_done(engine) < number // 4:
            time.sleep(0.02)
        promote(folder, "2")
        assert [worker.wait(120) for worker in workers] == [0, 0], log.read_text()[-3000:]
    counts = exactly_once(engine, number)
    versions = Counter(row[2] for row in rows_of(engine)["results"])
    assert min(versions["1"], versions["2"]) > 50
    print(f"\n{engine.dialect.name}: promoted in mid-run: {dict(counts)}, by version {dict(versions)}")


def test_postgresql_killed_in_mid_batch(server: tuple[Server, str], tmp_path: Path) -> None:
    database, url = server
    folder, log, number = make_model(tmp_path / "model", seconds=0.01), tmp_path / "log", 600
    engine = empty(url)
    add(engine, notes(0, number), "s")
    with pool(folder, url, log, 2) as workers:
        while log.read_text().count("is loaded") < 2:  # one that finds no database when it starts says so, and ends
            assert not any(worker.poll() for worker in workers), log.read_text()[-3000:]
            time.sleep(0.02)
        for done in (number // 6, number // 3):
            while rows_done(engine) < done:
                time.sleep(0.02)
            database.kill()
            engine.dispose()
            time.sleep(0.5)
            database.start()
            recovered(engine)
        assert [worker.wait(120) for worker in workers] == [0, 0], log.read_text()[-3000:]
    finish(folder, url, log)
    counts = exactly_once(engine, number)
    assert rows_of(engine) == expected(folder, tmp_path, number)
    assert "the database does not answer" in log.read_text()
    print(f"\npostgresql killed twice in mid-batch: {number} notes, {dict(counts)}")


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    folder, log, number = make_model(tmp_path / "model"), tmp_path / "log", 400
    engine = empty(sqlite_url(tmp_path))
    add(engine, notes(0, number), "s")
    file = tmp_path / "production" / "behealthy.db"
    room = max(path.stat().st_size for path in file.parent.iterdir()) + 400_000
    process = start(folder, str(engine.url), log, limit=room)
    try:
        limit = time.monotonic() + 60
        while "does not answer" not in log.read_text() and time.monotonic() < limit:
            time.sleep(0.1)
    finally:
        process.kill()
        process.wait(10)
    assert "does not answer" in log.read_text(), log.read_text()[-2000:]
    done = rows_done(engine)
    assert done < number
    assert waiting(engine) == number - done
    finish(folder, str(engine.url), log)
    exactly_once(engine, number)
    assert rows_of(engine) == expected(folder, tmp_path, number)
    print(f"\nsqlite: disk full after {done} of {number} notes; the rest was done once there was room")


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / "models/model.json").is_file(), reason="needs a model: make repro")
def test_the_real_model_from_a_registry(tmp_path: Path) -> None:
    """The champion of a registry, its files checked; changed files are fetched again; then a rollback."""
    from delivery.registry.server import MODEL, connect

    url, environment = sqlite_url(tmp_path), {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"}
    engine = empty(url)

    def command(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            env={**os.environ, **environment, DATABASE: url},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout + done.stderr

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", environment["MLFLOW_TRACKING_URI"])
        client = connect()
        artifacts = (tmp_path / "artifacts").as_uri()
        add_version(client, "1" * 40, alias="champion", artifacts=artifacts)
        add_version(client, "2" * 40, alias="challenger")
        command("production.notes", "add", "data/incoming/notes.jsonl")
        said = command("production.infer", "--shadow", "challenger")
        assert "version 1 is loaded" in said
        assert exactly_once_of(engine, "1") == exactly_once_of(engine, "2") == 112
        assert "version 2 beside 1: 112 notes, 0 of them differ" in command("production.shadow")
        kept = next((tmp_path / "production" / "models").glob("1-*"))
        (kept / "code" / "stages" / "train" / "extractor.py").write_text("raise SystemExit('changed')")
        command("production.notes", "add", "data/incoming/notes.jsonl", "--source", "again")
        assert "were changed" in command("production.infer")
        client.set_registered_model_alias(MODEL, "champion", "2")
        assert "112 notes of" in command("production.backfill", "--dry-run", "--source", "again")
        command("production.backfill")
    assert exactly_once_of(engine, "1") == exactly_once_of(engine, "2") == 224
    assert command("production.check", "--all").startswith("check: 224 notes")


def exactly_once_of(engine: Engine, version: str) -> int:
    with reading(make_engine(address(str(engine.url)))) as connection:
        query = select(func.count()).select_from(RESULTS).where(RESULTS.c.model_version == version)
        return int(connection.execute(query).scalar_one())

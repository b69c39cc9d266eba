"""A hospital's first day, in one piece: notes into a database, the champion of a real MLflow server, workers killed, a
promotion while they and the service work, exports that other systems would take, and the serving log judged.

On SQLite and on a real PostgreSQL; MLflow keeps its runs in PostgreSQL and its models on S3. `make e2e-inference`.
"""

from __future__ import annotations

import asyncio
import csv
import itertools
import json
import os
import random
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from fhir.resources.R4B import get_fhir_model_class

from benchmarks.load import Clients, Load
from benchmarks.recombined import recombined, seed_notes
from delivery.registry.server import MODEL, connect
from production.database.engine import address, make_engine, reading
from production.database.schema import QUARANTINE, RESULTS
from stages.common.variables import DATABASE, LOG_KEY
from tests.e2e.test_service import Service
from tests.production import KEY, sqlite_url, waiting
from tests.registered import add_version
from tests.repository import ROOT
from tests.servers import TrackingServer, postgres, team_tracking_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (ROOT / "models/model.json").is_file(), reason="needs a model: make repro"),
]

NOTES, MORNING = 2000, 1500
BAD = ("", " \n\t", "a" * 5_000, "Gout. " * 20_000)
"""Notes that cannot be read: nothing, white space, no words, longer than allowed."""
OMOP = (
    "note_nlp_id note_id section_concept_id snippet offset lexical_variant note_nlp_concept_id"
    " note_nlp_source_concept_id nlp_system nlp_date nlp_datetime term_exists term_temporal term_modifiers"
).split()
"""Columns of NOTE_NLP in version 5.4 of the OMOP Common Data Model, in its order."""
KILLS = 6
CLIENTS = 8


@dataclass
class Day:
    """What was run, and what it said."""

    url: str
    folder: Path
    environment: dict[str, str]
    said: dict[str, str] = field(default_factory=dict)
    load: Load = field(default_factory=Load)
    versions_served: list[str] = field(default_factory=list)
    killed: int = 0

    @property
    def engine(self) -> sa.Engine:
        return make_engine(address(self.url))

    def command(self, *arguments: str, code: int = 0) -> str:
        """Run a command as a user would; its exit code must be `code`."""
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, (arguments, done.returncode, done.stdout[-2000:], done.stderr[-3000:])
        return done.stdout + done.stderr

    def count(self, table: sa.Table, *conditions: Any) -> int:
        with reading(self.engine) as connection:
            query = sa.select(sa.func.count()).select_from(table).where(*conditions)
            return int(connection.execute(query).scalar_one())


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TrackingServer, dict[str, str]]]:
    """A team's MLflow with two versions of the model, the first of them champion."""
    with team_tracking_server(tmp_path_factory.mktemp("team")) as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment().items():
            patch.setenv(name, value)
        client = connect()
        add_version(client, "1" * 40, alias="champion")
        add_version(client, "2" * 40, alias="challenger")
        yield server, server.environment()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def day(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, registry: tuple[TrackingServer, dict]
) -> Iterator[Day]:
    """The whole day, once for each database; the tests look at what came of it."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "sqlite":
        yield lived(sqlite_url(folder), folder, registry[1])
        return
    with postgres() as url:
        yield lived(url, folder, registry[1])


def lived(url: str, folder: Path, registry: dict[str, str]) -> Day:
    environment = {**os.environ, **registry, DATABASE: url, LOG_KEY: KEY}
    day = Day(url, folder, environment)
    connect().set_registered_model_alias(MODEL, "champion", "1")
    day.said["build"] = day.command("production.database", "build")
    morning, evening = write_notes(folder)
    day.said["morning"] = day.command("production.notes", "add", str(morning), "--source", "ward")
    service = Service(
        folder / "service.log", "--model", f"models:/{MODEL}@champion", "--log", str(folder / "served"), **environment
    )
    try:
        service.until_ready()
        with clients_of(day, service):
            work(day, evening)
        served_by(day, service, "2")
    finally:
        assert service.end() == 0, service.log.read_text()[-3000:]
    return day


@contextmanager
def clients_of(day: Day, service: Service) -> Iterator[None]:
    """Let clients ask the service meanwhile, and for a minute at least."""
    clients = Clients(service.port, "/analyze", [json.dumps({"text": note}).encode() for note in seed_texts()])
    asking = threading.Thread(target=lambda: setattr(day, "load", asyncio.run(clients.closed(CLIENTS, seconds=60))))
    asking.start()
    try:
        yield
    finally:
        asking.join(200)


@dataclass
class Watching:
    """A worker that watches, and what it says."""

    log: Path
    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, day: Day, log: Path) -> Watching:
        command = [sys.executable, "-m", "production.infer", "--watch", "--batch", "50"]
        with log.open("wb") as output:
            return cls(log, subprocess.Popen(command, cwd=ROOT, env=day.environment, stdout=output, stderr=output))

    def until(self, true: Callable[[], bool], seconds: float = 300) -> None:
        limit = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < limit, self.said
            time.sleep(0.02)

    def has_loaded(self, version: str) -> bool:
        return f"version {version} is loaded" in self.said

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")


def work(day: Day, evening: Path) -> None:
    """Let two workers watch; kill some of them, promote, and add the notes of the evening once both have taken that."""
    chance, numbers = random.Random(13), itertools.count()

    def worker() -> Watching:
        return Watching.start(day, day.folder / f"infer-{next(numbers)}.log")

    workers = [worker(), worker()]
    try:
        for kill in range(KILLS):
            enough = MORNING * (kill + 1) // (KILLS + 2)
            workers[0].until(lambda enough=enough: day.count(RESULTS) >= enough)
            if kill == KILLS // 2:
                connect().set_registered_model_alias(MODEL, "champion", "2")
            time.sleep(chance.uniform(0, 0.2))
            victim = chance.randrange(len(workers))
            workers[victim].process.kill()
            workers[victim].process.wait(10)
            workers[victim] = worker()
            day.killed += 1
        for one in workers:
            one.until(lambda one=one: one.has_loaded("2"), seconds=90)
        day.said["evening"] = day.command("production.notes", "add", str(evening), "--source", "ward")
        workers[0].until(lambda: not waiting(day.engine))
    finally:
        for one in workers:
            one.process.terminate()
        codes = {one.process.wait(60) for one in workers}
    assert codes <= {0, 1}, [one.said[-3000:] for one in workers]
    day.said["infer"] = day.command("production.infer")


def served_by(day: Day, service: Service, version: str) -> None:
    """Ask which version is served, until it is the one or two minutes are over."""
    limit = time.monotonic() + 120
    while time.monotonic() < limit and day.versions_served[-1:] != [version]:
        time.sleep(0.2)
        day.versions_served.append(json.loads(service.ask("GET", "/version")[1])["model_version"])


def seed_texts() -> list[str]:
    return [seed.text for seed in seed_notes()]


def write_notes(folder: Path) -> tuple[Path, Path]:
    """Write `NOTES` notes, recombined of the seed's, in two files; the second has `BAD` at its end."""
    notes = recombined(seed_notes(), NOTES)
    rows = [{"id": f"ward-{n:05}", "text": text, "metadata": metadata} for n, (text, metadata) in enumerate(notes)]
    bad = [{"id": f"bad-{n}", "text": text} for n, text in enumerate(BAD)]
    files = folder / "morning.jsonl", folder / "evening.jsonl"
    for path, part in zip(files, (rows[:MORNING], rows[MORNING:] + bad), strict=True):
        path.write_text("".join(json.dumps(note) + "\n" for note in part), encoding="utf-8")
    return files


def test_every_note_has_one_result_or_one_reason(day: Day) -> None:
    assert not waiting(day.engine)
    with reading(day.engine) as connection:
        done = Counter(connection.scalars(sa.select(RESULTS.c.note_id)).all())
        versions = Counter(connection.scalars(sa.select(RESULTS.c.model_version)).all())
    assert set(done.values()) == {1}
    assert len(done) == NOTES
    assert day.count(QUARANTINE) == len(BAD)
    assert day.killed == KILLS
    assert min(versions["1"], versions["2"]) > 0
    print(f"\n{NOTES} notes, {day.killed} workers killed, by version {dict(versions)}, {len(BAD)} in quarantine")


def test_the_service_answered_all_the_while(day: Day) -> None:
    assert set(day.load.statuses) <= {200, 503}
    assert day.load.statuses[200] > 100
    assert day.versions_served[-1] == "2", "the promotion was not taken"
    quantiles = ", ".join(f"p{share * 100:g} {day.load.quantile(share) * 1000:.0f} ms" for share in (0.5, 0.99))
    print(f"\n{CLIENTS} clients: {dict(day.load.statuses)}, {quantiles}")


def test_the_suite_passes_what_was_read(day: Day) -> None:
    said = day.command("production.check", "--all", code=1)
    assert f"{NOTES + len(BAD):,} notes" in said
    named = {number for found in re.findall(r"\[documents: ([\d, ]+)\]", said) for number in found.split(", ")}
    assert named == {str(NOTES + 1 + n) for n in range(len(BAD))}, "the bad ones, and no other"


def test_exports_are_what_other_systems_take(day: Day) -> None:
    for name in ("omop", "fhir", "csv", "parquet", "brat", "label-studio"):
        day.command("production.export", "--format", name, "--to", str(day.folder / "exports" / name))
    texts = {f"ward-{n:05}" for n in range(NOTES)}
    assert noted(day.folder / "exports/csv") == texts
    omop = pd.concat(pd.read_csv(path) for path in sorted((day.folder / "exports/omop").rglob("note_nlp.csv")))
    assert list(omop.columns) == OMOP
    assert set(omop["term_exists"]) <= {"Y", "N"}
    resources: Counter[str] = Counter()
    for path in sorted((day.folder / "exports/fhir").rglob("*.ndjson")):
        for line in path.read_text("utf-8").splitlines():
            resource = json.loads(line)
            get_fhir_model_class(resource["resourceType"]).model_validate(resource)
            resources[resource["resourceType"]] += 1
    assert {"Condition", "MedicationStatement", "Provenance"} <= set(resources)
    assert "nothing new" in day.command("production.export", "--format", "csv", "--to", str(day.folder / "exports/csv"))
    print(f"\nOMOP: {len(omop):,} rows; FHIR: {dict(resources)}")


def noted(folder: Path) -> set[str]:
    with_names = set()
    for path in sorted(folder.rglob("notes.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            with_names |= {row["source_id"] for row in csv.DictReader(file)}
    return with_names


def test_the_serving_log_is_judged(day: Day) -> None:
    day.command("production.log", "export", "--to", str(day.folder / "log"))
    for log, least in (("log", NOTES), ("served", day.load.statuses[200])):
        rows = pd.concat(pd.read_parquet(path) for path in sorted((day.folder / log).rglob("*.parquet")))
        assert len(rows) >= least
        assert not set(seed_texts()) & set(rows.astype(str).to_numpy().ravel())
        window = ("--since", "2026-01-01", "--model-version", "1")
        said = day.command("stages.monitor", "--log", str(day.folder / log), *window)
        decision = json.loads(said[said.index("{") : said.rindex("}") + 1])
        notes = rows.loc[rows["model_version"] == "1", "note"]
        assert decision["notes"] == notes.nunique(), "a note that is asked about again counts once"
        judged = {"none", "too_few_notes", "watch", "retrain", "retrain_and_alert", "size_uncertain", "redevelop"}
        assert decision["decision"] in (judged if log == "log" else {*judged, "unknown"}), (
            "a request brings no metadata"
        )
        print(f"\n{log}: {len(rows):,} rows, {decision['decision']}")


def test_no_note_is_in_what_was_printed(day: Day) -> None:
    printed = "".join(path.read_text(errors="replace") for path in day.folder.glob("*.log")) + "".join(
        day.said.values()
    )
    words = {match for text in seed_texts() for match in re.findall(r"[^.\n]{40,}", text)}
    assert not [part for part in words if part in printed]

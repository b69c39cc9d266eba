"""Databases of production for tests: SQLite files and one PostgreSQL, each empty at first; a model that is none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select, text

from production.database.engine import address, make_engine, reading
from production.database.revision import migrate
from production.database.schema import MENTIONS, NOTE_TEXTS, PAIRS, QUARANTINE, RESULTS, SERVING_LOG
from production.inference.claims import WAITING, Scope
from production.inference.host import Found, FoundMention, NoteFailedError
from production.inference.load_model import Loaded, Model
from production.inference.params import InferenceParams
from production.inference.worker import Worker
from production.inference.writing import register
from production.record.pairs import SIDES

KEY = "0123456789abcdef" * 2
PARAMS = InferenceParams(
    note_characters=1000,
    token_characters=100,
    note_seconds=5.0,
    note_megabytes=500,
    batch=4,
    batch_seconds=60.0,
    champion_seconds=1e-6,
    poll_seconds=0.05,
    log_rate=1.0,
)
LABELS = {"asthma": "Disease", "gout": "Disease", "aspirin": "Treatment", "allopurinol": "Treatment"}


def empty(url: str) -> Engine:
    """Return an engine of a database at the newest revision, without any rows."""
    engine = make_engine(address(url), create=True)
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
    migrate(engine)
    return engine


def sqlite_url(folder: Path) -> str:
    return f"sqlite:///{folder}/production/behealthy.db"


@dataclass
class FakeHost:
    """Finds the words of `LABELS`; `faults` by text of the note are raised or returned."""

    labels: Sequence[str] = ("Disease", "Treatment")
    faults: dict[str, Any] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=lambda: dict(LABELS))
    asked: list[str] = field(default_factory=list)
    stopped: bool = False

    def extract(self, text: str, seconds: float) -> Found:
        self.asked.append(text)
        fault = self.faults.get(text)
        if isinstance(fault, Exception):
            raise fault
        return fault or found_in(text, self.words)

    def extract_all(self, texts: Iterable[str], seconds: float) -> Iterator[Found | NoteFailedError]:
        for note in texts:
            try:
                yield self.extract(note, seconds)
            except NoteFailedError as error:
                yield error

    def stop(self) -> None:
        self.stopped = True


def found_in(text: str, words: dict[str, str] = LABELS) -> Found:
    spans = [
        FoundMention(match.start(), match.end(), words[match[0].lower()], 0.75, True, "present")
        for match in re.finditer(r"[A-Za-z]+", text)
        if match[0].lower() in words
    ]
    tokens = len(text.split())
    return Found(tuple(spans), (), bool(spans), min(tokens, 1), tokens, 0.0)


def model(version: str) -> Model:
    return Model(version, None, "0" * 32, Path(), Path())


def worker(
    engine: Engine,
    host: FakeHost | None = None,
    version: str = "1",
    *,
    scope: Scope = WAITING,
    shadow: Loaded | None = None,
    params: InferenceParams = PARAMS,
) -> Worker:
    return Worker(engine, params, loaded(engine, host or FakeHost(), version), SIDES, KEY, scope, shadow)


def loaded(engine: Engine, host: FakeHost, version: str, *, champion: bool = True) -> Loaded:
    def on_load(found: Model, labels: Sequence[str]) -> None:
        register(engine, found, labels, champion=champion)

    return Loaded(lambda: model(version), 1e9, on_load, lambda _: host)


TIMES = {"created_at", "at", "served_at", "received_at", "log_id", "quarantine_id"}


def rows_of(engine: Engine, *only: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return what was made of the notes, without times and numbers that depend on the order of the work."""
    names = {"results": RESULTS, "mentions": MENTIONS, "pairs": PAIRS, "quarantine": QUARANTINE, "log": SERVING_LOG}
    with reading(engine) as connection:
        return {
            name: sorted(
                (
                    tuple(str(row[column.name]) for column in table.c if column.name not in TIMES)
                    for row in connection.execute(select(table)).mappings()
                ),
            )
            for name, table in names.items()
            if not only or name in only
        }


def waiting(engine: Engine) -> int:
    with reading(engine) as connection:
        return len(connection.execute(select(NOTE_TEXTS.c.note_id).where(NOTE_TEXTS.c.pending)).all())


def current(engine: Engine) -> list[tuple[str, str, bool]]:
    """Return the current results: the note's name, the version, whether it is of the shadow."""
    with reading(engine) as connection:
        found = connection.execute(
            text("SELECT source_id, model_version, shadow FROM current_results ORDER BY source_id")
        ).all()
        return [(row[0], row[1], bool(row[2])) for row in found]

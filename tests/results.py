"""A small database of production: invented notes, and what two versions of a model made of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from production.database import schema

START = datetime(2026, 11, 1, tzinfo=UTC)
TEXT = "Known asthma, no gout. Mother has lupus. Start aspirin.\nHad sepsis; ?flu."
SPANS = (
    ("asthma", "Disease", "present", True),
    ("gout", "Disease", "negated", True),
    ("lupus", "Disease", "family", True),
    ("aspirin", "Treatment", "present", True),
    ("sepsis", "Disease", "historical", False),
    ("flu", "Disease", "possible", True),
)


def empty_database(path: Path) -> sa.Engine:
    """Make the tables and the view in an SQLite file."""
    engine = sa.create_engine(f"sqlite:///{path}")
    sa.event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys=ON"))
    fill_with_tables(engine)
    return engine


def fill_with_tables(engine: sa.Engine) -> None:
    schema.METADATA.create_all(engine)
    with engine.begin() as connection:
        connection.execute(sa.text(schema.CURRENT_RESULTS))
        connection.execute(sa.text(schema.ALL_PAIRS))


def add_version(engine: sa.Engine, version: str, champion_since: datetime | None = START) -> None:
    row = {"model_version": version, "digest": "0" * 32, "labels": ["Disease", "Treatment"], "first_seen": START}
    with engine.begin() as connection:
        connection.execute(sa.insert(schema.MODEL_VERSIONS), row | {"champion_since": champion_since})


def make_champion(engine: sa.Engine, version: str, since: datetime) -> None:
    table = schema.MODEL_VERSIONS
    with engine.begin() as connection:
        connection.execute(sa.update(table).where(table.c.model_version == version).values(champion_since=since))


def add_notes(
    engine: sa.Engine,
    numbers: Iterable[int],
    *,
    text: str = TEXT,
    source: str = "ward",
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Add notes, or another text of notes that are there."""
    hashed = hashlib.sha256(text.encode()).hexdigest()
    notes = [{"note_id": n, "source": source, "source_id": f"n/{n}", "current_hash": hashed} for n in numbers]
    made = {"text_hash": hashed, "text": text, "metadata": dict(metadata or {}), "received_at": START, "pending": False}
    ids = [note["note_id"] for note in notes]
    with engine.begin() as connection:
        there = set(connection.scalars(sa.select(schema.NOTES.c.note_id).where(schema.NOTES.c.note_id.in_(ids))))
        if new := [note for note in notes if note["note_id"] not in there]:
            connection.execute(sa.insert(schema.NOTES), new)
        update = sa.update(schema.NOTES).where(schema.NOTES.c.note_id.in_(ids)).values(current_hash=hashed)
        connection.execute(update)
        connection.execute(sa.insert(schema.NOTE_TEXTS), [made | {"note_id": number} for number in ids])


def add_results(
    engine: sa.Engine, numbers: Iterable[int], version: str, *, text: str = TEXT, shadow: bool = False
) -> None:
    """Add what a version found in notes: the spans of `SPANS` that are in the text, one suggestion, and one pair."""
    hashed = hashlib.sha256(text.encode()).hexdigest()
    keys = [{"note_id": number, "text_hash": hashed, "model_version": version} for number in numbers]
    whole = {"shadow": shadow, "sentences": 1, "tokens": 9, "unknown_tokens": 0.0, "accepted": False}
    spans = [_span(text, *span) for span in SPANS if span[0] in text]
    kinds = [{"kind": "mention", "number": n} | span for n, span in enumerate(spans)]
    if "Known" in text:
        kinds.append({"kind": "suggestion", "number": 0} | _span(text, "Known", "Disease", "present", False))
    if len(spans) == len(SPANS):
        kinds[0] |= {"sentence": 0, "disease": 0}
        kinds[3] |= {"sentence": 1, "treatment": 0}
    with engine.begin() as connection:
        connection.execute(
            sa.insert(schema.RESULTS),
            [key | whole | {"created_at": START + timedelta(hours=key["note_id"])} for key in keys],
        )
        if spans:
            connection.execute(sa.insert(schema.MENTIONS), [key | kind for key in keys for kind in kinds])


def _span(text: str, surface: str, label: str, assertion: str, accepted: bool) -> dict[str, Any]:
    start = text.index(surface)
    place = {"start": start, "end": start + len(surface), "label": label}
    said = {"confidence": 0.9, "accepted": accepted, "assertion": assertion}
    return place | said | dict.fromkeys(("sentence", "disease", "treatment"))


def serve(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands connect to this database."""
    monkeypatch.setattr("production.database.revision.open_database", lambda: engine)


def log_rows(
    engine: sa.Engine,
    times: Iterable[datetime],
    *,
    version: str = "1",
    probability: float = 1.0,
    first: int | None = None,
    **values: Any,
) -> None:
    """Add rows of the serving log, one for each time."""
    row = {
        "note_type": "letter", "speciality": None, "sex": None, "age_band": None, "month": None, "characters": 9,
        "sentences": 1, "tokens": 3, "unknown_tokens": 0.0, "diseases": 1, "treatments": 0, "confidence": None,
    } | values  # fmt: skip
    with engine.begin() as connection:
        for number, time in enumerate(times):
            given = {} if first is None else {"log_id": first + number}
            logged = {"served_at": time, "model_version": version, "probability": probability}
            name = hashlib.sha256(f"{first} {number} {time}".encode()).hexdigest()[:16]
            connection.execute(sa.insert(schema.SERVING_LOG), given | logged | {"row": {"note": name} | row})

"""A database in which everything that an operator is told about has happened, and what is exposed of it."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine

from production.metrics.collecting import Exporter
from production.metrics.parts import Place
from production.metrics.working import WorkerMeasures
from production.notes.records import Incoming
from production.notes.storing import add
from production.service.measures import Measures
from production.watch.channels import Channels
from tests.production import empty, sqlite_url, worker
from tests.served import WEEK
from tests.simulated_year import NOTES, YEAR_PARAMS, Truth, Year

WEEKS = 4
EPOCH = datetime(1970, 1, 5, tzinfo=UTC)
"""A Monday: Prometheus's unit tests begin in 1970."""
PARAMS = YEAR_PARAMS.model_copy(update={"reference_notes": 2 * NOTES})
CANARY = "Zanzibaritis"
"""A word of notes and metadata that nobody but this test knows."""


def operated(engine: Engine, folder: Path, *, monday: datetime, drift: float = 0.4) -> datetime:
    """Live through weeks, the last of which drifts; return when the last window ended."""
    year = Year(
        engine, folder, lambda week: Truth(drift if week == WEEKS - 1 else 0.0), Channels(("ops",)), PARAMS,
        monday=monday, sending=False,
    )  # fmt: skip
    assert len(list(year.weeks(0, WEEKS - 1))) == WEEKS
    add(engine, [Incoming("long", f"{CANARY} {'x' * 5000}", {"speciality": CANARY})], f"ward {CANARY}")
    worker(engine, year.host).run()
    add(engine, [Incoming("new", f"{CANARY} waits.", {"speciality": CANARY})], f"ward {CANARY}")
    return monday + WEEKS * WEEK


def exporter_of(engine: Engine, now: datetime, fresh: float = 0.0) -> Exporter:
    return Exporter(lambda: Place(engine, PARAMS, 0.95), lambda: now, fresh)


def text_of(registry: CollectorRegistry) -> str:
    return generate_latest(registry).decode()


def exporter_text(engine: Engine, now: datetime) -> str:
    return text_of(exporter_of(engine, now).registry())


def service_text() -> str:
    """Return what a service exposes that has seen everything."""
    measures = Measures()
    measures.describe("3", None)
    measures.answered("/analyze", 200, 0.1)
    measures.rejected("overload")
    measures._mentions.labels("Disease").inc()
    return measures.text().decode()


def worker_text(folder: Path) -> str:
    """Return what a worker exposes that has read a note and set another aside."""
    measures, engine = WorkerMeasures(), empty(sqlite_url(folder / "worker"))
    add(engine, [Incoming("one", "Known asthma.", {}), Incoming("two", "x" * 5000, {})], "worker")
    made = worker(engine)
    made.measure = measures.batch
    made.run()
    engine.dispose()
    return text_of(measures.registry)


def exposed(*texts: str) -> dict[str, set[str]]:
    """Return the names of samples (of families, where there is none), with the labels that some sample has."""
    found: dict[str, set[str]] = defaultdict(set)
    for text in texts:
        for family in text_string_to_metric_families(text):
            if not family.samples:
                found[family.name] |= set()
            for sample in family.samples:
                found[sample.name] |= set(sample.labels)
    return dict(found)


def values_of(text: str, name: str) -> dict[tuple[str, ...], float]:
    """Return the samples of a name by the values of their labels, in the order of the labels' names."""
    return {
        tuple(value for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


def value_of(text: str, name: str, *words: str) -> float | None:
    return values_of(text, name).get(words)


_METRIC = re.compile(r"\b(behealthy_\w+)(\{[^}]*\})?")


def asked(expression: str) -> dict[str, set[str]]:
    """Return the names that an expression of PromQL asks for, with the labels that it selects by."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, selector in _METRIC.findall(re.sub(r"\bbehealthy_\w+\s*\(", "", expression)):
        found[name] |= set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", re.sub(r'"[^"]*"', "", selector)))
    return dict(found)


def grouped(expression: str) -> set[str]:
    """Return the labels that an expression groups or joins by."""
    lists = re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", expression)
    return {label.strip() for words in lists for label in words.split(",")} - {""}


def later(moment: datetime, **span: float) -> datetime:
    return moment + timedelta(**span)

"""Claims that lapse while something is handed in, or asked for again: whoever comes second finds what is there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from production.review import claiming, handing_in
from production.review.claiming import next_task
from production.review.handing_in import hand_in
from production.review.tasks import Task
from tests.production import empty
from tests.unit.test_review import ALL, ANNA, BEN, SOON, accept_all, claim, infer, planned, tasks

LAPSED = SOON + timedelta(minutes=ALL.claim_minutes)


@pytest.fixture
def postgres_engine(postgresql: str) -> Iterator[Engine]:
    """SQLite has one writer at a time."""
    engine = empty(postgresql)
    infer(engine, "gout 1")
    planned(engine, double=1.0)
    yield engine
    engine.dispose()


def ask(engine: Engine, got: list[Task | None]) -> threading.Thread:
    """Let Ben ask for a note just after Anna's claim has lapsed; return when he has it, or waits for her."""
    thread = threading.Thread(target=lambda: got.append(next_task(engine, BEN, LAPSED, ALL)))
    thread.start()
    waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    while thread.is_alive():
        with engine.connect() as connection:
            if connection.exec_driver_sql(waits).scalar():
                break
    return thread


def test_a_note_that_is_being_handed_in_late_is_not_claimed(
    postgres_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = claim(postgres_engine, ANNA)
    real, threads = handing_in.checked, list[threading.Thread]()
    got: list[Task | None] = []

    def while_ben_asks(*given: Any) -> Any:
        threads.append(ask(postgres_engine, got))
        return real(*given)

    monkeypatch.setattr(handing_in, "checked", while_ben_asks)
    hand_in(postgres_engine, task.task_id, ANNA, accept_all(task), 1.0, LAPSED)
    threads[0].join()
    first, second = tasks(postgres_engine)
    assert (first.reviewer, first.done_at is not None) == (ANNA, True)
    assert [one and one.task_id for one in got] in ([None], [second.task_id])


def test_a_claim_that_is_prolonged_is_not_another_persons(
    postgres_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim(postgres_engine, ANNA)
    real, threads = claiming._take, list[threading.Thread]()
    got: list[Task | None] = []

    def while_ben_asks(connection: Any, task_id: int, reviewer: str, *given: Any) -> Task:
        if reviewer == ANNA:
            threads.append(ask(postgres_engine, got))
        return real(connection, task_id, reviewer, *given)

    monkeypatch.setattr(claiming, "_take", while_ben_asks)
    mine = next_task(postgres_engine, ANNA, LAPSED - timedelta(seconds=1), ALL)
    threads[0].join()
    assert [one is None for one in (mine, *got)].count(False) == 1

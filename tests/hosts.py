"""Processes of a model that are none, pools of them, and what is served by one after the other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from production.inference.host import Found, FoundMention, NoteFailedError
from production.inference.load_model import Model
from production.service.measures import Measures
from production.service.pool import HostPool
from production.service.served import Served
from tests.production import model

FOUND = Found((FoundMention(0, 4, "Disease", 0.9, True, "present"),), (), True, 1, 1, 0.0)
NOTHING = Found((), (), False, 0, 0, 0.0)


class Host:
    """Stands for `production.inference.host.ModelHost`."""

    made: list[Host]
    labels = ("Disease",)

    def __init__(self, code: Path, models: Path) -> None:
        self.starts, self.seen, self.running = 0, [], False
        self.reading = self.disturbed = False
        type(self).made.append(self)

    def start(self) -> None:
        self.starts, self.running = self.starts + 1, True

    def stop(self) -> None:
        self.running, self.disturbed = False, self.disturbed or self.reading

    def extract(self, text: str, seconds: float) -> Found:
        if not self.running:
            self.start()
        self.seen.append(text)
        if text.startswith("sleep"):
            self.reading = True
            time.sleep(float(text.split()[1]))
            self.reading = False
        if text == "kill":
            self.running = False
            raise NoteFailedError("the process of the model has ended")
        if text == "slow":
            raise NoteFailedError("the note takes longer than 1 s", too_slow=True)
        return FOUND if "gout" in text else NOTHING


def within(work: Callable[[HostPool], Any], workers: int = 2) -> tuple[Any, str]:
    """Do something with a pool that is ready; return what came of it, and the metrics."""
    measures = Measures()
    pool = HostPool(model("1"), workers=workers, note_seconds=1.0, measures=measures)

    async def done() -> Any:
        pool.begin()
        await pool.start()
        assert pool.ready
        try:
            return await work(pool)
        finally:
            pool.stop()

    return asyncio.run(done()), measures.text().decode()


def until(true: Callable[[], bool], seconds: float = 10) -> None:
    limit = time.monotonic() + seconds
    while not true() and time.monotonic() < limit:
        time.sleep(0.01)
    assert true()


def exchanging(work: Callable[[Served], Any], log: Any = None) -> tuple[Any, str]:
    """Do something with what is served first by version 1; return what came of it, and the metrics."""
    measures = Measures()

    def pool_of(found: Model) -> HostPool:
        return HostPool(found, workers=2, note_seconds=1.0, measures=measures)

    async def done() -> Any:
        served = Served(model("1"), pool_of, measures, log)
        served.begin()
        await served.start()
        try:
            return await work(served)
        finally:
            served.stop()

    return asyncio.run(done()), measures.text().decode()

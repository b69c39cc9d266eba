"""A process that decides or sends until it is killed: `python -m tests.watch_process decide|send ADDRESS FINDINGS`.

The clock of the sender runs fast, so that what a killed one had claimed is soon due again.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from production.database.engine import address, make_engine, reading, writing
from production.database.watch_tables import DECISIONS
from production.watch.chain import append
from production.watch.channels import Channels
from production.watch.consequences import follow
from production.watch.sending import run_sender
from tests.watching import PARAMS, START, day, finding

SPEED = 400.0
CHANNELS = Channels(("ops", "chat"))
SENDING = PARAMS.model_copy(update={"issues": False, "give_up_attempts": 10_000, "poll_seconds": 0.02})


def decide_all(url: str, findings: int) -> None:
    """Write findings, each with all that follows, from where an earlier process was ended."""
    engine = make_engine(address(url))
    windows = select(func.count()).where(DECISIONS.c.kind == "window")
    while True:
        with writing(engine) as connection:
            place = connection.scalar(windows) or 0
            if place >= findings:
                return
            found = finding("redevelop" if place % 2 == 0 else "none", place, topic=f"topic-{place // 2 % 10}")
            number = append(connection, "window", {"period": found.period}, day(place))
            follow(connection, found, number, day(place), SENDING, CHANNELS)


def send_all(url: str, _: int) -> None:
    """Send until asked to end."""
    engine, began, stopping = make_engine(address(url)), time.time(), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    with reading(engine):
        pass

    def now() -> datetime:
        return START + timedelta(days=1000) + timedelta(seconds=(time.time() - 1.7e9) * SPEED)

    assert now() > datetime.now(UTC)
    print("sending", began, flush=True)
    run_sender(engine, SENDING, CHANNELS, now, stopping)


if __name__ == "__main__":
    {"decide": decide_all, "send": send_all}[sys.argv[1]](sys.argv[2], int(sys.argv[3]))

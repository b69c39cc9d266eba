"""Whoever decides or sends is killed at any point: nothing is lost, nothing arrives twice where doubles are dropped."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine

from production.database.engine import reading
from production.database.watch_tables import ALERTS, DECISIONS, OUTBOX
from production.watch.chain import verify
from stages.common.variables import ALERTS as ADDRESSES
from tests.receivers import Webhook, webhook
from tests.repository import ROOT
from tests.watching import rows

KILLS = {"sqlite": 25, "postgresql": 10}
KILLS_DECIDING, FINDINGS = 8, 60
MESSAGES = 20


@contextmanager
def process(what: str, engine: Engine, findings: int = 0, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    url = engine.url.render_as_string(hide_password=False)
    started = subprocess.Popen(
        [sys.executable, "-m", "tests.watch_process", what, url, str(findings)],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
    )
    try:
        yield started
    finally:
        started.kill()
        started.wait()


def decided(engine: Engine, chance: random.Random, kills: int, findings: int) -> None:
    """Have all findings written by processes that are killed at random, and at last one that is not."""
    for _ in range(kills):
        with process("decide", engine, findings) as one:
            before = len(rows(engine, DECISIONS, "number"))
            limit = time.monotonic() + 30
            while len(rows(engine, DECISIONS, "number")) == before and one.poll() is None:
                assert time.monotonic() < limit
            time.sleep(chance.uniform(0, 0.02))
    with process("decide", engine, findings) as one:
        assert one.wait(60) == 0


@pytest.mark.slow
def test_who_decides_is_killed_and_every_finding_has_what_follows_once(engine: Engine) -> None:
    decided(engine, random.Random(1), KILLS_DECIDING, FINDINGS)
    bodies = [(row.kind, json.loads(row.body)) for row in rows(engine, DECISIONS)]
    assert [body["period"] for kind, body in bodies if kind == "window"] == [f"week-{at}" for at in range(FINDINGS)]
    assert [kind for kind, _ in bodies] == ["window", "alert", "window", "over"] * (FINDINGS // 2)
    assert len(rows(engine, OUTBOX)) == 2 * FINDINGS
    assert all(row.closed_at is not None for row in rows(engine, ALERTS))
    with reading(engine) as connection:
        assert verify(connection).number is None


@pytest.mark.slow
def test_who_sends_is_killed_and_every_message_arrives(engine: Engine) -> None:
    chance = random.Random(2)
    decided(engine, chance, 0, MESSAGES)
    with webhook() as ops, webhook() as chat:
        given = {ADDRESSES: f"ops={ops.url('secret')} chat={chat.url('secret')}"}
        killed = 0
        for _ in range(KILLS[engine.dialect.name]):
            with process("send", engine, **given) as one:
                assert one.stdout
                assert one.stdout.readline().startswith(b"sending")
                time.sleep(chance.uniform(0, 1.5))
                killed += one.poll() is None
        assert killed == KILLS[engine.dialect.name]
        arrived_while_killed = len(ops.received) + len(chat.received)
        with process("send", engine, **given) as last:
            finish(engine, last)
        check(engine, ops, chat, arrived_while_killed)


def finish(engine: Engine, last: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + 240
    while any(row.delivered_at is None for row in rows(engine, OUTBOX, "message_id", "delivered_at")):
        assert time.monotonic() < limit
        assert last.poll() is None
        time.sleep(0.2)
    last.send_signal(signal.SIGTERM)
    assert last.wait(60) == 0


def check(engine: Engine, ops: Webhook, chat: Webhook, before: int) -> None:
    """Nothing lost; ids tell doubles; a topic's messages came in their order."""
    assert before > 0
    messages = rows(engine, OUTBOX, "message_id", "channel", "decided_by", "topic")
    for name, hook in (("ops", ops), ("chat", chat)):
        written = {row.message_id: row for row in messages if row.channel == name}
        assert set(hook.kept) == set(written)
        for topic in {row.topic for row in messages}:
            firsts = list(dict.fromkeys(one for one, _ in hook.received))
            numbers = [written[message_id].decided_by for message_id in firsts if written[message_id].topic == topic]
            assert numbers == sorted(numbers)

"""The sender: what is due, who sends it, back-off in rows, order, and what is said of messages that do not arrive."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, delete
from sqlalchemy.exc import OperationalError

from production.database.engine import writing
from production.database.watch_tables import ALERTS, OUTBOX
from production.watch import sending
from production.watch.channels import Channels
from production.watch.claiming import INTERRUPTED, claim, pause, settle, try_again, undelivered
from production.watch.deliver import Request
from production.watch.sending import LEASE_MARGIN, Sent, run_sender, send_due, tell_of_undelivered
from tests.watching import CHANNELS, PARAMS, day, decide, rows

OPS = Channels(("ops",))
LEASE = PARAMS.send_seconds + LEASE_MARGIN


class Deliverer:
    """Notes what it is given; faults by channel."""

    def __init__(self, **faults: str | None) -> None:
        self.faults = faults
        self.given: list[tuple[str, str]] = []

    def __call__(self, request: Request, seconds: float, stopping: threading.Event) -> str | None:
        self.given.append((request.channel, request.content["purpose"]))
        return self.faults.get(request.channel)


def send(engine: Engine, at: datetime, deliver: Any, channels: Channels = CHANNELS) -> Sent:
    return send_due(engine, PARAMS, channels, lambda: at, deliver=deliver)


def later(seconds: float) -> datetime:
    return day(0) + timedelta(seconds=seconds)


def test_what_is_due_is_delivered_once(engine: Engine) -> None:
    decide(engine, "retrain_and_alert")
    one = Deliverer()
    assert send(engine, day(0), one) == Sent(4, 0)
    assert sorted(one.given) == [("chat", "opened"), ("issue", "opened"), ("ops", "opened"), ("trigger", "start")]
    assert send(engine, day(9), one) == Sent(0, 0)
    assert {(row.attempts, row.fault, row.delivered_at is None) for row in rows(engine, OUTBOX)} == {(1, None, False)}
    assert undelivered(engine, day(1), PARAMS) == []


def test_what_is_not_due_yet_waits(engine: Engine) -> None:
    decide(engine, "redevelop", 3)
    assert send(engine, day(2.9), Deliverer()) == Sent(0, 0)
    assert send(engine, day(3), Deliverer()) == Sent(3, 0)


def test_a_fault_moves_a_message_ahead_and_no_other(engine: Engine) -> None:
    decide(engine, "redevelop")
    one = Deliverer(chat="slack: not delivered")
    assert send(engine, day(0), one) == Sent(2, 1)
    assert send(engine, later(59), one) == Sent(0, 0)
    assert [(one.channel, one.fault, one.attempts) for one in undelivered(engine, day(0), PARAMS)] == [
        ("chat", "slack: not delivered", 1)
    ]
    assert send(engine, later(60), one) == Sent(0, 1)
    assert send(engine, later(179), one) == Sent(0, 0)
    assert send(engine, later(180), Deliverer()) == Sent(1, 0)
    assert {row.fault for row in rows(engine, OUTBOX)} == {None}


def test_the_pause_doubles_up_to_the_longest() -> None:
    many = PARAMS.model_copy(update={"give_up_attempts": 10_000})
    assert [pause(attempts, many) for attempts in (1, 2, 3, 6, 7, 9_999)] == [60, 120, 240, 1920, 3600, 3600]
    assert pause(5, PARAMS) == 0


def test_who_takes_a_message_has_it_alone_and_for_a_while_only(engine: Engine) -> None:
    decide(engine, "redevelop", channels=OPS)
    ours = claim(engine, "ops", day(0), LEASE, PARAMS)
    assert ours
    assert claim(engine, "ops", later(LEASE - 1), LEASE, PARAMS) is None
    assert rows(engine, OUTBOX)[0].fault == INTERRUPTED
    theirs = claim(engine, "ops", later(LEASE), LEASE, PARAMS)
    assert theirs
    assert theirs.message_id == ours.message_id
    settle(engine, ours, "late", day(0), PARAMS)  # no longer ours: it does not free it for a third
    assert claim(engine, "ops", later(61), LEASE, PARAMS) is None
    settle(engine, theirs, None, later(LEASE), PARAMS)
    assert rows(engine, OUTBOX)[0].delivered_at is not None


def test_two_senders_at_once_send_nothing_twice(engine: Engine) -> None:
    for number in range(12):
        decide(engine, "redevelop", topic=f"topic-{number}")
    given: Counter[str] = Counter()

    def deliver(request: Request, seconds: float, stopping: threading.Event) -> None:
        given[request.message_id] += 1

    threads = [threading.Thread(target=send, args=(engine, day(0), deliver)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(given) == len(rows(engine, OUTBOX)) == 36
    assert set(given.values()) == {1}


def test_messages_of_a_topic_arrive_in_their_order(engine: Engine) -> None:
    decide(engine, "redevelop", 0, channels=OPS)
    send(engine, day(0), Deliverer(ops="down"), OPS)
    decide(engine, "none", 0.0001, channels=OPS)
    decide(engine, "redevelop", 0.0001, topic="promise", channels=OPS)
    one = Deliverer()
    send(engine, later(20), one, OPS)
    assert one.given == [("ops", "opened")]  # of the other topic
    send(engine, later(60), one, OPS)
    assert one.given == [("ops", "opened")] * 2 + [("ops", "over")]


def test_a_channel_that_hangs_holds_up_no_other(engine: Engine) -> None:
    decide(engine, "redevelop")
    hangs, sent = threading.Event(), Deliverer()

    def deliver(request: Request, seconds: float, stopping: threading.Event) -> str | None:
        if request.channel == "ops":
            hangs.wait(60)
        return sent(request, seconds, stopping)

    stopping = threading.Event()
    thread = threading.Thread(
        target=run_sender, args=(engine, PARAMS, CHANNELS, lambda: day(0), stopping), kwargs={"deliver": deliver}
    )
    thread.start()
    wait_for(lambda: len(sent.given) == 2)
    decide(engine, "redevelop", topic="promise")
    wait_for(lambda: len(sent.given) == 4)
    assert {channel for channel, _ in sent.given} == {"chat", "issue"}
    stopping.set()
    hangs.set()
    thread.join(30)
    assert not thread.is_alive()
    assert len(sent.given) == 5  # what was on its way is finished, and nothing more is taken


def wait_for(condition: Any, seconds: float = 30) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)


def test_a_database_that_is_away_ends_no_sender(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    decide(engine, "redevelop")
    real, said, stopping, calls = sending.due_channels, [], threading.Event(), []

    def fail_once(*arguments: Any) -> list[str]:
        calls.append(1)
        if len(calls) == 1:
            raise OperationalError("gout", {"text": "gout"}, Exception("gout"))
        if len(calls) == 3:
            stopping.set()
        return real(*arguments)

    monkeypatch.setattr(sending, "due_channels", fail_once)
    done = run_sender(engine, PARAMS, CHANNELS, lambda: day(0), stopping, deliver=Deliverer(), report=said.append)
    assert done == Sent(3, 0)
    assert said == ["ALERT: the database does not answer (Exception); messages wait"]


# ---- given up -------------------------------------------------------------------------------------


def give_up(engine: Engine, deliver: Deliverer, channels: Channels = CHANNELS) -> datetime:
    at = day(0)
    for _ in range(PARAMS.give_up_attempts):
        send(engine, at, deliver, channels)
        at += timedelta(hours=1)
    return at


def test_a_message_is_given_up_and_that_is_told(engine: Engine) -> None:
    decide(engine, "redevelop")
    one = Deliverer(ops="mailto: not delivered")
    at = give_up(engine, one)
    lost = [found for found in undelivered(engine, at, PARAMS) if found.given_up]
    assert [(found.channel, found.topic, found.attempts) for found in lost] == [("ops", "drift", 5)]
    assert [row.topic for row in rows(engine, ALERTS)] == ["drift", "undelivered"]
    send(engine, at, one)
    told = [row for row in rows(engine, OUTBOX) if row.topic == "undelivered"]
    assert sorted((row.channel, row.delivered_at is None) for row in told) == [("chat", False), ("issue", False)]
    assert "1 message was not delivered to ops" in told[0].body
    assert one.given.count(("ops", "opened")) == 5
    send(engine, at + timedelta(days=1), one)
    assert one.given.count(("ops", "opened")) == 5


def test_what_was_given_up_can_be_sent_again_and_then_it_is_over(engine: Engine) -> None:
    decide(engine, "redevelop")
    at = give_up(engine, Deliverer(ops="down"))
    send(engine, at, Deliverer())
    assert try_again(engine, at, PARAMS) == 1
    one = Deliverer()
    send(engine, at, one)
    send(engine, at, one)
    assert ("ops", "opened") in one.given
    assert [(row.topic, row.closed_at is None) for row in rows(engine, ALERTS)] == [
        ("drift", True),
        ("undelivered", False),
    ]
    assert ("chat", "over") in one.given


def test_a_message_that_was_given_up_holds_up_no_later_one_and_is_no_longer_missed_then(engine: Engine) -> None:
    decide(engine, "redevelop", 0, channels=OPS)
    at = give_up(engine, Deliverer(ops="down"), OPS)
    decide(engine, "none", 1, channels=OPS)
    one = Deliverer()
    send(engine, max(at, day(1)), one, OPS)
    assert ("ops", "over") in one.given
    assert undelivered(engine, day(2), PARAMS) == []
    assert try_again(engine, day(2), PARAMS) == 0
    send(engine, day(2), one, OPS)
    assert all(row.closed_at is not None for row in rows(engine, ALERTS))


def test_a_sender_that_dies_at_its_last_attempt_gives_up_all_the_same(engine: Engine) -> None:
    decide(engine, "redevelop", channels=OPS)
    at = day(0)
    for _ in range(PARAMS.give_up_attempts):
        assert claim(engine, "ops", at, LEASE, PARAMS)
        at += timedelta(seconds=LEASE)
    assert [one.given_up for one in undelivered(engine, at - timedelta(seconds=1), PARAMS)] == [False]
    assert [(one.given_up, one.fault) for one in undelivered(engine, at, PARAMS)] == [(True, INTERRUPTED)]


def test_the_clock_may_have_another_zone(engine: Engine) -> None:
    from zoneinfo import ZoneInfo

    decide(engine, "redevelop", channels=OPS)
    assert send(engine, day(0).astimezone(ZoneInfo("America/New_York")), Deliverer(), OPS) == Sent(1, 0)


def test_two_senders_tell_once_of_what_was_given_up(engine: Engine) -> None:
    decide(engine, "redevelop", channels=OPS)
    at = give_up(engine, Deliverer(ops="down"), OPS)
    with writing(engine) as connection:
        connection.execute(delete(ALERTS).where(ALERTS.c.topic == "undelivered"))
    told = threading.Barrier(2)
    original = sending._given_up

    def slowly(*given: Any) -> Any:
        found = original(*given)
        with suppress(threading.BrokenBarrierError):
            told.wait(0.5)  # as long as both may be here at once, they are
        return found

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(2) as pool:
        patch.setattr(sending, "_given_up", slowly)
        telling = [pool.submit(tell_of_undelivered, engine, at, PARAMS, OPS) for _ in range(2)]
        for one in telling:
            one.result()
    assert [row.topic for row in rows(engine, ALERTS)].count("undelivered") == 1

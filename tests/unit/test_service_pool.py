"""The pool of hosts behind the service, and one model after another in front of it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from production.inference.host import Found, HostError, NoteFailedError
from production.inference.load_model import Model
from production.service import pool as pools
from production.service.pool import PIECE, HostPool, _pieces
from production.service.served import Answers, Served
from stages.common.errors import BeHealthyError
from tests.hosts import FOUND, NOTHING, Host, exchanging, until, within
from tests.production import model


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> list[Host]:
    Host.made = []
    monkeypatch.setattr(pools, "ModelHost", Host)
    return Host.made


# ---- the pool ---------------------------------------------------------------------------------------


def test_notes_come_back_in_their_order(hosts: list[Host]) -> None:
    notes = [f"{'gout' if number % 3 else 'walk'} {'x' * 4000} {number}" for number in range(40)]
    found, metrics = within(lambda pool: pool.extract(notes))
    assert [bool(answer.mentions) for answer in found] == ["gout" in note for note in notes]
    assert all(host.seen for host in hosts)
    assert "behealthy_notes_total 40.0" in metrics
    assert 'behealthy_mentions_total{label="Disease"} 26.0' in metrics


def test_no_note_is_no_answer(hosts: list[Host]) -> None:
    assert within(lambda pool: pool.extract([]))[0] == []


def test_a_host_that_died_is_started_before_it_is_asked_again(hosts: list[Host]) -> None:
    found, metrics = within(lambda pool: pool.extract(["gout", "kill", "gout"]), workers=1)
    assert [type(answer) for answer in found] == [Found, NoteFailedError, Found]
    assert hosts[0].starts == 2
    assert "behealthy_notes_failed_total 1.0" in metrics


def test_an_answer_waits_for_no_new_process(hosts: list[Host], monkeypatch: pytest.MonkeyPatch) -> None:
    async def kill(pool: HostPool) -> float:
        monkeypatch.setattr(Host, "start", lambda host: time.sleep(0.5) or setattr(host, "running", True))
        started = time.monotonic()
        await pool.extract(["kill"])
        seconds = time.monotonic() - started
        assert await pool.extract(["gout"]) == [FOUND]
        return seconds

    assert within(kill, workers=1)[0] < 0.4


def test_a_request_that_is_given_up_gives_its_host_back_and_leaves_the_rest(hosts: list[Host]) -> None:
    async def impatient(pool: HostPool) -> Any:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await pool.extract(["sleep 0.3", "left", "left"])
        return await pool.extract(["gout"])

    assert within(impatient, workers=1)[0] == [FOUND]
    assert hosts[0].seen == ["sleep 0.3", "gout"]


def test_a_host_comes_back_though_nobody_waited_until_it_was_asked(hosts: list[Host]) -> None:
    async def impatient(pool: HostPool) -> Any:
        pool._threads.submit(time.sleep, 0.3)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await pool.extract(["left"])
        async with asyncio.timeout(5):
            return await pool.extract(["gout"])

    assert within(impatient, workers=1)[0] == [FOUND]


def test_many_notes_hold_up_no_other_request(hosts: list[Host]) -> None:
    async def both(pool: HostPool) -> list[str]:
        ended = []

        async def one(name: str, notes: list[str]) -> None:
            await pool.extract(notes)
            ended.append(name)

        many = asyncio.create_task(one("many", [f"sleep 0.02 {'x' * PIECE}"] * 20))
        await asyncio.sleep(0.05)
        await asyncio.gather(many, one("single", ["gout"]))
        return ended

    assert within(both, workers=1)[0] == ["single", "many"]


def test_two_hosts_work_at_a_time(hosts: list[Host]) -> None:
    started = time.monotonic()
    within(lambda pool: pool.extract([f"sleep 0.2 {'x' * PIECE}"] * 4))
    assert time.monotonic() - started < 0.7


@pytest.mark.parametrize("sizes", [[], [5], [PIECE], [PIECE, 1], [1, PIECE, 1], [PIECE // 2] * 5])
def test_pieces_are_all_notes_in_order(sizes: list[int]) -> None:
    pieces = list(_pieces(["x" * size for size in sizes]))
    assert [place for piece in pieces for place in piece] == list(range(len(sizes)))
    assert all(sum(sizes[place] for place in piece[:-1]) < PIECE for piece in pieces)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "LOOKING", 0.01)
    monkeypatch.setattr(pools, "TRYING", 0.02)


def test_a_host_that_dies_while_it_is_asked_nothing_is_started_anew(hosts: list[Host], impatient: None) -> None:
    async def dying(pool: HostPool) -> None:
        hosts[0].running = False
        await asyncio.to_thread(until, lambda: hosts[0].running)
        assert await pool.extract(["gout"] * 4) == [FOUND] * 4

    within(dying)
    assert [host.starts for host in hosts] == [2, 1]


@pytest.mark.parametrize("error", [HostError("no model"), OSError("no room for a process")])
def test_what_does_not_start_is_not_ready_until_it_does(
    hosts: list[Host],
    impatient: None,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    error: Exception,
) -> None:
    start, broken = Host.start, {0, 1}

    def failing(host: Host) -> None:
        if hosts.index(host) in broken:
            raise error
        start(host)

    async def dying(pool: HostPool) -> None:
        monkeypatch.setattr(Host, "start", failing)
        hosts[0].running = False
        await asyncio.sleep(0.2)
        assert pool.ready  # the other one is
        assert await pool.extract(["gout"] * 4) == [FOUND] * 4
        hosts[1].running = False
        await asyncio.to_thread(until, lambda: not pool.ready)
        broken.clear()
        await asyncio.to_thread(until, lambda: pool.ready)
        assert await pool.extract(["gout"] * 4) == [FOUND] * 4

    within(dying)
    assert capfd.readouterr().err.count("ALERT") == 2


def test_who_waits_when_the_last_host_dies_for_good_is_refused_at_once(
    hosts: list[Host], impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = Host.start

    def failing(host: Host) -> None:
        raise HostError("no model")

    async def dying(pool: HostPool) -> None:
        monkeypatch.setattr(Host, "start", failing)
        waiting = [asyncio.create_task(pool.extract([note])) for note in ("kill", "gout", "gout")]
        async with asyncio.timeout(5):
            (failed,), *refused = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(failed, NoteFailedError)
        assert [(one.status, one.headers) for one in refused] == [(503, {"retry-after": "5"})] * 2
        monkeypatch.setattr(Host, "start", start)
        await asyncio.to_thread(until, lambda: pool.ready)
        assert await pool.extract(["gout"]) == [FOUND]

    within(dying, workers=1)


# ---- one model after another ------------------------------------------------------------------------


def test_another_version_takes_over_and_requests_of_before_end_as_they_began(hosts: list[Host]) -> None:
    found = ["1"]

    async def promoting(served: Served) -> list[Answers]:
        served.follow(lambda: model(found[-1]), 0.01)
        notes = [f"sleep 0.2 {'x' * PIECE}"] * 6  # of which the last begin long after the exchange
        before = asyncio.create_task(served.extract(notes))
        await asyncio.sleep(0.05)
        found.append("2")
        await asyncio.to_thread(until, lambda: served.model.version == "2")
        assert not before.done()
        after = await served.extract(["gout"])
        answers = [await before, after]
        await asyncio.to_thread(until, lambda: not any(host.running for host in hosts[:2]))
        assert all(host.running for host in hosts[2:])
        return answers

    (before, after), metrics = exchanging(promoting)
    assert (before.model.version, before.notes) == ("1", [NOTHING] * 6)
    assert (after.model.version, after.notes) == ("2", [FOUND])
    assert [len(host.seen) for host in hosts[:2]] == [3, 3]
    assert len(hosts) == 4
    assert 'behealthy_model_info{commit="",version="2"} 1.0' in metrics
    assert not any(host.running for host in hosts)


def test_a_note_that_nobody_waits_for_any_longer_is_read_before_its_host_ends(hosts: list[Host]) -> None:
    found = ["1"]

    async def giving_up(served: Served) -> None:
        served.follow(lambda: model(found[-1]), 0.01)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await served.extract(["sleep 0.4"])
        found.append("2")
        await asyncio.to_thread(until, lambda: served.model.version == "2")
        await asyncio.to_thread(until, lambda: not any(host.running for host in hosts[:2]))

    exchanging(giving_up)
    assert not any(host.disturbed for host in hosts)


@pytest.mark.parametrize("fault", ["registry", "host", "unforeseen"])
def test_what_can_not_be_followed_leaves_what_answers(
    hosts: list[Host], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], fault: str
) -> None:
    start, faulty = Host.start, [True]

    def find() -> Model:
        if fault != "host" and faulty:
            raise BeHealthyError("no answer") if fault == "registry" else ValueError("Gout in 1961")
        return model("2")

    def starting(host: Host) -> None:
        if faulty and hosts.index(host) > 1:
            raise HostError("no such module")
        start(host)

    async def following(served: Served) -> None:
        monkeypatch.setattr(Host, "start", starting)
        served.follow(find, 0.02)
        await asyncio.sleep(0.2)
        assert (served.ready, served.model.version) == (True, "1")
        assert (await served.extract(["gout"])).notes == [FOUND]
        faulty.clear()
        await asyncio.to_thread(until, lambda: served.model.version == "2")

    _, metrics = exchanging(following)
    said = capfd.readouterr().err
    assert "ALERT: going on with version 1" in said
    assert "Gout" not in said
    assert "behealthy_follow_failures_total 0.0" not in metrics

"""The commands of the watch as people use them: what they refuse, how they end, what the status says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from production.database.engine import writing
from production.database.watch_tables import OUTBOX
from production.watch.__main__ import main, parse
from production.watch.channels import Channels
from production.watch.keeping import reset
from production.watch.status import LATE, status
from stages.common.variables import ALERTS, DATABASE
from tests.production import empty, sqlite_url
from tests.receivers import serving
from tests.repository import ROOT
from tests.served import Hospital
from tests.watching import PARAMS, day, decide, rows

OPS = Channels(("ops",))
SECONDS = 2.0


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """Where the commands work."""
    engine = empty(sqlite_url(tmp_path))
    monkeypatch.setenv(DATABASE, sqlite_url(tmp_path))
    monkeypatch.delenv(ALERTS, raising=False)
    monkeypatch.chdir(ROOT)
    yield engine
    engine.dispose()


@pytest.fixture
def slow_receiver() -> Iterator[tuple[str, list[str]]]:
    """A webhook that takes its time, and what it was asked."""
    asked: list[str] = []

    def answer(_: str, path: str, *__: object) -> tuple[int, object, dict[str, str]]:
        asked.append(path)
        time.sleep(SECONDS)
        return 200, {}, {}

    with serving(answer) as port:
        yield f"json://127.0.0.1:{port}/", asked


@pytest.mark.parametrize("words", [["send"], ["send", "--watch"]])
@pytest.mark.parametrize("asked_by", [signal.SIGINT, signal.SIGTERM])
def test_a_sender_that_is_asked_to_end_finishes_one_message_and_begins_no_other(
    database: Engine, slow_receiver: tuple[str, list[str]], words: list[str], asked_by: signal.Signals
) -> None:
    for topic in ("drift", "learned", "promise"):
        decide(database, "redevelop", -30, topic=topic, channels=OPS)
    url, asked = slow_receiver
    command = [sys.executable, "-m", "production.watch", *words]
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, ALERTS: f"ops={url}"}, stderr=subprocess.PIPE) as one:
        limit = time.monotonic() + 60
        while not asked:
            assert one.poll() is None
            assert time.monotonic() < limit
            time.sleep(0.01)
        one.send_signal(asked_by)
        _, said = one.communicate(timeout=60)
    assert one.returncode == (0 if "--watch" in words else 130), said
    assert b"Traceback" not in said
    assert len(asked) == 1
    assert sorted((row.attempts, row.delivered_at is None) for row in rows(database, OUTBOX)) == [
        (0, True), (0, True), (1, False)
    ]  # fmt: skip


def test_messages_that_nobody_sends_ask_for_attention(database: Engine) -> None:
    decide(database, "retrain")
    assert not status(database, PARAMS, day(0.1), 5)["attention"]
    found = status(database, PARAMS, day(0) + LATE, 5)
    assert (found["attention"], len(found["undelivered"])) == (True, 1)


def test_what_a_later_message_has_overtaken_is_no_longer_missed(database: Engine) -> None:
    decide(database, "redevelop", 0, channels=OPS)
    decide(database, "none", 1, channels=OPS)
    first, second = sorted(rows(database, OUTBOX), key=lambda row: row.decided_by)
    with writing(database) as connection:
        given_up = update(OUTBOX).where(OUTBOX.c.message_id == first.message_id)
        connection.execute(given_up.values(attempts=PARAMS.give_up_attempts, fault="json: not delivered"))
    assert len(status(database, PARAMS, day(2), 5)["undelivered"]) == 2
    with writing(database) as connection:
        arrived = update(OUTBOX).where(OUTBOX.c.message_id == second.message_id)
        connection.execute(arrived.values(delivered_at=day(2), attempts=1))
    found = status(database, PARAMS, day(2), 5)
    assert (found["attention"], found["undelivered"]) == (False, [])


@pytest.mark.parametrize(("address", "said"), [("", True), ("ops=json://127.0.0.1:9/", False)])
def test_it_is_said_where_an_alert_has_nobody_to_go_to(
    database: Engine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, address: str, said: bool
) -> None:
    Hospital(database).promote("1", datetime.now(UTC) - timedelta(days=15))  # and nothing is logged
    monkeypatch.setenv(ALERTS, address)
    assert main(["run"]) == 1
    assert ("NOBODY was told" in capsys.readouterr().err) == said


def test_a_folder_that_is_not_there_spoils_no_window(
    database: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Hospital(database).promote("1", datetime.now(UTC) - timedelta(days=15))
    assert main(["run", "--log", str(tmp_path / "lgo")]) == 2
    assert "there is no folder" in capsys.readouterr().err
    assert status(database, PARAMS, datetime.now(UTC), 5)["windows"] == []


@pytest.mark.parametrize("why", ["", " \n", "x" * 1001])
def test_a_reset_has_a_reason(why: str) -> None:
    with pytest.raises(SystemExit) as refused:
        parse(["reset", "--why", why])
    assert refused.value.code == 2


def test_a_reason_of_two_lines_is_one_line_of_the_list(
    database: Engine, capsys: pytest.CaptureFixture[str], run_list: Callable[[], int]
) -> None:
    Hospital(database).promote("1", datetime.now(UTC) - timedelta(days=1))
    assert main(["reset", "--why", "a new ward\nand another \x1b[31m"]) == 0
    capsys.readouterr()
    assert run_list() == 0
    printed = capsys.readouterr().out
    assert len(printed.splitlines()) == 1
    assert "\x1b" not in printed


@pytest.fixture
def run_list() -> Callable[[], int]:
    from production.decisions import main as decisions

    return lambda: decisions(["list"])


def test_the_status_is_json(database: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    decide(database, "unknown", channels=OPS)
    assert main(["status", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["alerts"][0]["topic"] == "drift"


@pytest.mark.parametrize("ahead", ["champion", "reset"])
def test_a_reign_that_begins_in_time_to_come_is_said_and_a_reset_mends_it(
    database: Engine, capsys: pytest.CaptureFixture[str], ahead: str
) -> None:
    """Some clock is wrong, or was: until then no window would be judged, and none would be overdue."""
    now = datetime.now(UTC)
    Hospital(database).promote("1", now + timedelta(days=100 if ahead == "champion" else -1))
    if ahead == "reset":
        reset(database, "a new ward", now + timedelta(days=400), PARAMS, OPS)
    assert main(["run"]) == 2
    assert "in time to come" in capsys.readouterr().err
    assert main(["status"]) == 1
    assert "CLOCK" in capsys.readouterr().out
    if ahead == "reset":
        assert main(["reset", "--why", "the clock is right again"]) == 0
        assert main(["run"]) == 0
        assert main(["status"]) == 0

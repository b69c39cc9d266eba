"""What Prometheus is told of production: the figures of the other commands, and nothing where there is none."""

from __future__ import annotations

import os
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import Engine, select, update
from sqlalchemy.exc import OperationalError

from production.database.champion import at_work
from production.database.engine import address, make_engine, reading, writing
from production.database.schema import RESULTS
from production.database.status import counts
from production.database.watch_tables import DECISIONS, WATCH_WINDOWS
from production.infer import parse as parse_infer
from production.inference import workers
from production.inference.workers import supervise
from production.metrics import __main__ as command
from production.metrics import collecting
from production.metrics.answering import answering
from production.metrics.collecting import PARTS
from production.metrics.working import WorkerMeasures
from production.notes.records import Incoming
from production.notes.storing import add
from production.review.estimating import known
from production.review.status import status_of
from production.watch.status import status
from stages.common.errors import BeHealthyError
from stages.common.variables import DATABASE, TOKEN
from stages.monitor.decision import SEVERITIES
from tests.operated import (
    CANARY,
    PARAMS,
    exporter_of,
    exporter_text,
    exposed,
    operated,
    text_of,
    value_of,
    values_of,
    worker_text,
)
from tests.production import FakeHost, empty, model, sqlite_url, worker
from tests.served import MONDAY
from tests.watching import champion

FAILED = "behealthy_collect_failed"


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, datetime]]:
    folder = tmp_path_factory.mktemp("operated")
    engine = empty(sqlite_url(folder))
    yield engine, operated(engine, folder, monday=MONDAY)
    engine.dispose()


def copied(engine: Engine, folder: Path) -> Engine:
    (folder / "production").mkdir()
    with engine.connect() as connection:
        connection.connection.execute(f"VACUUM INTO '{folder}/production/behealthy.db'")  # type: ignore[attr-defined]
    return make_engine(address(sqlite_url(folder)))


def failed(text: str) -> set[str]:
    return {part for (part,), value in values_of(text, FAILED).items() if value}


def test_figures_are_those_of_the_other_commands(lived: tuple[Engine, datetime]) -> None:
    engine, end = lived
    now = end + timedelta(days=2)
    text = exporter_text(engine, now)
    stored, watched, quality = counts(engine), status(engine, PARAMS, now, 1), known(engine, 0.95, (), now).quality
    assert failed(text) == set()
    assert value_of(text, "behealthy_database_notes") == stored["notes"]
    assert value_of(text, "behealthy_notes_waiting") == stored["waiting"] == 1
    assert values_of(text, "behealthy_database_results") == {("false", "1"): stored["results"]["version 1"]}
    assert values_of(text, "behealthy_database_quarantined") == {
        ("input_features_check",): stored["quarantine"]["input_features_check"]
    }
    looked = stored["results"]["version 1"] + 1
    assert value_of(text, "behealthy_notes_looked_at", "all") == looked
    assert value_of(text, "behealthy_quarantine_ratio", "all") == pytest.approx(1 / looked)
    [last] = watched["windows"]
    decided = {words for words, value in values_of(text, "behealthy_last_decision").items() if value}
    assert decided == {(last["decision"], "drift")}
    assert last["decision"] == "redevelop"  # that quality holds was found before the notes changed
    assert value_of(text, "behealthy_last_window_end_timestamp_seconds") == end.timestamp()
    assert value_of(text, "behealthy_windows_overdue") == len(watched["overdue"])
    assert value_of(text, "behealthy_alerts_open", "drift") == 1
    assert value_of(text, "behealthy_messages_undelivered", "waiting") == len(watched["undelivered"]) > 0
    assert value_of(text, "behealthy_accepted_precision_ratio") == quality.value
    assert value_of(text, "behealthy_accepted_precision_low_ratio") == quality.low
    assert value_of(text, "behealthy_accepted_precision_high_ratio") == quality.high
    assert value_of(text, "behealthy_audited_notes") == quality.reviewed > 0
    done = sum(count.done for count in status_of(engine, now).counts if count.stream == "audit")
    assert value_of(text, "behealthy_review_tasks", "done", "audit") == done > 0
    assert values_of(text, "behealthy_champion_info") == {("1",): 1.0}
    with reading(engine) as connection:
        since = at_work(connection).since
    assert value_of(text, "behealthy_champion_since_timestamp_seconds") == since.timestamp()
    assert value_of(text, "behealthy_decisions_whole") == 1


def test_drift_is_told_by_column_in_parts_of_one(lived: tuple[Engine, datetime]) -> None:
    engine, end = lived
    text = exporter_text(engine, end)
    with reading(engine) as connection:
        judged = connection.execute(select(WATCH_WINDOWS.c.judged).order_by(WATCH_WINDOWS.c.window_id.desc())).scalar()
    columns = judged["drift"]["columns"]  # type: ignore[index]
    for name, key in (("", "deviation"), ("_low", "low"), ("_high", "high"), ("_noise", "noise")):
        told = values_of(text, f"behealthy_drift{name}_ratio")
        assert told == {(column, "all"): pytest.approx(one[key] / 100) for column, one in columns.items()}
    assert value_of(text, "behealthy_drift_ratio", "speciality", "all") > 0.2  # type: ignore[operator]


def test_where_nothing_could_be_compared_no_column_is_counted(lived: tuple[Engine, datetime], tmp_path: Path) -> None:
    """Zero columns that failed would say that all were compared."""
    engine = copied(lived[0], tmp_path)
    assert value_of(exporter_text(*lived), "behealthy_drift_columns_failed") == 0
    with writing(engine) as connection:
        connection.execute(update(WATCH_WINDOWS).values(decision="unknown", judged={"drift": None}))
    text = exporter_text(engine, lived[1])
    assert failed(text) == set()
    assert value_of(text, "behealthy_drift_columns_failed") is None


def test_every_decision_is_a_state_and_one_of_them_is_current(lived: tuple[Engine, datetime]) -> None:
    text = exporter_text(*lived)
    states = values_of(text, "behealthy_last_decision")
    assert {decision for decision, _ in states} == set(SEVERITIES)
    assert sum(states.values()) == 1


def test_a_decision_is_over_with_another_champion(lived: tuple[Engine, datetime], tmp_path: Path) -> None:
    """Its alert is critical: it must not last until the first window of the new one, a week later."""
    engine = copied(lived[0], tmp_path)
    champion(engine, "2", lived[1])
    states = values_of(exporter_text(engine, lived[1]), "behealthy_last_decision")
    assert set(states.values()) == {0.0}


def test_nothing_of_notes_sources_or_reviewers_is_told(lived: tuple[Engine, datetime], tmp_path: Path) -> None:
    engine, end = lived
    text = exporter_text(engine, end) + worker_text(tmp_path)
    for word in (CANARY, "ward", "cardiology", "oncology", "asthma", f"{0:064}"):
        assert word not in text


def test_a_database_without_anything_has_no_figures_and_no_faults(engine: Engine) -> None:
    text = exporter_text(engine, MONDAY)
    assert failed(text) == set()
    assert value_of(text, "behealthy_notes_waiting") == 0
    for name in (
        "oldest_waiting_note_timestamp_seconds", "quarantine_ratio", "champion_info", "last_decision",
        "last_window_end_timestamp_seconds", "accepted_precision_ratio", "promise_broken", "drift_ratio",
    ):  # fmt: skip
        assert not values_of(text, f"behealthy_{name}"), name


def test_the_last_day_and_the_last_week_are_told_apart(engine: Engine) -> None:
    add(engine, [Incoming(str(number), f"asthma {number}", {}) for number in range(6)], "ward")
    add(engine, [Incoming("long", "x" * 5000, {})], "ward")
    worker(engine).run()
    now = datetime.now(UTC)
    with writing(engine) as connection:
        old = update(RESULTS).where(RESULTS.c.note_id <= 2).values(created_at=now - timedelta(days=3))
        connection.execute(old)
        connection.execute(update(RESULTS).where(RESULTS.c.note_id == 3).values(created_at=now - timedelta(days=9)))
    text = exporter_text(engine, datetime.now(UTC))
    assert values_of(text, "behealthy_notes_looked_at") == {("1d",): 4, ("7d",): 6, ("all",): 7}
    assert value_of(text, "behealthy_quarantine_ratio", "1d") == 0.25


def test_a_note_that_waits_is_told_by_when_it_arrived(engine: Engine) -> None:
    add(engine, [Incoming("1", "asthma", {})], "ward")
    told = value_of(exporter_text(engine, MONDAY), "behealthy_oldest_waiting_note_timestamp_seconds")
    assert told == pytest.approx(time.time(), abs=600)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_fails_is_left_out_and_said_and_the_others_are_told(
    part: str, lived: tuple[Engine, datetime], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine, now = lived
    before = exposed(exporter_text(engine, now)).keys()

    def broken(*_: object) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily("behealthy_half", "Told before the fault.", value=1)
        raise OperationalError("select", {"text": CANARY}, ValueError(CANARY))

    monkeypatch.setitem(collecting.PARTS, part, broken)  # type: ignore[arg-type]
    text = exporter_text(engine, now)
    assert failed(text) == {part}
    assert "behealthy_half" not in text
    assert 0 < len(before - exposed(text).keys()) < len(before) / 2
    said = capsys.readouterr().err
    assert f"metrics: {part} could not be read" in said
    assert CANARY not in said


def test_a_log_of_decisions_that_was_changed_is_told(lived: tuple[Engine, datetime], tmp_path: Path) -> None:
    engine = copied(lived[0], tmp_path)
    with writing(engine) as connection:
        connection.execute(update(DECISIONS).where(DECISIONS.c.number == 2).values(body="{}"))
    text = exporter_text(engine, lived[1])
    assert value_of(text, "behealthy_decisions_whole") == 0
    assert failed(text) == set()


def test_what_was_read_is_told_again_for_a_while_and_longer_where_it_took_long(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []
    clock = iter(range(0, 100_000, 1))  # each look at the clock is a second later: every part takes one

    def counted(name: str) -> Any:
        def part(*_: object) -> Iterator[GaugeMetricFamily]:
            reads.append(name)
            yield from ()

        return part

    for name in PARTS:
        monkeypatch.setitem(collecting.PARTS, name, counted(name))  # type: ignore[arg-type]
    monkeypatch.setattr(collecting.time, "monotonic", lambda: float(next(clock)))
    registry = exporter_of(engine, MONDAY, fresh=1.0).registry()
    text_of(registry)
    text_of(registry)
    assert sorted(reads) == sorted(PARTS)  # twenty seconds for one of reading
    for _ in range(20):
        next(clock)
    text_of(registry)
    assert len(reads) == 2 * len(PARTS)


def test_a_part_that_takes_long_holds_up_no_scrape_and_is_no_figure_before_it_was_read(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, done = iter(range(1, 10)), threading.Event()

    def slow(*_: object) -> Iterator[GaugeMetricFamily]:
        done.wait(60)
        yield GaugeMetricFamily("behealthy_slow", "Takes long.", value=next(clock))

    monkeypatch.setitem(collecting.PARTS, "decisions", slow)  # type: ignore[arg-type]
    exporter = exporter_of(engine, MONDAY)
    exporter.patience = 1.0
    registry = exporter.registry()
    text = text_of(registry)
    assert failed(text) == {"decisions"}
    assert value_of(text, "behealthy_notes_waiting") == 0
    assert value_of(text, "behealthy_collect_timestamp_seconds", "decisions") is None
    done.set()
    exporter.patience = None
    assert value_of(text_of(registry), "behealthy_slow") == 1
    done.clear()
    exporter.patience = 1.0
    text = text_of(registry)
    assert value_of(text, "behealthy_slow") == 1  # as it was read, and when
    assert failed(text) == set()
    done.set()


def test_two_scrapes_at_a_time_read_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[float] = []

    def slow(*_: object) -> Iterator[GaugeMetricFamily]:
        reads.append(time.monotonic())
        time.sleep(0.05)
        yield from ()

    monkeypatch.setitem(collecting.PARTS, "notes", slow)  # type: ignore[arg-type]
    registry = exporter_of(engine, MONDAY, fresh=60).registry()
    threads = [threading.Thread(target=text_of, args=(registry,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reads) == 1


# ---- the commands ---------------------------------------------------------------------------------


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = empty(sqlite_url(tmp_path))
    monkeypatch.setenv(DATABASE, str(made.url))
    return made


def test_a_file_is_written_in_place_of_the_last_one(database: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "textfile"
    folder.mkdir()
    file = folder / "behealthy.prom"
    file.write_text("old")
    reader = file.open()  # somebody is at it
    assert command.main(["write", "--to", str(file)]) == 0
    assert failed(file.read_text()) == set()
    assert reader.read() == "old"
    reader.close()
    assert [one.name for one in folder.iterdir()] == ["behealthy.prom"]


def test_without_a_database_a_file_says_that_nothing_could_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(DATABASE, f"sqlite:///{tmp_path}/none.db")
    file = tmp_path / "behealthy.prom"
    assert command.main(["write", "--to", str(file)]) == 1
    assert failed(file.read_text()) == set(PARTS)
    assert exposed(file.read_text()).keys() == {
        FAILED,
        "behealthy_collect_timestamp_seconds",
        "behealthy_collect_seconds",
    }
    assert "production.database build" in capsys.readouterr().err


def test_what_cannot_be_written_is_an_error(database: Engine, tmp_path: Path) -> None:
    assert command.main(["write", "--to", str(tmp_path / "nowhere/behealthy.prom")]) == 2
    with pytest.raises(SystemExit):
        command.main(["write", "--to", str(tmp_path / "behealthy.txt")])


def test_beyond_the_loopback_there_is_a_token_or_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(TOKEN, raising=False)
    assert command.main(["serve", "--host", "0.0.0.0", "--port", "0"]) == 2
    assert TOKEN in capsys.readouterr().err


def ask(url: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers, method=method), timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_metrics_are_answered_and_nothing_else() -> None:
    with answering(CollectorRegistry(), "127.0.0.1", 0) as address:
        assert ask(f"http://{address}/metrics") == (200, "")
        assert ask(f"http://{address}/metrics?name=x")[0] == 200
        assert ask(f"http://{address}/")[0] == 404
        assert ask(f"http://{address}/metrics", "POST")[0] == 501
    with pytest.raises(urllib.error.URLError):
        ask(f"http://{address}/metrics")


def test_clients_that_never_end_a_request_keep_nobody_from_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("production.metrics.answering._CLIENTS", 2)
    monkeypatch.setattr("production.metrics.answering._LONGEST", 0.5)
    with answering(CollectorRegistry(), "127.0.0.1", 0) as address, ExitStack() as stack:
        host, port = address.rsplit(":", 1)
        slow = [stack.enter_context(socket.create_connection((host, int(port)), 10)) for _ in range(2)]
        for one in slow:
            one.sendall(b"GET /met")
        with pytest.raises(OSError):
            ask(f"http://{address}/metrics")  # both places are taken
        for one in slow:
            assert one.recv(1) == b""  # and given back
        assert ask(f"http://{address}/metrics") == (200, "")


def test_what_lies_under_another_name_is_not_written_through(database: Engine, tmp_path: Path) -> None:
    other, link = tmp_path / "other.txt", tmp_path / "behealthy.prom"
    other.write_text("theirs")
    link.symlink_to(other)
    (tmp_path / f"{link.name}.{os.getpid()}.{threading.get_ident()}").symlink_to(other)  # a name that can be foreseen
    assert command.main(["write", "--to", str(link)]) == 0
    assert other.read_text() == "theirs"
    assert "behealthy_" in link.read_text()


def test_a_token_is_asked_for_where_there_is_one() -> None:
    with answering(CollectorRegistry(), "127.0.0.1", 0, "x" * 16) as address:
        assert ask(f"http://{address}/metrics")[0] == 401
        assert ask(f"http://{address}/metrics", Authorization=f"Bearer {'y' * 16}")[0] == 401
        assert ask(f"http://{address}/metrics", Authorization=f"Bearer {'x' * 16}")[0] == 200


def test_a_port_that_is_taken_is_said() -> None:
    with answering(CollectorRegistry(), "127.0.0.1", 0) as address:
        port = int(address.rpartition(":")[2])
        taken = rf"cannot listen on 127\.0\.0\.1, port {port} \(Address already in use\): give another"
        with pytest.raises(BeHealthyError, match=taken), answering(CollectorRegistry(), "127.0.0.1", port):
            pass


# ---- workers --------------------------------------------------------------------------------------


def test_a_worker_counts_what_it_did(tmp_path: Path) -> None:
    text = worker_text(tmp_path)
    assert value_of(text, "behealthy_notes_total") == 1
    assert values_of(text, "behealthy_mentions_total") == {("Disease",): 1}
    assert values_of(text, "behealthy_notes_quarantined_total") == {("input_features_check",): 1}
    assert value_of(text, "behealthy_batch_seconds_count") == 1
    assert values_of(text, "behealthy_model_info") == {("", "1"): 1}
    assert value_of(text, "behealthy_worker_looked_timestamp_seconds") == pytest.approx(time.time(), abs=60)


def test_a_worker_that_finds_nothing_tells_that_it_looked(engine: Engine) -> None:
    measures = WorkerMeasures()
    made = worker(engine, FakeHost())
    made.measure = measures.batch
    made.run()
    text = text_of(measures.registry)
    assert value_of(text, "behealthy_worker_looked_timestamp_seconds") == pytest.approx(time.time(), abs=60)
    assert value_of(text, "behealthy_batch_seconds_count") == 0


def test_another_model_is_told_in_place_of_the_first() -> None:
    measures = WorkerMeasures()
    for version in ("1", "2"):
        measures.batch(model(version), (), 0.0)
    assert values_of(text_of(measures.registry), "behealthy_model_info") == {("", "2"): 1}


def test_each_worker_has_a_port_also_when_it_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from production.infer import _for_one

    options = parse_infer(["--watch", "--workers", "2", "--metrics", "9470"])
    arguments = [_for_one(options, number) for number in range(2)]
    assert [words[words.index("--metrics") + 1] for words in arguments] == ["9470", "9471"]
    assert all(parse_infer(words).workers == 1 for words in arguments)
    started: list[Any] = []

    class Process:
        def __init__(self, command: list[str]) -> None:
            self.code = -9 if not started else 0
            started.append(command[command.index("--metrics") + 1])

        def poll(self) -> int:
            return self.code

    monkeypatch.setattr(workers.subprocess, "Popen", Process)
    assert supervise(arguments) == 0
    assert started == ["9470", "9471", "9470"]


@pytest.mark.parametrize(
    "arguments",
    [["--metrics", "9470"], ["--watch", "--metrics", "0"], ["--watch", "--metrics", "x"],
     ["--watch", "--workers", "2", "--metrics", "65535"]],
)  # fmt: skip
def test_a_port_that_cannot_be_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_infer(arguments)
    assert "--metrics" in capsys.readouterr().err

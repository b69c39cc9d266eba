"""What pipelines ask of production: who is told that one failed, and whether a person must approve a promotion."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from sqlalchemy import Engine, insert, update

from delivery.registry import server, undecided
from delivery.registry.registry import Entry
from delivery.revision import revision
from production import pipelines
from production.database import revision as database
from production.database.engine import DatabaseError, writing
from production.database.schema import MODEL_VERSIONS
from production.database.watch_tables import ALERTS, DECISIONS, OUTBOX, WATCH_RESETS, WATCH_WINDOWS
from production.watch.approving import why_a_person
from production.watch.chain import append
from production.watch.channels import Channels
from production.watch.params import WatchParams
from production.watch.pipelines import tell_failed, tell_passed
from stages.common import variables
from stages.common.params import load_section
from tests.receivers import webhook
from tests.repository import ROOT
from tests.watching import PARAMS, champion, day, rows

OPS = Channels(("ops",))
COUNTED = PARAMS.model_copy(update={"window": "count-100"})
"""Windows that are due at no time: nothing is overdue."""


def failed(engine: Engine, at: float, task: str = "promote", run: str = "run-1") -> Any:
    return tell_failed(engine, "training_pipeline", task, run, day(at), PARAMS, OPS)


def passed(engine: Engine, at: float, run: str = "run-9") -> Any:
    return tell_passed(engine, "training_pipeline", run, day(at), PARAMS, OPS)


def test_a_failure_is_told_once_reminded_of_and_over_once(engine: Engine) -> None:
    assert passed(engine, 0) is None
    assert failed(engine, 1).kind == "alert"
    assert failed(engine, 1, "register") is None
    assert failed(engine, 2, run="run-2") is None
    assert failed(engine, 9).kind == "alert"  # watch.remind_days
    assert passed(engine, 10).kind == "over"
    assert passed(engine, 11) is None
    assert failed(engine, 12).kind == "alert"
    purposes = [row.kind for row in rows(engine, DECISIONS)]
    assert purposes == ["alert", "alert", "over", "alert"]
    assert len(rows(engine, OUTBOX)) == 4


@pytest.mark.parametrize(
    ("told", "went", "over"),
    [
        (3, 2, False),
        (3, 3, True),  # it was cleared itself
        (3, 4, True),
        (9, 4, True),  # of a time to come: it would never be over
    ],
)
def test_an_old_run_that_is_cleared_does_not_end_what_a_later_one_told(
    engine: Engine, told: float, went: float, over: bool
) -> None:
    assert failed(engine, 3.5, run=f"scheduled__{day(told).isoformat()}").kind == "alert"
    ended = passed(engine, 5, f"asset_triggered__{day(went).isoformat()}_x1Y2")
    assert (ended is not None) is over
    assert over or passed(engine, 5, "a" * 64).kind == "over"  # that the watch started


def test_a_reminder_is_of_the_run_that_failed_then(engine: Engine) -> None:
    failed(engine, 1, run=f"scheduled__{day(1).isoformat()}")
    assert failed(engine, 9, run=f"scheduled__{day(9).isoformat()}").kind == "alert"
    assert passed(engine, 10, f"manual__{day(2).isoformat()}") is None
    assert passed(engine, 10, f"manual__{day(9.5).isoformat()}").kind == "over"


@pytest.mark.parametrize("run", ["manual__2026-13-45T99:99", "manual__0001-01-01T00:00:00+14:00", "__", "x" * 300])
def test_a_name_without_a_time_says_nothing_of_it(engine: Engine, run: str) -> None:
    failed(engine, 3.5, run=f"scheduled__{day(3).isoformat()}")
    assert passed(engine, 5, run).kind == "over"


def test_pipelines_have_an_alert_each(engine: Engine) -> None:
    for name in ("data_pipeline", "inference_pipeline"):
        tell_failed(engine, name, "a_task", "run", day(1), PARAMS, OPS)
    tell_passed(engine, "data_pipeline", "run", day(2), PARAMS, OPS)
    assert {row.topic: row.closed_at is None for row in rows(engine, ALERTS)} == {
        "data_pipeline": False,
        "inference_pipeline": True,
    }
    with pytest.raises(ValueError, match="another"):
        tell_failed(engine, "another", "a_task", "run", day(1), PARAMS, OPS)


def decided(engine: Engine, *decisions: str, at: float = 1, version: str = "3") -> None:
    for place, decision in enumerate(decisions):
        name, moment = f"{version}-{at}-{place}", day(at + place)
        with writing(engine) as connection:
            number = append(connection, "window", {"period": name, "decision": decision}, moment)
            row = {"scheme": "count-100", "model_version": version, "name": name, "since": moment, "until": moment}
            row |= {"notes": 100, "reference": "served", "decision": decision, "acts": True, "judged": {}}
            connection.execute(insert(WATCH_WINDOWS), {**row, "decided_by": number})


def why(engine: Engine, at: float = 20) -> str:
    return why_a_person(engine, COUNTED, day(at))


def test_where_nothing_is_known_a_person_decides(engine: Engine) -> None:
    assert "no champion" in why(engine)


@pytest.mark.parametrize(
    ("decisions", "person"),
    [
        ((), False),
        (("none", "watch", "too_few_notes"), False),
        (("retrain", "retrain_and_alert"), False),
        (("redevelop",), True),
        (("redevelop", "none", "none"), True),  # what came later does not undo it
        (("none", "unknown"), True),
        (("unknown", "none"), False),
        (("none", "size_uncertain"), True),
        (("unknown", "too_few_notes"), True),  # which is no all-clear
        (("none", "later_word"), True),
    ],
)
def test_what_was_decided_under_the_champion_asks_for_a_person(
    engine: Engine, decisions: tuple[str, ...], person: bool
) -> None:
    champion(engine, "3", day(0))
    decided(engine, *decisions)
    assert bool(why(engine)) is person


def test_another_champion_and_a_reset_begin_anew(engine: Engine) -> None:
    champion(engine, "3", day(0))
    decided(engine, "redevelop")
    with writing(engine) as connection:
        number = append(connection, "reset", {"model_version": "3", "why": "another ward"}, day(5))
        connection.execute(insert(WATCH_RESETS), {"at": day(5), "model_version": "3", "decided_by": number})
    assert not why(engine)
    decided(engine, "redevelop", at=6)
    assert why(engine)
    champion(engine, "4", day(8))
    assert not why(engine)
    with writing(engine) as connection:  # rolled back
        connection.execute(
            update(MODEL_VERSIONS).where(MODEL_VERSIONS.c.model_version == "3").values(champion_since=day(9))
        )
    assert why(engine)


def test_the_champion_of_the_registry_counts_before_anybody_follows_it(engine: Engine) -> None:
    champion(engine, "3", day(0))
    decided(engine, "redevelop")
    champion(engine, "4", day(8))
    assert not why_a_person(engine, COUNTED, day(9), replaced="4")
    assert "under version 3" in why_a_person(engine, COUNTED, day(9), replaced="3")


def test_an_approval_answers_what_was_decided_before_it(engine: Engine) -> None:
    assert not why_a_person(engine, COUNTED, day(1), approved=day(0))
    champion(engine, "3", day(0))
    decided(engine, "none", "redevelop", at=1)
    assert why_a_person(engine, COUNTED, day(3), approved=day(1.5))
    assert not why_a_person(engine, COUNTED, day(3), approved=day(2.5))
    decided(engine, "unknown", at=4)
    assert "unknown" in why_a_person(engine, COUNTED, day(5), approved=day(2.5))


def test_a_watch_that_is_overdue_or_ahead_is_no_all_clear(engine: Engine) -> None:
    champion(engine, "3", day(0))
    assert "overdue" in why_a_person(engine, PARAMS, day(20))
    assert not why_a_person(engine, PARAMS, day(0) + timedelta(hours=1))
    champion(engine, "4", day(90))
    assert why(engine)


@pytest.fixture
def asked(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the registry and the database say when the command asks."""
    said: dict[str, Any] = {"version": SimpleNamespace(version="7"), "decided": "", "champion": None, "ledger": []}
    monkeypatch.setattr(server, "connect", lambda: None)
    monkeypatch.setattr(revision, "resolve", lambda rev: rev)
    monkeypatch.setattr(undecided, "version_of_revision", lambda *_: said["version"])
    monkeypatch.setattr(undecided, "why_decided", lambda *_: said["decided"])
    monkeypatch.setattr(database, "open_database", lambda: engine)
    monkeypatch.setattr("delivery.registry.registry.version_with_alias", lambda *_: said["champion"])
    monkeypatch.setattr("delivery.registry.registry.ledger", lambda _: said["ledger"])
    return said


def test_the_exit_code_tells_a_person_from_nobody(engine: Engine, asked: dict[str, Any]) -> None:
    assert pipelines.main(["approval"]) == 0
    champion(engine, "3", day(0))
    decided(engine, "none", "redevelop")
    assert pipelines.main(["approval"]) == 0
    asked["decided"] = "it is the champion"
    assert pipelines.main(["approval"]) == pipelines.NOBODY == 40


@pytest.fixture
def promoted(asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Versions that became champion, where `check` let them."""
    made: list[str] = []

    def promote_named(number: None, rev: str, check: Any) -> int:
        check(asked["version"])
        made.append(asked["version"].version)
        return 0

    monkeypatch.setattr("delivery.promote.promote_named", promote_named)
    monkeypatch.setattr("production.watch.params.load_params", lambda: COUNTED)
    return made


def test_promote_asks_again_what_was_asked_before(engine: Engine, promoted: list[str]) -> None:
    """Cleared by hand, tried again an hour later, started beside another run: it is no way past a person."""
    words = ["promote", "--rev", "0123456789ab"]
    assert pipelines.main(words) == 1
    champion(engine, "3", day(0))
    assert pipelines.main(words) == 0
    decided(engine, "none", "redevelop")
    assert pipelines.main([*words, "--approved="]) == 1
    assert pipelines.main([*words, "--approved", day(1.5).isoformat()]) == 1
    assert promoted == ["7"]
    assert pipelines.main([*words, "--approved", day(2.5).isoformat()]) == 0
    assert pipelines.main([*words, "--approved", "yes"]) == 2
    assert promoted == ["7", "7"]


def test_an_approval_of_a_time_to_come_promotes_nothing(
    engine: Engine, promoted: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """It would answer whatever is decided until then."""
    champion(engine, "3", day(0))
    words = ["promote", "--rev", "0123456789ab", "--approved"]
    assert pipelines.main([*words, (datetime.now(UTC) + timedelta(hours=1)).isoformat()]) == 2
    assert pipelines.main([*words, "9999-12-31T23:59:59-14:00"]) == 2
    assert "unforeseen" not in capsys.readouterr().err
    assert not promoted
    assert pipelines.main([*words, (datetime.now(UTC) + timedelta(minutes=1)).isoformat()]) == 0


def test_what_was_approved_does_not_replace_a_champion_of_later(
    engine: Engine, asked: dict[str, Any], promoted: list[str]
) -> None:
    champion(engine, "3", day(0))
    words = ["promote", "--rev", "0123456789ab", "--approved", day(2.5).isoformat()]
    asked["ledger"] = [Entry(1, "promoted", 3, None, day(0).isoformat(), [])]
    assert pipelines.main(words) == 0
    asked["ledger"] += [
        Entry(2, "refused", 6, 3, day(3).isoformat(), []),
        Entry(3, "promoted", 7, 3, day(3).isoformat(), []),
    ]
    assert pipelines.main(words) == 0  # itself, before it was ended
    asked["ledger"] += [Entry(4, "promoted", 6, 3, day(3).isoformat(), [])]
    assert pipelines.main(words) == 1
    assert len(promoted) == 2


def test_a_promotion_that_cannot_ask_does_nothing(promoted: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> Engine:
        raise DatabaseError("the database does not answer")

    monkeypatch.setattr(database, "open_database", away)
    assert pipelines.main(["promote", "--rev", "x", "--approved", day(1).isoformat()]) == 2
    assert not promoted


def test_what_cannot_be_told_promotes_nothing(
    asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def away() -> Engine:
        raise DatabaseError("there is no database yet")

    monkeypatch.setattr(database, "open_database", away)
    assert pipelines.main(["approval"]) == 2
    monkeypatch.setattr(database, "open_database", lambda: 1 / 0)
    assert pipelines.main(["approval"]) == 2
    with pytest.raises(SystemExit, match="2"):
        pipelines.main(["approval", "--unknown"])
    shutil.copytree(ROOT / "production", tmp_path / "copy/production")
    (tmp_path / "copy/production/pipelines.py").write_text("import nothing_of_this_name\n")
    command = [sys.executable, "-m", "production.pipelines", "approval"]
    assert subprocess.run(command, cwd=tmp_path / "copy", check=False, capture_output=True).returncode == 1


@pytest.mark.parametrize(
    ("champion", "entries", "decided"),
    [
        (None, [], ""),
        ("2", [], ""),
        ("3", [], "it is the champion"),
        ("2", [("refused", 3, 2)], "it was refused"),
        ("2", [("refused", 3, 1)], ""),  # against another champion
        ("2", [("refused", 1, 2)], ""),
        ("2", [("promoted", 3, 1), ("promoted", 2, 3)], "it was champion already"),
        ("2", [("promoted", 2, None), ("promoted", 3, 2)], "it was champion already"),  # taken back by hand
        (None, [("refused", 3, None)], "it was refused"),
    ],
)
def test_a_version_has_one_verdict_against_one_champion(
    monkeypatch: pytest.MonkeyPatch, champion: str | None, entries: list[tuple[Any, int, int | None]], decided: str
) -> None:
    found = None if champion is None else SimpleNamespace(version=champion)
    lines = [Entry(number, *entry, "", ["F1"]) for number, entry in enumerate(entries, start=1)]
    monkeypatch.setattr(undecided, "version_with_alias", lambda *_: found)
    monkeypatch.setattr(undecided, "ledger", lambda _: lines)
    client: Any = None
    version: Any = SimpleNamespace(version="3", tags={})
    said = undecided.why_decided(client, version)
    assert said.startswith(decided)
    assert bool(said) is bool(decided)


def test_a_failure_reaches_people_by_the_outbox(engine: Engine, asked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with webhook() as hook:
        monkeypatch.setenv(variables.ALERTS, f"ops={hook.url('hunter2')}")
        words = ["failed", "inference_pipeline", "--task", "load_model", "--run", "manual__1"]
        assert pipelines.main(words) == 0
        assert pipelines.main(words) == 0  # people know
        assert pipelines.main(["passed", "inference_pipeline", "--run", "manual__2"]) == 0
    told = [content["title"] for _, content in hook.received]
    assert told == [
        "BeHealthy: inference_pipeline: failed",
        "BeHealthy: over: inference_pipeline: runs through",
    ]
    assert "docs/runbook.md, section inference_pipeline" in hook.received[0][1]["message"]
    assert "task load_model of run manual__1 failed" in hook.received[0][1]["message"]


def test_without_a_database_people_are_told_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def away() -> Engine:
        raise DatabaseError("the database did not do it")

    monkeypatch.setattr(database, "open_database", away)
    with webhook() as hook:
        monkeypatch.setenv(variables.ALERTS, f"ops={hook.url()}")
        words = ["failed", "data_pipeline", "--task", "cleaned", "--run", "r"]
        assert pipelines.main(words) == 0
        pipelines.main(words)
        assert hook.received[0][1]["title"] == "BeHealthy: data_pipeline failed"
        assert len(hook.kept) <= 2  # an id an hour: the receiver drops the second
    assert "sent without the database" in capsys.readouterr().out


def test_neither_what_is_broken_nor_a_database_that_hangs_keeps_an_alert_back(
    engine: Engine, asked: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    words = ["failed", "data_pipeline", "--task=cleaned", "--run=-r"]
    asleep = threading.Event()
    with webhook() as hook:
        monkeypatch.setenv(variables.ALERTS, f"ops={hook.url()}")
        with monkeypatch.context() as patch:
            patch.setattr(pipelines, "ANSWERING", 0.2)
            patch.setattr(database, "open_database", lambda: asleep.wait(60))
            assert pipelines.main(words) == 0
        asleep.set()
        broken = tmp_path / "params.yaml"
        broken.write_text("<<<<<<< HEAD\n")
        monkeypatch.setattr("production.watch.params.load_params", lambda: load_section("watch", WatchParams, broken))
        assert pipelines.main(words) == 0
        assert hook.received[-1][1]["title"] == "BeHealthy: data_pipeline failed"
        assert len(hook.received) == 2
        for error in (PermissionError(13, "Permission denied"), KeyError("a word")):
            monkeypatch.setattr("production.watch.params.load_params", Mock(side_effect=error))
            assert pipelines.main(words) == 0
        assert len(hook.received) == 4
    assert not rows(engine, ALERTS)


def test_where_nobody_can_be_told_that_is_said(
    engine: Engine, asked: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(variables.ALERTS, raising=False)
    assert pipelines.main(["failed", "data_pipeline", "--task", "cleaned", "--run", "r"]) == 1
    said = capsys.readouterr()
    assert "NOBODY was told" in said.err
    assert "people are told" not in said.out
    assert pipelines.main(["passed", "data_pipeline", "--run", "r"]) == 0
    assert "people are told" not in capsys.readouterr().out


def test_every_pipeline_has_a_section_of_the_runbook() -> None:
    headings = [
        line for line in (ROOT / "docs/runbook.md").read_text(encoding="utf-8").splitlines() if line[:2] == "##"
    ]
    for name in pipelines.PIPELINES:
        assert any(name in heading for heading in headings), name

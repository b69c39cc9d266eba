"""The log of decisions: numbers without gaps, and whatever was done to a row is found."""

from __future__ import annotations

import json
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, delete, insert, text, update

from production.database.engine import reading, writing
from production.database.watch_tables import ALERTS, DECISIONS, OUTBOX
from production.decisions import main as decisions_command
from production.watch import chain
from production.watch.chain import START, append, canonical, hash_of, head, verify
from stages.common.variables import DATABASE
from tests.production import empty, sqlite_url
from tests.watching import PARAMS, day, decide, rows


def fill(engine: Engine, number: int = 7) -> list[str]:
    """Write decisions; return their hashes."""
    with writing(engine) as connection:
        for place in range(number):
            append(connection, "window", {"period": place}, day(place))
    return [row.hash for row in rows(engine, DECISIONS)]


def verified(engine: Engine, *expected: str) -> chain.Verified:
    with reading(engine) as connection:
        return verify(connection, expected)


def test_decisions_are_numbered_and_whole(engine: Engine) -> None:
    hashes = fill(engine)
    assert [row.number for row in rows(engine, DECISIONS)] == [1, 2, 3, 4, 5, 6, 7]
    assert verified(engine, hashes[2], hashes[6]) == chain.Verified(7, hashes[6])
    with reading(engine) as connection:
        assert head(connection).hash == hashes[6]


def test_an_empty_log_is_whole_unless_a_head_of_it_was_noted(engine: Engine) -> None:
    assert verified(engine) == chain.Verified(0, START)
    assert verified(engine, "a" * 64).number == 1


def test_what_was_not_committed_leaves_no_gap(engine: Engine) -> None:
    fill(engine, 2)
    with pytest.raises(ZeroDivisionError), writing(engine) as connection:
        append(connection, "window", {}, day(0))
        raise ZeroDivisionError
    fill(engine, 1)
    assert verified(engine).decisions == 3


def test_the_body_is_json_of_one_form(engine: Engine) -> None:
    with writing(engine) as connection:
        append(connection, "window", {"b": "ä\0", "a": [1.5, None]}, day(0))
        with pytest.raises(ValueError, match="JSON"):
            append(connection, "window", {"a": float("nan")}, day(0))
    assert rows(engine, DECISIONS)[0].body == r'{"a":[1.5,null],"b":"\u00e4\u0000"}'
    assert verified(engine).number is None


def test_two_writers_at_once_leave_no_gap(engine: Engine) -> None:
    def write() -> None:
        for _ in range(20):
            fill(engine, 1)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [row.number for row in rows(engine, DECISIONS)] == list(range(1, 81))
    assert verified(engine).number is None


def remade(connection: Connection, number: int, body: dict[str, Any]) -> None:
    """Change a row, and give it the hash that goes with that."""
    row = connection.execute(DECISIONS.select().where(DECISIONS.c.number == number)).one()
    made = hash_of(number, row.at, row.kind, canonical(body), row.previous)
    connection.execute(update(DECISIONS).where(DECISIONS.c.number == number).values(body=canonical(body), hash=made))


def swapped(connection: Connection) -> None:
    for old, new in ((3, 99), (4, 3), (99, 4)):
        connection.execute(update(DECISIONS).where(DECISIONS.c.number == old).values(number=new))


def put_in(connection: Connection, number: int) -> None:
    row = {"at": day(0), "kind": "window", "body": "{}", "previous": START}
    connection.execute(
        insert(DECISIONS), {"number": number, "hash": hash_of(number, day(0), "window", "{}", START), **row}
    )


def change(**values: Any) -> Callable[[Connection], None]:
    return lambda connection: (
        connection.execute(update(DECISIONS).where(DECISIONS.c.number == 4).values(**values)) and None
    )


TAMPERING: dict[str, tuple[int, Callable[[Connection], Any]]] = {
    "body": (4, change(body='{"period":5}')),
    "kind": (4, change(kind="alert")),
    "time": (4, change(at=day(3.5))),
    "previous": (4, change(previous="0" * 64)),
    "hash": (4, change(hash="0" * 64)),
    "number": (4, change(number=99)),
    "body and hash": (4, lambda connection: remade(connection, 4, {"period": 5})),
    "first body and hash": (1, lambda connection: remade(connection, 1, {"period": 5})),
    "taken away": (4, lambda connection: connection.execute(delete(DECISIONS).where(DECISIONS.c.number == 4))),
    "first taken away": (1, lambda connection: connection.execute(delete(DECISIONS).where(DECISIONS.c.number == 1))),
    "reordered": (3, swapped),
    "put in before": (0, lambda connection: put_in(connection, 0)),
    "put in after": (7, lambda connection: put_in(connection, 8)),
    "put in beyond": (8, lambda connection: put_in(connection, 12)),
}


@pytest.mark.parametrize("page", [2, 2000])
@pytest.mark.parametrize("kind", TAMPERING)
def test_what_was_done_to_a_row_is_found(engine: Engine, kind: str, page: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "PAGE", page)
    fill(engine)
    first, tamper = TAMPERING[kind]
    with writing(engine) as connection:
        tamper(connection)
    assert verified(engine).number == first


def cut(engine: Engine, number: int) -> None:
    """Delete the decisions from a number on, as nobody may who keeps foreign keys."""
    with engine.connect() as connection:
        off = "PRAGMA foreign_keys=OFF" if engine.dialect.name == "sqlite" else "SET session_replication_role = replica"
        if engine.dialect.name == "sqlite":
            connection.connection.driver_connection.execute(off)  # type: ignore[union-attr]
        else:
            connection.execute(text(off))
        connection.execute(delete(DECISIONS).where(DECISIONS.c.number >= number))
        connection.commit()
        connection.invalidate()


def test_rows_cut_off_at_the_end_are_found_where_others_refer_to_them(engine: Engine) -> None:
    fill(engine, 3)
    decide(engine, "redevelop")
    assert verified(engine).decisions == 5
    cut(engine, 5)
    found = verified(engine)
    assert found.number == 5
    assert "refer to decisions up to 5" in found.why


def test_rows_cut_off_at_the_end_are_found_by_a_head_that_was_noted(engine: Engine) -> None:
    noted = fill(engine)[-1]
    cut(engine, 6)
    assert verified(engine).number is None
    assert verified(engine, noted).number == 6


def test_a_log_written_anew_is_found_by_the_messages_that_tell_of_it(engine: Engine) -> None:
    fill(engine, 3)
    decide(engine, "redevelop")
    bodies = [(row.kind, json.loads(row.body), row.at) for row in rows(engine, DECISIONS)]
    bodies[1][1]["period"] = 99
    cut(engine, 1)
    with writing(engine) as connection:
        for kind, body, at in bodies:
            append(connection, kind, body, at)
    found = verified(engine)
    assert found.number == 5
    assert "a message of it carries another hash" in found.why


def test_a_long_log_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "PAGE", 100)
    engine = empty(sqlite_url(tmp_path))
    last, made = START, []
    for number in range(1, 20_001):
        body = canonical({"reasons": "x" * 400, "number": number})
        made.append({"number": number, "at": day(0), "kind": "window", "body": body, "previous": last})
        last = made[-1]["hash"] = hash_of(number, day(0), "window", body, last)
    with writing(engine) as connection:
        connection.execute(insert(DECISIONS), made)
    made.clear()
    tracemalloc.start()
    assert verified(engine) == chain.Verified(20_000, last)
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()


# ---- the command ----------------------------------------------------------------------------------


@pytest.fixture
def here(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setenv(DATABASE, engine.url.render_as_string(hide_password=False))
    return engine


def test_the_command_says_whether_the_log_is_whole(here: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    hashes = fill(here)
    assert decisions_command(["verify", "--expect", hashes[1]]) == 0
    assert f"whole: 7 decisions, the last has the hash {hashes[-1]}" in capsys.readouterr().out
    assert decisions_command(["verify", "--expect", "f" * 64]) == 1
    capsys.readouterr()
    with writing(here) as connection:
        remade(connection, 4, {"period": "changed"})
    assert decisions_command(["verify"]) == 1
    assert "NOT whole: decision 4 was written anew" in capsys.readouterr().out
    assert decisions_command(["verify", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["fault"]["number"] == 4


def test_the_list_says_in_words_what_was_decided(here: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    body = {"period": "2026-W46", "topic": "drift", "decision": "size_uncertain", "reasons": ["tokens deviates"]}
    with writing(here) as connection:
        append(connection, "alert", {**body, "purpose": "opened", "channels": []}, day(0))
    assert decisions_command(["list"]) == 0
    said = capsys.readouterr().out
    assert "2026-W46 drift opened drift, size uncertain; tokens deviates; told: nobody" in said


def test_the_command_lists_the_last_ones(here: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    assert decisions_command(["list"]) == 0
    assert capsys.readouterr().out == "decisions: none yet\n"
    fill(here)
    assert decisions_command(["list", "--last", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["6", "7"]
    assert decisions_command(["list", "--last", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["body"] == {"period": 6}


@pytest.mark.parametrize("words", [["verify", "--expect", "abc"], ["list", "--last", "0"], []])
def test_what_the_command_does_not_take(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        decisions_command(words)
    assert ended.value.code == 2


def test_where_there_is_no_database_it_could_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATABASE, f"sqlite:///{tmp_path}/none.db")
    assert decisions_command(["verify"]) == 2


def test_every_reference_is_looked_at(engine: Engine) -> None:
    """Alerts opened and closed, and messages: each alone shows that its decision is missing."""
    decide(engine, "redevelop", 0)
    decide(engine, "none", 1, PARAMS)
    last = len(rows(engine, DECISIONS))
    with writing(engine) as connection:
        connection.execute(delete(OUTBOX))
    cut(engine, last)
    assert verified(engine).number == last
    with writing(engine) as connection:
        connection.execute(update(ALERTS).values(closed_by=None))
    assert verified(engine).number is None

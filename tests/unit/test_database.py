"""Production's database: who may read it, how it begins a transaction, of which revision it may be; on both kinds."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, insert, inspect, text
from sqlalchemy.exc import IntegrityError

from production.database import __main__ as command
from production.database import review_tables, rollup_tables, watch_tables
from production.database.engine import DatabaseError, address, database_session, make_engine, reading, writing
from production.database.revision import check, migrate, newest
from production.database.schema import ALL_PAIRS, CURRENT_RESULTS, METADATA, RESULTS
from production.database.status import quarantined
from production.inference.claims import Scope
from production.inference.host import NoteFailedError
from production.notes.records import Incoming, Place, Rejected
from production.notes.storing import add
from stages.common.variables import DATABASE
from tests.production import FakeHost, current, empty, rows_of, sqlite_url, waiting, worker


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def test_only_its_owner_can_read_the_file_and_its_journal(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        engine = empty(sqlite_url(tmp_path))
        with writing(engine) as connection:
            connection.execute(text("INSERT INTO notes VALUES (1, 's', 'a', 'h')"))
            found = modes(tmp_path / "production")
    finally:
        os.umask(before)
    assert {"behealthy.db", "behealthy.db-wal", "behealthy.db-shm"} <= found.keys()
    assert set(found.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / "production").stat().st_mode) == 0o700


def test_a_file_that_a_backup_left_open_is_closed(tmp_path: Path) -> None:
    empty(sqlite_url(tmp_path)).dispose()
    folder = tmp_path / "production"
    for name in ("behealthy.db", "behealthy.db-wal"):
        (folder / name).touch()
        (folder / name).chmod(0o664)
    with reading(make_engine(address(sqlite_url(tmp_path)))) as connection:
        connection.execute(text("SELECT 1 FROM notes"))
        assert set(modes(folder).values()) == {0o600}


@pytest.mark.parametrize("pooled", [True, False])
@pytest.mark.parametrize("replaced", [True, False])
def test_a_file_that_is_no_longer_there_is_not_worked_on(tmp_path: Path, replaced: bool, pooled: bool) -> None:
    """What is open goes on being read and written after its name is gone, or is another's: all of it would be lost."""
    engine = empty(sqlite_url(tmp_path))
    add(engine, [Incoming("1", "gout", {})], "s")
    file = tmp_path / "production" / "behealthy.db"
    if not pooled:
        engine.dispose()
    if replaced:
        other = empty(sqlite_url(tmp_path / "other"))
        other.dispose()
        (tmp_path / "other" / "production" / "behealthy.db").replace(file)
    else:
        file.unlink()
    for begin in (reading, writing):
        with pytest.raises(DatabaseError, match="was deleted or replaced"), begin(engine):
            pass
    assert file.exists() == replaced
    with pytest.raises(DatabaseError, match="was deleted or replaced"):
        worker(engine).run(watch=True)


def test_sqlite_loses_nothing_and_holds_its_keys(tmp_path: Path) -> None:
    with empty(sqlite_url(tmp_path)).connect() as connection:
        asked = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert asked == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 60_000}


def test_a_transaction_that_writes_keeps_others_from_writing_from_its_beginning(tmp_path: Path) -> None:
    engine = empty(sqlite_url(tmp_path))
    other = make_engine(engine.url)
    with writing(engine), reading(other) as connection:
        connection.connection.driver_connection.execute("PRAGMA busy_timeout=0")
        assert connection.execute(text("SELECT count(*) FROM notes")).scalar() == 0
        with pytest.raises(Exception, match="locked"):
            connection.execute(text("INSERT INTO notes VALUES (1, 's', 'a', 'h')"))


@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ("postgresql://u:p@h/d", "postgresql+psycopg"),
        ("postgres://u:p@h/d", "postgresql+psycopg"),
        ("postgresql+psycopg://u:p@h/d", "postgresql+psycopg"),
        ("sqlite:///a.db", "sqlite"),
    ],
)
def test_addresses_are_taken_as_people_write_them(given: str, driver: str) -> None:
    assert address(given).drivername == driver


@pytest.mark.parametrize("given", ["mysql://u:hunter2@h/d", "hunter2", "sqlite://", "sqlite:///:memory:"])
def test_other_addresses_are_refused_without_being_quoted(given: str) -> None:
    with pytest.raises(DatabaseError) as refused:
        address(given)
    assert "hunter2" not in str(refused.value)


def test_what_the_database_says_is_not_passed_on(engine: Engine) -> None:
    with pytest.raises(DatabaseError) as refused, database_session(), writing(engine) as connection:
        key = {"note_id": 1, "text_hash": "known asthma", "model_version": "hunter2"}
        connection.execute(insert(RESULTS).values(**key, shadow=None))
    assert not any(word in str(refused.value) for word in ("asthma", "hunter2", "not-a-real-secret"))


def test_metadata_and_migrations_agree(engine: Engine) -> None:
    assert (
        review_tables.METADATA is rollup_tables.METADATA is watch_tables.METADATA is METADATA
    )  # whose tables they add
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
        for table in METADATA.tables.values():
            there = inspect(connection).get_check_constraints(table.name)
            ours = {one.name for one in table.constraints if str(one.name).startswith("ck_")}
            assert {one["name"] for one in there} == ours


def test_down_and_up_again_with_data(engine: Engine) -> None:
    add(engine, [Incoming("a", "Known asthma. Start aspirin.", {}), Incoming("b", " ", {})], "s")
    worker(engine).run()
    assert {name: len(rows) for name, rows in rows_of(engine).items()} == {
        "results": 1, "mentions": 2, "pairs": 1, "quarantine": 1, "log": 2,
    }  # fmt: skip
    assert migrate(engine, "base") == (newest(), None)
    with engine.connect() as connection:
        assert inspect(connection).get_table_names() == ["alembic_version"]
        assert inspect(connection).get_view_names() == []
    assert migrate(engine) == (None, newest())
    assert waiting(engine) == 0
    assert current(engine) == []


def test_the_revision_before_and_back_again_loses_no_row(engine: Engine) -> None:
    add(engine, [Incoming("a", "Known asthma. Start aspirin.", {}), Incoming("b", " ", {})], "s")
    worker(engine).run()
    before = rows_of(engine)
    assert migrate(engine, "0001") == (newest(), "0001")
    assert migrate(engine) == ("0001", newest())
    after = rows_of(engine)
    nowhere = ("None",) * 3  # what mentions are paired by is not in that revision; their pairs are
    assert after.pop("mentions") == [(*row[:-3], *nowhere) for row in before.pop("mentions")]
    assert after == before
    with engine.connect() as connection:
        assert not [name for name in inspect(connection).get_table_names() if name.endswith("_before")]
        if engine.dialect.name == "sqlite":
            made = connection.execute(text("SELECT name FROM sqlite_master WHERE sql LIKE '%WITHOUT ROWID'")).scalars()
            assert set(made) == {"mentions", "earlier_pairs"}


def test_pairs_that_were_written_stand_beside_those_that_are_seen(engine: Engine) -> None:
    add(engine, [Incoming("a", "Known asthma. Start aspirin.", {})], "s")
    worker(engine).run()
    seen = rows_of(engine)["pairs"]
    migrate(engine, "0002")
    with engine.connect() as connection:
        assert "pairs" in inspect(connection).get_table_names()
    assert rows_of(engine, "pairs")["pairs"] == seen
    migrate(engine)
    add(engine, [Incoming("b", "Gout: aspirin, allopurinol. Asthma.", {})], "s")
    worker(engine).run()
    both = rows_of(engine)["pairs"]
    assert len(both) == 5 and set(seen) < set(both)
    with writing(engine) as connection:
        connection.execute(text("DELETE FROM results"))
    assert rows_of(engine)["pairs"] == []


def test_views_are_those_of_the_newest_migration(engine: Engine) -> None:
    views = {"pairs": ALL_PAIRS, "current_results": CURRENT_RESULTS}
    with engine.connect() as connection:
        assert set(inspect(connection).get_view_names()) == set(views)
        for name, ours in views.items():
            made = inspect(connection).get_view_definition(name)
            connection.execute(text(f"DROP VIEW {name}"))
            connection.execute(text(ours))
            assert inspect(connection).get_view_definition(name).split() == made.split()


@pytest.mark.parametrize(("revision", "remedy"), [("0000", "newer"), (None, "database build")])
def test_another_revision_is_refused_with_what_mends_it(engine: Engine, revision: str | None, remedy: str) -> None:
    with writing(engine) as connection:
        connection.execute(text("DELETE FROM alembic_version"))
        if revision:
            connection.execute(text(f"INSERT INTO alembic_version VALUES ('{revision}')"))
    with pytest.raises(DatabaseError, match=remedy):
        check(engine)


def test_an_older_revision_is_refused(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("production.database.revision.newest", lambda: "9999")
    with pytest.raises(DatabaseError, match=r"older than this code.*production\.database build"):
        check(engine)


def test_half_a_migration_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = make_engine(address(sqlite_url(tmp_path)), create=True)
    monkeypatch.setattr("alembic.operations.Operations.create_index", None)
    with pytest.raises(TypeError):
        migrate(engine)
    with engine.connect() as connection:
        assert inspect(connection).get_table_names() == []


def test_a_result_of_no_note_cannot_be_written(engine: Engine) -> None:
    row = (
        "INSERT INTO results (note_id, text_hash, model_version, shadow, created_at, sentences, tokens, unknown_tokens,"
        " accepted) VALUES (1, 'h', 'v', false, '2026-01-01', 1, 1, 0, false)"
    )
    with pytest.raises(IntegrityError), writing(engine) as connection:
        connection.execute(text(row))


def test_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv(DATABASE, sqlite_url(tmp_path))
    assert command.main(["status"]) == 2
    assert "production.database build" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    assert [command.main(["build"]), command.main(["build"]), command.main(["status", "--json"])] == [0, 0, 0]
    assert '"waiting": 0' in capsys.readouterr().out


def test_the_quarantine_shows_what_is_still_open(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Mended is what has a result since: of a text that came after what could not be read."""
    monkeypatch.setenv(DATABASE, engine.url.render_as_string(hide_password=False))

    def shown(*arguments: str) -> list[str]:
        assert command.main(["quarantine", *arguments]) == 0
        said = capsys.readouterr()
        assert ("no note is in quarantine" in said.err) is not bool(said.out)
        return [line.split("\t")[1] for line in said.out.splitlines()]

    def arrive(*names: str, text: str = "gout") -> None:
        add(engine, [Incoming(name, text, {}) for name in names], "s")

    assert shown() == []
    arrive("known")
    worker(engine).run()
    unread = [Rejected(Place("n.jsonl", n), "is not JSON", name) for n, name in enumerate(("cut", "known", None))]
    arrive("blank", "corrected", "waiting", text=" ")
    add(engine, unread, "s")
    worker(engine).run()
    everything = ["cut", "known", "", "blank", "corrected", "waiting"]
    capsys.readouterr()
    assert shown() == shown("--all") == everything
    arrive("cut", "corrected")
    worker(engine).run()
    arrive("waiting")
    arrive("known")  # the text from before what could not be read
    capsys.readouterr()
    assert shown() == ["known", "", "blank", "waiting"]
    assert shown("--last", "1") == ["waiting"]
    assert shown("--all") == everything
    assert command.main(["status", "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert status["quarantine"] == {"input_features_check": 2, "read": 2}
    assert status["mended"] == {"input_features_check": 1, "read": 1}
    assert command.main(["status"]) == 0
    assert "quarantine   input_features_check 2, read 2\nmended " in capsys.readouterr().out


def test_a_backfill_that_fails_is_open_although_there_is_a_result_from_before(engine: Engine) -> None:
    add(engine, [Incoming("1", "gout", {})], "s")
    worker(engine).run()
    host = FakeHost(faults={"gout": NoteFailedError("too slow")})
    worker(engine, host, "2", scope=Scope(backfill=True)).run()
    assert [row.source_id for row in quarantined(engine, 10)] == ["1"]
    worker(engine, version="3", scope=Scope(backfill=True)).run()
    assert not quarantined(engine, 10)


def test_the_quarantine_names_notes_and_steers_no_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(DATABASE, sqlite_url(tmp_path))
    engine = empty(sqlite_url(tmp_path))
    bad = Rejected(Place("\x1b[2Jn.jsonl", 1), "is not JSON", "b\n\tforged")
    add(engine, [Incoming("blank-7", " ", {}), bad], "ward")
    worker(engine).run()
    assert command.main(["quarantine"]) == 0
    read, checked = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert read == ["ward", "b forged", "\ufffd[2Jn.jsonl", "1", "", "read", "is not JSON"]
    assert checked[:2] == ["ward", "blank-7"]


def test_a_server_that_is_gone_without_a_word_is_found_out(postgresql: str) -> None:
    """Otherwise the exporter, or a worker, would wait for two hours for what a firewall forgot."""
    for query, seconds in (("", "60"), ("?keepalives_idle=7", "7")):
        engine = make_engine(address(f"{postgresql}{query}"))
        with engine.connect() as connection:
            given = connection.connection.driver_connection.info.get_parameters()  # type: ignore[union-attr]
        engine.dispose()
        assert given["keepalives_idle"] == seconds
        assert given["tcp_user_timeout"] == "120000"

"""What enters production: every format, what is wrong with a row, and the same notes again."""

from __future__ import annotations

import gc
import io
import json
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine, select

from production.database.engine import reading
from production.database.schema import NOTE_TEXTS, NOTES, QUARANTINE
from production.notes import __main__ as command
from production.notes import reading as readers
from production.notes import storing
from production.notes.reading import read
from production.notes.records import Incoming, Rejected
from production.notes.storing import add
from production.predict import __main__ as predict
from stages.common.errors import BeHealthyError
from stages.common.variables import DATABASE
from tests.production import empty, sqlite_url, waiting, worker

FRENCH = "Bronchite chronique traitée par corticoïdes, fièvre élevée, très fatigué"


def reasons(records: Iterator[Incoming | Rejected]) -> list[Any]:
    """Return the identifiers of what could be read, line and beginning of the reason of what could not."""
    return [
        one.source_id if isinstance(one, Incoming) else (one.place.line, " ".join(one.reason.split()[:3]))
        for one in records
    ]


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_json_lines_row_by_row(tmp_path: Path) -> None:
    lines = [
        '{"id": "a", "text": "gout", "metadata": {"sex": "male", "ward": 7, "empty": ""}}',
        "",
        '{"id": 5, "text": ""}',
        "not json",
        "[1]",
        '{"text": "x"}',
        '{"id": "b"}',
        '{"id": "c", "text": 7}',
        '{"id": "d", "text": "\\ud800"}',
        '{"id": "e", "text": "a\\u0000b"}',
        '{"id": "f", "text": "x", "metadata": {"a": NaN}}',
        '{"id": "g", "text": "x", "metadata": [1]}',
        '{"id": "h", "text": "x", "metadata": {"a": "\\u0000"}}',
        '{"id": true, "text": "x"}',
        '{"id": "' + "i" * 201 + '", "text": "x"}',
        "[" * 100_000,
        '{"id": "z", "text": "last"}',
    ]
    records = list(read(write(tmp_path / "n.jsonl", "﻿" + "\n".join(lines))))
    assert reasons(iter(records)) == [
        "a",
        "5",
        (4, "is not JSON:"),
        (5, "is no object:"),
        (6, "has no id:"),
        (7, "has no text"),
        (8, "its text is"),
        (9, "has half a"),
        (10, "has a NUL"),
        (11, "its metadata has"),
        (12, "its metadata is"),
        (13, "its metadata has"),
        (14, "has no id:"),
        (15, "its id has"),
        (16, "is not JSON:"),
        "z",
    ]
    assert isinstance(records[0], Incoming)
    assert records[0].metadata == {"sex": "male", "ward": 7}


def test_csv_row_by_row(tmp_path: Path) -> None:
    rows = b'id,ward,text\n1,7,"two\nlines, ""quoted"""\n2,7\n3,8,caf\xe9 \x80uro tr\xe8s \xe9lev\xe9e\n4,,ok\n'
    records = list(read(write(tmp_path / "n.csv", rows)))
    assert reasons(iter(records)) == ["1", (4, "has 2 fields,"), (5, "is not UTF-8;"), "4"]
    assert [(one.text, one.metadata) for one in records if isinstance(one, Incoming)] == [
        ('two\nlines, "quoted"', {"ward": "7"}),
        ("ok", {}),
    ]
    assert reasons(read(write(tmp_path / "m.csv", "number,text\n1,a\n"))) == [(1, "its first row")]
    assert reasons(read(write(tmp_path / "e.csv", ""))) == [(1, "its first row")]


def test_parquet_row_by_row(tmp_path: Path) -> None:
    table = pa.table({"id": ["a", None, "c"], "text": ["gout", "x", None], "metadata": [{"sex": "male"}, None, None]})
    pq.write_table(table, tmp_path / "n.parquet")
    records = list(read(tmp_path / "n.parquet"))
    assert reasons(iter(records)) == ["a", (2, "has no id:"), (3, "has no text")]
    assert isinstance(records[0], Incoming)
    assert records[0].metadata == {"sex": "male"}
    assert reasons(read(write(tmp_path / "m.parquet", "no parquet"))) == [(None, "is no Parquet")]


def test_a_quote_that_is_left_open_does_not_make_one_note_of_many(tmp_path: Path) -> None:
    records = read(write(tmp_path / "n.csv", 'id,text\n1,gout\n2,"open\n3,asthma\n4,COPD\n'))
    assert reasons(records) == ["1", (3, "begins a quote")]
    records = read(write(tmp_path / "m.csv", 'id,text\n1,"not "doubled" here"\n2,gout\n'))
    assert reasons(records) == [(2, "is no CSV:"), "2"]
    assert reasons(read(write(tmp_path / "h.csv", 'id,"text\n1,gout\n'))) == [(1, "is no CSV:")]


def test_which_column_is_the_text_is_not_guessed(tmp_path: Path) -> None:
    (twice,) = read(write(tmp_path / "n.csv", "id,text,text\n1,gout,asthma\n"))
    assert isinstance(twice, Rejected)
    assert "more than one column text" in twice.reason
    table = pa.table([pa.array(["1"]), pa.array(["gout"]), pa.array(["asthma"])], names=["id", "text", "text"])
    pq.write_table(table, tmp_path / "n.parquet")
    (twice,) = read(tmp_path / "n.parquet")
    assert isinstance(twice, Rejected)
    assert "more than one column text" in twice.reason
    (semicolons,) = read(write(tmp_path / "s.csv", "id;text\n1;gout\n"))
    assert isinstance(semicolons, Rejected)
    assert "parted by commas" in semicolons.reason


def test_columns_of_other_names(tmp_path: Path) -> None:
    names = {"id_column": "NOTE_ID", "text_column": "NOTE_TEXT"}
    table = {"NOTE_ID": ["a"], "NOTE_TEXT": ["gout"], "text": ["of the letterhead"]}
    write(tmp_path / "n.csv", ",".join(table) + "\na,gout,of the letterhead\n")
    write(tmp_path / "n.jsonl", '{"NOTE_ID": "a", "NOTE_TEXT": "gout", "metadata": {"text": "of the letterhead"}}')
    pq.write_table(pa.table(table), tmp_path / "n.parquet")
    for suffix in ("csv", "jsonl", "parquet"):
        assert list(read(tmp_path / f"n.{suffix}", **names)) == [Incoming("a", "gout", {"text": "of the letterhead"})]
    (unnamed,) = read(write(tmp_path / "m.csv", ",".join(table) + "\n"))
    assert isinstance(unnamed, Rejected)
    assert "has no column id; --id-column" in unnamed.reason
    options = command.parse(["add", "-", "--id-column", "NOTE_ID", "--text-column", "NOTE_TEXT"])
    assert {name: getattr(options, name) for name in names} == names
    with pytest.raises(SystemExit):
        command.parse(["add", "-", "--id-column", "text"])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_a_table_in_wide_characters_is_named_once(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path / "n.csv", "id,text\n1,gout\n2,asthma\n".encode(encoding))
    (rejected,) = read(path)
    assert isinstance(rejected, Rejected)
    assert f"--encoding {encoding}" in rejected.reason
    assert reasons(read(path, encoding=encoding)) == ["1", "2"]
    path = write(tmp_path / "n.jsonl", '{"id": 1, "text": "gout"}\n{"id": 2, "text": "asthma"}\n'.encode(encoding))
    for options in ({}, {"encoding": encoding}):
        (rejected,) = read(path, **options)
        assert isinstance(rejected, Rejected)
        assert "to UTF-8" in rejected.reason


def test_standard_input_is_no_parquet() -> None:
    with pytest.raises(BeHealthyError, match="give a file"):
        read(Path("-"), "parquet")


def test_names_beside_a_note_in_json_are_metadata_as_columns_of_a_table_are(tmp_path: Path) -> None:
    write(
        tmp_path / "n.jsonl",
        '{"id": "a", "text": "gout", "sex": "male", "age": 61}\n'
        '{"id": "b", "text": "gout", "sex": "male", "metadata": {"sex": "female"}, "mentions": [{"start": 0}]}\n',
    )
    first, second = read(tmp_path / "n.jsonl")
    assert (first.metadata, second.metadata) == ({"sex": "male", "age": 61}, {"sex": "female"})


def test_metadata_takes_the_place_of_nothing(tmp_path: Path) -> None:
    told = [{"id": "other", "text": "of another note", "ward": "7"}]
    pq.write_table(pa.table({"id": ["a"], "text": ["gout"], "metadata": told}), tmp_path / "n.parquet")
    (note,) = read(tmp_path / "n.parquet")
    assert isinstance(note, Incoming)
    assert (note.source_id, note.text) == ("a", "gout")


def test_dates_and_decimals_of_parquet_are_metadata(tmp_path: Path) -> None:
    at = datetime(2026, 11, 1, 8, 30, tzinfo=UTC)
    columns = {"at": [at], "day": [at.date()], "time": [at.time()], "dose": [Decimal("2.50")]}
    pq.write_table(pa.table({"id": ["a"], "text": ["gout"], **columns}), tmp_path / "n.parquet")
    (note,) = read(tmp_path / "n.parquet")
    assert isinstance(note, Incoming)
    assert note.metadata == {
        "at": "2026-11-01T08:30:00+00:00", "day": "2026-11-01", "time": "08:30:00", "dose": "2.50"
    }  # fmt: skip


def test_what_a_folder_does_not_let_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "notes"
    (folder / "closed").mkdir(parents=True)
    write(folder / "a.txt", "gout")
    (folder / "gone.txt").symlink_to("nowhere")
    (folder / "round").symlink_to(folder)
    write(Path(os.fsdecode(os.fsencode(folder) + b"/b\xff.txt")), "gout")
    write(Path(os.fsdecode(os.fsencode(folder) + b"/b\xfe.txt")), "gout")
    scandir = os.scandir

    def scan(path: str) -> Any:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan)
    records = list(read(folder))
    assert {one.place.file: one.reason.split()[0] for one in records if isinstance(one, Rejected)} == {
        "closed": "cannot",
        "gone.txt": "is",
        "round": "is",
    }
    assert len({one.source_id for one in records if isinstance(one, Incoming)}) == 3


@pytest.mark.parametrize("text", ["Ménière disease with vertigo and tinnitus", "Temp 38.5° today, “well”, naïve"])
def test_english_with_a_few_accents_is_recognised(tmp_path: Path, text: str) -> None:
    (rejected,) = read(write(tmp_path / "n.txt", text.encode("cp1252")))
    assert isinstance(rejected, Rejected)
    assert "--encoding cp1252" in rejected.reason


def test_a_file_that_somebody_still_writes_is_left_to_the_next_time(tmp_path: Path) -> None:
    """Half a note would be read as a note, and have its result for an hour."""
    half, whole, odd = (tmp_path / f"{name}.txt" for name in ("half", "whole", "odd"))
    for path in (half, whole, odd):
        path.write_text("No fev", encoding="utf-8")
    now = half.stat().st_mtime
    os.utime(whole, (now - 60, now - 60))
    os.utime(odd, (now + 86_400, now + 86_400))  # no clock may hold a note up for ever
    assert [note.source_id for note in read(tmp_path, settled=30) if isinstance(note, Incoming)] == ["odd", "whole"]
    os.utime(half, (now - 60, now - 60))
    assert len(list(read(tmp_path, settled=30))) == 3
    assert len(list(read(tmp_path))) == 3
    assert len(list(read(half, settled=1e5))) == 1  # who names a file knows that it is whole


def test_a_folder_with_everything_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    (folder / "ward").mkdir(parents=True)
    write(folder / "ward" / "a.txt", "\ufeffgout\r\n")
    write(folder / "b.txt", b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    write(folder / "c.jsonl", '{"id": "c", "text": "x"}\n')
    write(folder / "d.pdf", "x")
    write(folder / ".hidden.txt", "x")
    records = list(read(folder))
    assert [one.source_id for one in records if isinstance(one, Incoming)] == ["c", "ward/a"]
    assert next(one.text for one in records if one.source_id == "ward/a") == "gout\r\n"  # type: ignore[union-attr]
    assert {one.place.file for one in records if isinstance(one, Rejected)} == {"b.txt", "d.pdf"}


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_another_encoding_is_named_and_taken_only_when_asked_for(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path / "n.txt", f"{FRENCH} — {FRENCH}".encode(encoding))
    (rejected,) = read(path)
    assert isinstance(rejected, Rejected)
    assert "--encoding " in rejected.reason
    assert "Bronchite" not in rejected.reason
    (taken,) = read(path, encoding=encoding)
    assert isinstance(taken, Incoming)
    assert taken.text == f"{FRENCH} — {FRENCH}"


def test_what_cannot_be_looked_for_is_an_error(tmp_path: Path) -> None:
    for path, options in [
        (tmp_path / "none", {}),
        (write(tmp_path / "n.doc", "x"), {}),
        (write(tmp_path / "n.txt", "x"), {"encoding": "klingon"}),
        (tmp_path / "n.txt", {"encoding": "rot13"}),
        (tmp_path / "n.txt", {"encoding": "a\0b"}),
    ]:
        with pytest.raises(BeHealthyError):
            list(read(path, **options))


def test_a_line_that_never_ends_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "MOST_BYTES", 100)
    long = '{"id": "b", "text": "' + "x" * 1000 + '"}'
    path = write(tmp_path / "n.jsonl", f'{{"id": "a", "text": "x"}}\n{long}\n{{"id": "c", "text": "y"}}\n')
    assert reasons(read(path)) == ["a", (2, "is longer than"), "c"]
    assert reasons(read(write(tmp_path / "n.txt", "x" * 101))) == [(None, "is longer than")]


def notes(*texts: str) -> list[Incoming]:
    return [Incoming(name, text, {}) for name, text in zip("abcdefgh", texts, strict=False)]


def test_the_same_notes_again_change_nothing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "CHUNK_NOTES", 2)
    assert dict(add(engine, notes("x", "y", "z"), "s")) == {"new": 3, "quarantined": 0}
    assert dict(add(engine, notes("x", "y", "z"), "s")) == {"known": 3, "quarantined": 0}
    assert dict(add(engine, notes("x"), "other ward")) == {"new": 1, "quarantined": 0}
    assert waiting(engine) == 4


def texts(engine: Engine) -> list[tuple[str, bool]]:
    """Return every text with whether it waits, the current ones marked."""
    query = select(NOTE_TEXTS.c.text, NOTE_TEXTS.c.pending, NOTE_TEXTS.c.text_hash == NOTES.c.current_hash)
    with reading(engine) as connection:
        rows = connection.execute(query.where(NOTES.c.note_id == NOTE_TEXTS.c.note_id).order_by(NOTE_TEXTS.c.text))
        return [(row[0] + "*" * bool(row[2]), row[1]) for row in rows]


def test_a_text_that_comes_back_is_current_and_looked_at_once(engine: Engine) -> None:
    assert add(engine, notes("A"), "s")["new"] == 1
    worker(engine).run()
    assert add(engine, notes("B"), "s")["changed"] == 1
    assert texts(engine) == [("A", False), ("B*", True)]
    assert add(engine, notes("A"), "s")["changed"] == 1
    assert texts(engine) == [("A*", False), ("B", True)]
    worker(engine).run()
    assert add(engine, notes("B"), "s")["changed"] == 1
    assert texts(engine) == [("A", False), ("B*", False)]


def test_all_texts_of_a_note_may_come_at_once(engine: Engine) -> None:
    chunk = [Incoming("a", text, {}) for text in "ABA"]
    assert dict(add(engine, chunk, "s")) == {"new": 1, "changed": 2, "quarantined": 0}
    assert texts(engine) == [("A*", True), ("B", True)]


def test_a_quarantined_text_that_comes_back_stays_there(engine: Engine) -> None:
    for text in (" ", "B", " "):
        add(engine, notes(text), "s")
        worker(engine).run()
    assert texts(engine) == [(" *", False), ("B", False)]


REPEATED = [("a", "gout"), ("b", "asthma"), ("a", "gout, again"), ("a", "gout"), ("b", "COPD"), ("c", "gout")]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_an_identifier_that_a_file_has_twice_is_no_correction(engine: Engine, tmp_path: Path, kind: str) -> None:
    table = pa.table({"id": [row[0] for row in REPEATED], "text": [row[1] for row in REPEATED]})
    path = tmp_path / f"n.{kind}"
    pq.write_table(table, tmp_path / "n.parquet")
    table.to_pandas().to_csv(tmp_path / "n.csv", index=False)
    write(tmp_path / "n.jsonl", "\n".join(json.dumps(row) for row in table.to_pylist()))
    assert dict(add(engine, read(path), "s")) == {"new": 3, "known": 1, "quarantined": 2}
    assert dict(add(engine, read(path), "s")) == {"known": 4, "quarantined": 2}
    assert sorted(texts(engine)) == [("asthma*", True), ("gout*", True), ("gout*", True)]
    with reading(engine) as connection:
        rows = connection.execute(select(QUARANTINE).order_by(QUARANTINE.c.line)).all()
    header = 1 if kind == "csv" else 0
    assert [(row.source_id, row.line, row.step) for row in rows] == [
        ("a", 3 + header, "read"),
        ("b", 5 + header, "read"),
    ]
    assert f"its id stands in line {1 + header}, too, with another text" in rows[0].reason
    assert "gout" not in rows[0].reason


def test_a_later_file_corrects(engine: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    for number, text in enumerate(("gout", "no gout")):
        write(folder / f"{number}.csv", f"id,text\na,{text}\n")
    assert dict(add(engine, read(folder), "s")) == {"new": 1, "changed": 1, "quarantined": 0}
    assert texts(engine) == [("gout", True), ("no gout*", True)]


def test_the_same_fault_is_kept_once(engine: Engine, tmp_path: Path) -> None:
    path = write(tmp_path / "n.jsonl", "no json\n")
    for _ in range(2):
        assert add(engine, read(path), "s")["quarantined"] == 1
    with reading(engine) as connection:
        rows = connection.execute(select(QUARANTINE)).all()
    assert [(row.source, row.file, row.line, row.step) for row in rows] == [("s", "n.jsonl", 1, "read")]


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv(DATABASE, sqlite_url(tmp_path))
    assert command.main(["add", str(write(tmp_path / "n.txt", "gout"))]) == 2
    assert "production.database build" in capsys.readouterr().err
    empty(sqlite_url(tmp_path))
    assert command.main(["add", str(tmp_path / "n.txt"), "--source", "ward"]) == 0
    assert "1 new, 0 changed, 0 known, 0 quarantined" in capsys.readouterr().out
    lines = json.dumps({"id": "1", "text": "x"}) + "\nnone\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))
    assert command.main(["add", "-"]) == 1
    assert "1 new, 0 changed, 0 known, 1 quarantined" in capsys.readouterr().out


def test_the_format_of_what_is_read_has_one_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.parse(["add", "-", "--from", "csv"]).format == "csv"
    assert command.parse(["add", "-", "--format", "csv"]).format == "csv"  # its name before
    assert command.parse(["add", "-"]).format is None
    assert predict.parse(["-", "--from", "csv"]).kind == "csv"
    with pytest.raises(BeHealthyError, match="say --from"):
        list(read(write(tmp_path / "n.doc", "x")))
    with pytest.raises(SystemExit):
        command.parse(["add", "--help"])
    said = capsys.readouterr().out
    assert "--from {text,csv,jsonl,parquet}" in said
    assert "--format" not in said


@pytest.fixture
def _collected() -> Iterator[None]:
    """Garbage is looked for as often as Python does: commands, which other tests ran here, let more of it wait."""
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)


@pytest.mark.slow
@pytest.mark.usefixtures("_collected")
def test_memory_is_flat(tmp_path: Path) -> None:
    import tracemalloc

    engine = empty(sqlite_url(tmp_path))
    peaks = []
    for size in (2_000, 20_000):
        tracemalloc.start()
        add(engine, (Incoming(f"{size}/{number}", f"gout {number} " * 50, {}) for number in range(size)), "s")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]

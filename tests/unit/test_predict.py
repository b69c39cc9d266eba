"""`python -m production.predict`: what is read, what is left out, and where nothing may be written."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from production.inference import host as hosts
from production.inference.host import Found, FoundMention, NoteFailedError
from production.predict.__main__ import _named, main, parse
from production.predict.results import COLUMNS, ENDINGS, WRITERS
from production.predict.rows import BadRow, Columns, Note, read_rows
from stages.common.errors import BeHealthyError
from stages.common.seal import sealing

GOUT = "No gout. Start colchicine."
FOUND = Found(
    (FoundMention(3, 7, "Disease", 0.98765, True, "negated"), FoundMention(15, 25, "Treatment", 0.5, False, "present")),
    (FoundMention(0, 2, "Disease", 0.25, False, "present"),),
    False, 2, 6, 0.0,
)  # fmt: skip


def rows(source: str, kind: str | None = None, columns: Columns | None = None) -> list[Any]:
    return [row for row, _ in read_rows(source, kind, columns or Columns())]


def test_what_is_no_file_is_a_note() -> None:
    assert rows(GOUT) == [Note("note", GOUT)]
    assert rows("x" * 5000) == [Note("note", "x" * 5000)]
    assert rows("a\0b") == [Note("note", "a\0b")]


def test_a_folder_or_pipe_is_no_note(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(BeHealthyError, match="standard input"):
            rows(str(place))
    assert rows("") == [Note("note", "")]


def test_which_column_is_the_text_is_not_guessed(tmp_path: Path) -> None:
    (tmp_path / "n.csv").write_text("id,text,text\n1,gout,asthma\n")
    table = pa.table([pa.array(["gout"]), pa.array(["asthma"])], names=["text", "text"])
    pq.write_table(table, tmp_path / "n.parquet")
    for suffix in ("csv", "parquet"):
        with pytest.raises(BeHealthyError, match="more than one column text"):
            rows(str(tmp_path / f"n.{suffix}"))


def test_each_format_is_read(tmp_path: Path) -> None:
    table = pd.DataFrame({"id": ["a", "b"], "text": [GOUT, 'Wälk, "well"\nand more']})
    (tmp_path / "n.jsonl").write_text("\n".join(json.dumps(row) for row in table.to_dict("records")) + "\n\n")
    table.to_csv(tmp_path / "n.csv", index=False)
    table.to_parquet(tmp_path / "n.parquet")
    expected = [Note(*row) for row in table.itertuples(index=False)]
    for suffix in ("jsonl", "csv", "parquet"):
        assert rows(str(tmp_path / f"n.{suffix}")) == expected
    assert rows(str((tmp_path / "n.jsonl").rename(tmp_path / "n.ndjson"))) == expected
    (tmp_path / "n.txt").write_text(GOUT, encoding="utf-8-sig")
    assert rows(str(tmp_path / "n.txt")) == [Note("n", GOUT)]


def test_columns_have_other_names_and_rows_none(tmp_path: Path) -> None:
    pd.DataFrame({"body": [GOUT], "id": ["x"]}).to_parquet(tmp_path / "n.parquet")
    assert rows(str(tmp_path / "n.parquet"), columns=Columns("body", "name")) == [Note("1", GOUT)]
    (tmp_path / "n.jsonl").write_text(json.dumps({"id": None, "text": GOUT}))
    assert rows(str(tmp_path / "n.jsonl")) == [Note("1", GOUT)]


def test_bad_rows_are_named_and_the_rest_is_read(tmp_path: Path) -> None:
    lines = [b'{"text": "Gout 1961"}', b'{"text": 1961}', b'{"note": "Gout 1961"}', b'["Gout 1961"]', b"Gout 1961",
             b'{"text": "Gout 1961 \xff"}', b'{"text": "Gout 1961\\ud83d"}', b"[" * 10_000, b"9" * 5_000,
             b'{"text": "last"}']  # fmt: skip
    (tmp_path / "n.jsonl").write_bytes(b"\n".join(lines))
    found = rows(str(tmp_path / "n.jsonl"))
    assert [type(row) for row in found] == [Note] + [BadRow] * 8 + [Note]
    assert [row.place for row in found[1:3]] == ["n.jsonl, line 2", "n.jsonl, line 3"]
    assert not any("1961" in row.problem or "Gout" in row.problem for row in found[1:-1])


def test_bad_rows_of_csv(tmp_path: Path) -> None:
    (tmp_path / "n.csv").write_bytes(b'id,text\n1,ok\n2,Gout \xff\n3\n4,"also ok, ""really"""\n5,"left open\n')
    found = rows(str(tmp_path / "n.csv"))
    assert [type(row) for row in found] == [Note, BadRow, BadRow, Note, BadRow]
    assert found[3].text == 'also ok, "really"'


def test_long_fields_of_csv_are_read(tmp_path: Path) -> None:
    (tmp_path / "n.csv").write_text("text\n" + "x" * 500_000 + "\n")
    assert len(rows(str(tmp_path / "n.csv"))[0].text) == 500_000


def test_a_file_that_is_none_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "n.parquet").write_text("no parquet")
    (tmp_path / "n.csv").write_text("a,b\n1,2\n")
    (tmp_path / "n.doc").write_text("x")
    for name, said in (
        ("missing.csv", "no file"), ("n.parquet", "no Parquet"), ("n.csv", "no column text"), ("n.doc", "--from"),
    ):  # fmt: skip
        with pytest.raises(hosts.BeHealthyError, match=said):
            rows(str(tmp_path / name))


def written(format: str, notes: int = 2) -> bytes:
    file = io.BytesIO()
    with WRITERS[format](file, ("Disease", "Treatment")) as write:
        for number in range(notes):
            write(Note(f"n{number}", GOUT), FOUND)
    return file.getvalue()


def test_each_format_is_written() -> None:
    (first, second) = json.loads(written("json"))
    assert first["mentions"][0] == {
        "start": 3, "end": 7, "label": "Disease", "confidence": 0.98765, "accepted": True, "assertion": "negated",
        "text": "gout",
    }  # fmt: skip
    assert [json.loads(line) for line in written("jsonl").splitlines()] == [first, second]
    table = list(csv.reader(io.StringIO(written("csv").decode())))
    assert tuple(table[0]) == COLUMNS
    assert table[1] == ["n0", "mention", "3", "7", "gout", "Disease", "0.9877", "True", "negated"]
    frame = pd.read_parquet(io.BytesIO(written("parquet")))
    assert list(frame["text"]) == ["gout", "colchicine", "No"] * 2
    assert "gout" in written("table").decode().splitlines()[1]
    assert "[gout](Disease, 0.99, negated)" in written("marked").decode()
    assert "[colchicine](Treatment, 0.50, to review)" in written("marked").decode()


@pytest.mark.parametrize("format", WRITERS)
def test_nothing_is_written_whole_too(format: str) -> None:
    content = written(format, notes=0)
    if format == "json":
        assert json.loads(content) == []
    if format == "parquet":
        assert len(pd.read_parquet(io.BytesIO(content))) == 0


def test_parquet_comes_in_row_groups() -> None:
    import pyarrow.parquet as pq

    table = pq.ParquetFile(io.BytesIO(written("parquet", notes=4000)))
    assert (table.metadata.num_rows, table.metadata.num_row_groups) == (12_000, 3)


class Host:
    """Stands for a model in its process."""

    labels = ("Disease", "Treatment")

    def __init__(self, *_: Any) -> None: ...

    def __enter__(self) -> Host:
        return self

    def __exit__(self, *_: object) -> None: ...

    def extract(self, text: str, seconds: float) -> Found:
        if "kill" in text:
            raise NoteFailedError("the process of the model has ended")
        return FOUND


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(hosts, "ModelHost", Host)
    with sealing(tmp_path / "models"):
        (tmp_path / "models").mkdir()
        (tmp_path / "models/model.json").write_text("{}")
    return ["--model", str(tmp_path / "models")]


def test_the_rest_is_written_and_the_exit_code_tells(
    model: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "n.jsonl").write_text('{"id": "a", "text": "x"}\n{"text": 5}\n{"id": "c", "text": "kill"}\n')
    out = tmp_path / "out.jsonl"
    assert main([*model, str(tmp_path / "n.jsonl"), "--out", str(out)]) == 1
    assert [json.loads(line)["id"] for line in out.read_text().splitlines()] == ["a"]
    assert out.stat().st_mode & 0o777 == 0o600
    said = capsys.readouterr().err
    assert "n.jsonl, line 2: the text is of type int" in said
    assert "n.jsonl, c: the process of the model has ended" in said
    assert main([*model, "x", "--out", str(out)]) == 0


def test_a_note_that_fails_is_not_quoted(model: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*model, "kill gout"]) == 1
    assert "gout" not in capsys.readouterr().err


def test_the_name_of_a_note_that_fails_steers_no_terminal() -> None:
    assert _named("-", Note("\x1b[2Jid\nforged", GOUT)) == "-, \ufffd[2Jid forged"


def test_only_the_first_bad_rows_are_named(
    model: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "n.jsonl").write_text("x\n" * 500)
    assert main([*model, str(tmp_path / "n.jsonl"), "--format", "jsonl"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 21
    assert "500 rows left out" in lines[-1]


def test_where_git_would_take_it_nothing_is_written(model: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*model, GOUT, "--out", "README.md", "--format", "csv"]) == 2
    assert "choose another --out" in capsys.readouterr().err


def test_the_format_is_that_of_the_suffix() -> None:
    assert parse(["x", "--out", "a.parquet"]).format == "parquet"
    assert parse(["x", "--out", "a.TXT"]).format == parse(["x"]).format == "marked"
    assert set(ENDINGS.values()) <= set(WRITERS)
    for arguments in (["x", "--format", "parquet"], ["-", "-"], []):
        with pytest.raises(SystemExit):
            parse(arguments)


@pytest.mark.parametrize("name", ["a.xlsx", "a.bin", "a", "a.csv.gz"])
def test_a_suffix_of_no_format_is_refused_with_those_that_there_are(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["x", "--out", name])
    assert ended.value.code == 2
    assert f"{name} is none of .txt, .json, .jsonl, .ndjson, .csv, .parquet: correct it, or say --format" in " ".join(
        capsys.readouterr().err.split()
    )
    assert parse(["x", "--out", name, "--format", "csv"]).format == "csv"


def test_what_steers_a_terminal_is_not_printed() -> None:
    file = io.BytesIO()
    found = SimpleNamespace(mentions=(), suggestions=())
    for format in ("marked", "table"):
        with WRITERS[format](file, ()) as write:
            write(Note("\x1b[2Jid", "\x1b[2Jgout"), found)  # type: ignore[arg-type]
    assert b"\x1b" not in file.getvalue()

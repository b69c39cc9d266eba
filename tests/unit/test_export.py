"""Exports: what each format says of a mention, what is exported when, and what a kill leaves."""

from __future__ import annotations

import csv
import json
import os
import signal
import stat
import subprocess
import sys
import tracemalloc
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from production.database.schema import EXPORTED
from production.export import __main__ as command
from production.export import exporting, results
from production.export.concepts import read_concepts
from production.export.exporting import export
from production.export.formats import FORMATS, Settings, load_format
from production.export.formats.fhir import resources_of
from production.export.formats.omop import COLUMNS
from production.export.results import STEP, Scope, due_results
from production.export.target import Part, TargetError, open_target, renew
from stages.common.errors import BeHealthyError
from stages.prepare.formats import brat, label_studio
from tests.repository import ROOT
from tests.results import (
    START,
    TEXT,
    add_notes,
    add_results,
    add_version,
    empty_database,
    make_champion,
    serve,
)

SETTINGS = Settings()
OTHER = "Walks well."
BACK = "update notes set current_hash = (select current_hash from notes where note_id = 1)"


@pytest.fixture
def database(tmp_path: Path) -> sa.Engine:
    engine = empty_database(tmp_path / "notes.db")
    add_version(engine, "1")
    add_notes(engine, [1, 2, 3])
    add_results(engine, [1, 2, 3], "1")
    return engine


def into(folder: Path, engine: sa.Engine, format: str = "csv", scope: Scope = Scope(), **options: int) -> list[Path]:  # noqa: B008
    target = open_target(folder, format, engine)
    done = export(engine, scope, target, load_format(format), SETTINGS, **{"notes_per_part": 100} | options)
    return list(done.parts)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def notes_in(parts: list[Path]) -> list[int]:
    return [int(row["note_id"]) for part in parts for row in rows(part / "notes.csv")]


# -- what formats say


def test_note_nlp_has_the_columns_of_omop_and_says_what_each_assertion_means(database, tmp_path):
    target = open_target(tmp_path / "out", "omop", database)
    settings = Settings(concepts={"asthma": 317009})
    export(database, Scope(), target, load_format("omop"), settings, notes_per_part=9)
    [part] = (tmp_path / "out").glob("part-*")
    table = rows(part / "note_nlp.csv")
    assert tuple(table[0]) == COLUMNS
    assert len(table) == 18 and len({row["note_nlp_id"] for row in table}) == 18
    said = {row["lexical_variant"]: (row["term_exists"], row["term_temporal"]) for row in table}
    assert said == {
        "asthma": ("Y", "Present"), "gout": ("N", "Present"), "lupus": ("N", ""), "aspirin": ("Y", "Present"),
        "sepsis": ("Y", "Past"), "flu": ("N", "Present"),
    }  # fmt: skip
    first = table[0]
    assert (first["note_nlp_concept_id"], table[1]["note_nlp_concept_id"]) == ("317009", "0")
    assert (first["offset"], first["nlp_system"]) == ("6", "behealthy 1")
    assert (first["nlp_date"], first["nlp_datetime"]) == ("2026-11-01", "2026-11-01 01:00:00")
    assert first["term_modifiers"] == (
        "Negation=false;Subject=Patient;Conditional=false;Uncertain=false;Label=Disease;Confidence=0.9000;Accepted=true"
    )
    assert "Negation=true" in table[1]["term_modifiers"] and "Subject=Family" in table[2]["term_modifiers"]
    assert all(len(row["snippet"]) <= 250 and row["lexical_variant"] in row["snippet"] for row in table)


def test_a_long_surface_fits_the_columns_of_omop(tmp_path):
    text = "Known " + "asthma" + " " * 10
    engine = empty_database(tmp_path / "long.db")
    add_version(engine, "1")
    add_notes(engine, [1], text=text)
    add_results(engine, [1], "1", text=text)
    with engine.begin() as connection:
        connection.execute(sa.text("update note_texts set text = :text"), {"text": "Known " + "x" * 400})
        connection.execute(sa.text("update mentions set \"end\" = 400 where kind = 'mention'"))
    [part] = into(tmp_path / "out", engine, "omop")
    [row] = rows(part / "note_nlp.csv")
    assert len(row["lexical_variant"]) == 250 and len(row["snippet"]) <= 250


def test_concepts_are_found_whatever_their_case_and_refused_when_unclear(tmp_path):
    table = tmp_path / "concepts.csv"
    table.write_text("term,concept_id\nType 2  Diabetes,201826\ntype 2 diabetes,201826\n", encoding="utf-8")
    assert read_concepts(table) == {"type 2 diabetes": 201826}
    for content, line in (("term,id\n", 1), ("term,concept_id\na,1\na,2\n", 3), ("term,concept_id\na,x\n", 2)):
        table.write_text(content, encoding="utf-8")
        with pytest.raises(BeHealthyError, match=f"line {line}: "):
            read_concepts(table)


def test_fhir_resources_are_valid_and_say_what_each_assertion_means(database, tmp_path):
    from fhir.resources.R4B import get_fhir_model_class

    [part] = into(tmp_path / "out", database, "fhir")
    read = [json.loads(line) for path in sorted(part.glob("*.ndjson")) for line in path.open(encoding="utf-8")]
    for resource in read:
        get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    kinds = {"Condition": 12, "FamilyMemberHistory": 3, "MedicationStatement": 3, "Provenance": 3}
    assert Counter(resource["resourceType"] for resource in read) == kinds
    assert len({resource["id"] for resource in read}) == len(read)
    said = {
        r["code"]["text"]: (r["verificationStatus"]["coding"][0]["code"], "clinicalStatus" in r)
        for r in read
        if r["resourceType"] == "Condition"
    }
    assert said == {
        "asthma": ("confirmed", True),
        "gout": ("refuted", False),
        "sepsis": ("unconfirmed", True),
        "flu": ("provisional", False),
    }
    known = {f"{r['resourceType']}/{r['id']}" for r in read}
    provenance = [r for r in read if r["resourceType"] == "Provenance"]
    targets = [target["reference"] for r in provenance for target in r["target"]]
    assert set(targets) == known - {f"Provenance/{r['id']}" for r in provenance} and len(targets) == 18
    assert {r["agent"][0]["who"]["identifier"]["value"] for r in provenance} == {"1"}


def test_what_is_not_accepted_is_neither_confirmed_nor_refuted(database):
    with database.begin() as connection:
        connection.execute(sa.text("update mentions set accepted = false"))
    [[result, *_]] = due_results(database, Scope(), None)
    found = list(resources_of(result, SETTINGS))
    conditions = [r["verificationStatus"]["coding"][0]["code"] for r in found if r["resourceType"] == "Condition"]
    assert conditions == ["unconfirmed", "unconfirmed", "unconfirmed", "provisional"]
    assert [r["status"] for r in found if r["resourceType"] == "MedicationStatement"] == ["unknown"]


def test_fhir_identifiers_are_the_same_in_every_export(database, tmp_path):
    first, second = (into(tmp_path / name, database, "fhir")[0] for name in ("a", "b"))
    assert (first / "Condition.ndjson").read_bytes() == (second / "Condition.ndjson").read_bytes()


@pytest.mark.parametrize(("patient", "expected"), [("p-7", "Patient/p-7"), ("p 7", None), (7, None), (None, None)])
def test_the_subject_is_the_patient_of_the_metadata_or_that_of_the_note(tmp_path, patient, expected):
    engine = empty_database(tmp_path / "notes.db")
    add_version(engine, "1")
    add_notes(engine, [1], metadata={"patient": patient})
    add_results(engine, [1], "1")
    [[result]] = due_results(engine, Scope(), None)
    subject = next(resources_of(result, SETTINGS))["subject"]
    assert subject.get("reference") == expected
    assert expected or subject["identifier"]["value"].endswith("|n/1")


@pytest.mark.parametrize("assertion", ["hypothetical", "of another kind"])
def test_what_says_nothing_of_the_patient_is_no_resource(database, assertion):
    with database.begin() as connection:
        connection.execute(sa.text("update mentions set assertion = :to"), {"to": assertion})
    [found] = due_results(database, Scope(), None)
    assert [resource for result in found for resource in resources_of(result, SETTINGS)] == []


def test_tables_hold_mentions_suggestions_and_pairs(database, tmp_path):
    [of_csv], [of_parquet] = into(tmp_path / "c", database, "csv"), into(tmp_path / "p", database, "parquet")
    for name in ("mentions", "pairs"):
        table = pq.read_table(of_parquet / f"{name}.parquet", partitioning=None)
        plain = rows(of_csv / f"{name}.csv")
        assert table.schema.names == list(plain[0]) and table.num_rows == len(plain)
        for column in ("note_id", "source_id", "confidence"):
            assert [str(value) for value in table[column].to_pylist()] == [row[column] for row in plain]
        assert [value.isoformat() for value in table["created_at"].to_pylist()] == [r["created_at"] for r in plain]
    mentions = rows(of_csv / "mentions.csv")
    assert Counter(row["kind"] for row in mentions) == {"mention": 18, "suggestion": 3}
    assert all(TEXT[int(row["start"]) : int(row["end"])] == row["text"] for row in mentions)
    [pair, *_] = rows(of_csv / "pairs.csv")
    assert (pair["disease"], pair["treatment"], pair["weight"], pair["flag"]) == ("asthma", "aspirin", "0.5", "")


def test_pairs_are_read_for_those_formats_that_have_them(database):
    assert [name for name in FORMATS if load_format(name).pairs] == ["csv", "parquet"]
    for wanted in (True, False):
        [[result, *_]] = due_results(database, Scope(), None, pairs=wanted)
        assert len(result.pairs) == wanted and len(result.mentions) == 6


def test_annotation_tools_read_what_is_for_reviewers(database, tmp_path):
    [part] = into(tmp_path / "b", database, "brat")
    documents = brat.read(part / "brat")
    assert [document.id for document in documents] == ["1", "2", "3"] and documents[0].text == TEXT
    assert len(documents[0].mentions) == 6
    assert "A1\tAssertion T2 negated\n" in (part / "brat/1.ann").read_text(encoding="utf-8")
    [part] = into(tmp_path / "l", database, "label-studio")
    tasks = json.loads((part / "tasks.json").read_text(encoding="utf-8"))
    assert [task["data"]["source_id"] for task in tasks] == ["n/1", "n/2", "n/3"]
    prediction = tasks[0]["predictions"][0]
    assert prediction["model_version"] == "1" and prediction["score"] == 0.9
    assert [one["meta"]["text"] for one in prediction["result"][:2]] == [["present"], ["negated"]]
    confirmed = [task | {"annotations": task["predictions"]} for task in tasks]  # as a reviewer agrees to all
    (tmp_path / "l.json").write_text(json.dumps(confirmed), encoding="utf-8")
    assert [document.mentions for document in label_studio.read(tmp_path / "l.json")] == [documents[0].mentions] * 3


@pytest.mark.parametrize("format", FORMATS)
def test_a_note_without_mentions_is_exported_too(tmp_path, format):
    engine = empty_database(tmp_path / "notes.db")
    add_version(engine, "1")
    add_notes(engine, [1], text=OTHER)
    add_results(engine, [1], "1", text=OTHER)
    assert notes_in(into(tmp_path / "out", engine, format)) == [1]
    assert into(tmp_path / "out", engine, format) == []


# -- what is exported when


def test_a_result_is_exported_once_and_only_the_current_one(database, tmp_path):
    add_version(database, "2", None)
    add_results(database, [1], "2", shadow=True)
    assert notes_in(into(tmp_path / "out", database)) == [1, 2, 3]
    assert into(tmp_path / "out", database) == []
    add_notes(database, [4])
    add_results(database, [4], "1")
    assert notes_in(into(tmp_path / "out", database)) == [4]


def test_a_new_version_is_exported_and_after_a_rollback_the_old_one_again(database, tmp_path):
    into(tmp_path / "out", database)
    add_version(database, "2", START + timedelta(days=1))
    add_results(database, [2], "2")
    [part] = into(tmp_path / "out", database)
    assert [(r["note_id"], r["model_version"]) for r in rows(part / "notes.csv")] == [("2", "2")]
    make_champion(database, "1", START + timedelta(days=2))
    [part] = into(tmp_path / "out", database)
    assert [(r["note_id"], r["model_version"]) for r in rows(part / "notes.csv")] == [("2", "1")]
    assert into(tmp_path / "out", database) == []


def test_a_corrected_note_is_exported_again_and_so_is_an_older_text_that_comes_back(database, tmp_path):
    into(tmp_path / "out", database)
    add_notes(database, [3], text=OTHER)
    assert into(tmp_path / "out", database) == []  # nothing was made of the new text yet
    add_results(database, [3], "1", text=OTHER)
    assert notes_in(into(tmp_path / "out", database)) == [3]
    with database.begin() as connection:
        connection.execute(sa.text(BACK))
    assert notes_in(into(tmp_path / "out", database)) == [3]
    assert into(tmp_path / "out", database) == []


def test_scopes(database, tmp_path):
    add_notes(database, [4], source="clinic")
    add_results(database, [4], "1")
    since = Scope(since=START + timedelta(hours=2))
    assert notes_in(into(tmp_path / "a", database, scope=since)) == [2, 3, 4]
    assert notes_in(into(tmp_path / "b", database, scope=Scope(source="clinic"))) == [4]
    assert notes_in(into(tmp_path / "b", database)) == [1, 2, 3]


def test_parts_hold_about_as_many_notes_as_asked(tmp_path):
    engine = empty_database(tmp_path / "notes.db")
    add_version(engine, "1")
    add_notes(engine, range(1, 3 * STEP + 1))
    add_results(engine, range(1, 3 * STEP + 1), "1")
    parts = into(tmp_path / "out", engine, notes_per_part=STEP + 1)
    assert [len(notes_in([part])) for part in parts] == [2 * STEP, STEP]
    assert notes_in(sorted((tmp_path / "out").glob("part-*"))) == list(range(1, 3 * STEP + 1))


def test_each_folder_has_its_own_ledger_and_keeps_it_when_moved(database, tmp_path):
    into(tmp_path / "a", database)
    assert notes_in(into(tmp_path / "b", database)) == [1, 2, 3]
    (tmp_path / "a").rename(tmp_path / "moved")
    assert into(tmp_path / "moved", database) == []
    assert notes_in(into(tmp_path / "a", database)) == [1, 2, 3]


def test_a_folder_is_renewed_and_forgets_what_it_had(database, tmp_path):
    into(tmp_path / "out", database)
    renewed = renew(open_target(tmp_path / "out", "csv", database), "csv", database)
    with database.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(EXPORTED)).scalar_one() == 0
    assert len(export(database, Scope(), renewed, load_format("csv"), SETTINGS, notes_per_part=9).parts) == 1


def test_a_folder_of_something_else_is_refused(database, tmp_path):
    into(tmp_path / "out", database)
    with pytest.raises(TargetError, match="holds csv, and not fhir"):
        open_target(tmp_path / "out", "fhir", database)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/file").touch()
    with pytest.raises(TargetError, match="something else"):
        open_target(tmp_path / "other", "csv", database)
    (tmp_path / "out/.target").write_text("{}")
    with pytest.raises(TargetError, match="damaged"):
        open_target(tmp_path / "out", "csv", database)


# -- what a kill leaves


class Stopped(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("after", ["open", "written", "commit"])
def test_whatever_stops_it_every_note_is_in_one_part(database, tmp_path, monkeypatch, after):
    def stop(*_: object, **__: object) -> None:
        raise Stopped

    monkeypatch.setattr(Part, "discard", lambda self: None)  # nobody tidies up after a kill
    place = {"open": (exporting._Notes, "add"), "written": (Part, "commit"), "commit": None}[after]
    with monkeypatch.context() as patched:
        if place is not None:
            patched.setattr(*place, stop)
        else:
            patched.setattr("production.export.target._show", stop)
        with pytest.raises(Stopped):
            into(tmp_path / "out", database)
    assert not list((tmp_path / "out").glob("part-*"))
    into(tmp_path / "out", database)
    assert notes_in(sorted((tmp_path / "out").glob("part-*"))) == [1, 2, 3]
    assert not list((tmp_path / "out").glob(".part-*"))


KILLED = """
import sys
import sqlalchemy as sa
from pathlib import Path
from production.export.exporting import export
from production.export.formats import Settings, load_format
from production.export.results import Scope
from production.export import results
from production.export.target import open_target
results.STEP = 10
engine, folder = sa.create_engine("sqlite:///" + sys.argv[1]), Path(sys.argv[2])
print("ready", flush=True)
target = open_target(folder, "csv", engine)
export(engine, Scope(), target, load_format("csv"), Settings(), notes_per_part=10)
print("done", flush=True)
"""


@pytest.mark.slow
def test_killed_again_and_again_every_note_is_in_one_part(tmp_path):
    engine = empty_database(tmp_path / "notes.db")
    add_version(engine, "1")
    add_notes(engine, range(1, 801))
    add_results(engine, range(1, 801), "1")
    kills, ended = 0, b""
    while b"done" not in ended:
        driver = [sys.executable, "-c", KILLED, str(tmp_path / "notes.db"), str(tmp_path / "out")]
        process = subprocess.Popen(driver, cwd=ROOT, stdout=subprocess.PIPE)
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        try:
            ended, _ = process.communicate(timeout=0.05 + 0.037 * (kills % 7) if kills < 12 else 60)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            kills += 1
    into(tmp_path / "out", engine)
    assert kills >= 3
    assert notes_in(sorted((tmp_path / "out").glob("part-*"))) == list(range(1, 801))


def test_memory_does_not_grow_with_the_number_of_notes(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "STEP", 50)
    engine = empty_database(tmp_path / "notes.db")
    add_version(engine, "1")
    peaks = []
    for number, (first, last) in enumerate(((1, 200), (201, 400), (401, 1400))):
        add_notes(engine, range(first, last + 1))
        add_results(engine, range(first, last + 1), "1")
        tracemalloc.start()
        into(tmp_path / f"out{number}", engine, "parquet", notes_per_part=100)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < 1.5 * peaks[1]  # 1,400 notes against 400; the first warms up


# -- the command


def run(*arguments: str) -> int:
    return command.main(list(arguments))


def test_the_command_writes_for_its_owner_only_and_says_what_it_writes(database, tmp_path, monkeypatch, capsys):
    serve(database, monkeypatch)
    before = os.umask(0)
    try:
        assert run("--format", "csv", "--to", str(tmp_path / "out")) == 0
        assert run("--format", "brat", "--to", str(tmp_path / "brat")) == 0
    finally:
        os.umask(before)
    said = capsys.readouterr()
    assert "3 notes with 18 mentions in 1 part" in said.out and "words of notes" in said.err
    assert "asthma" not in said.out + said.err
    for path in (path for name in ("out", "brat") for path in (tmp_path / name, *(tmp_path / name).rglob("*"))):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert run("--format", "csv", "--to", str(tmp_path / "out")) == 0
    assert "nothing new" in capsys.readouterr().out
    assert run("--format", "csv", "--to", str(tmp_path / "out"), "--all") == 0
    assert "3 notes" in capsys.readouterr().out


@pytest.mark.parametrize("format", [name for name in FORMATS if name != "brat"])
def test_the_command_prints_one_document_and_nothing_else(database, monkeypatch, capfdbinary, format):
    serve(database, monkeypatch)
    assert run("--format", format, "--to", "-") == 0
    out, err = capfdbinary.readouterr()
    assert b"3 notes with 18 mentions: standard output" in err
    if format in ("omop", "csv"):
        assert len(list(csv.reader(out.decode().splitlines()))) == 1 + {"omop": 18, "csv": 21}[format]
    elif format == "fhir":
        assert len([json.loads(line) for line in out.splitlines()]) == 21
    elif format == "label-studio":
        assert len(json.loads(out)) == 3
    else:
        assert out[:4] == out[-4:] == b"PAR1"
    with database.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(EXPORTED)).scalar_one() == 0


def test_a_place_that_git_would_take_is_refused(database, tmp_path, monkeypatch, capsys):
    serve(database, monkeypatch)
    monkeypatch.chdir(ROOT)
    assert run("--format", "csv", "--to", "docs") == 2
    assert "git tracks" in capsys.readouterr().err
    assert run("--format", "csv", "--to", "not-ignored") == 2
    message = capsys.readouterr().err
    assert "does not ignore" in message
    assert "an export has words of notes" in message
    assert not (ROOT / "not-ignored").exists()
    (tmp_path / "link").symlink_to(ROOT / "docs")
    assert run("--format", "csv", "--to", str(tmp_path / "link")) == 2
    assert "git tracks" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--format", "fhir", "--concepts", "c.csv"],
        ["--format", "brat", "--to", "-"],
        ["--format", "csv", "--notes-per-part", "0"],
        ["--format", "csv", "--since", "yesterday"],
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(arguments):
    with pytest.raises(SystemExit) as ended:
        run(*arguments)
    assert ended.value.code == 2

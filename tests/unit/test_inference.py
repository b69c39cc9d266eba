"""The four steps, claims, and what is written: with a model that is none, on SQLite and PostgreSQL."""

from __future__ import annotations

import json
import math
import os
import stat
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.exc import DBAPIError, OperationalError

from production import shadow as shadow_command
from production.backfill import main as backfill_command
from production.check import main as check_command
from production.database.bulk import insert_rows
from production.database.engine import DatabaseError, reading, writing
from production.database.schema import MENTIONS, SERVING_LOG
from production.export.__main__ import main as export_command
from production.inference import agreement, prediction_col_check
from production.inference import worker as workers
from production.inference.claims import WAITING, Scope, claimed
from production.inference.encode_data import features_of
from production.inference.feature_table import table_of
from production.inference.host import Found, FoundMention, NoteFailedError
from production.inference.input_features_check import problem_of
from production.inference.load_model import Loaded
from production.inference.log_key import log_key
from production.inference.setup import Workplace
from production.inference.writing import Outcome, write
from production.log.__main__ import main as log_command
from production.notes.__main__ import main as notes_command
from production.notes.records import Incoming, Place, Rejected
from production.notes.retrying import retry
from production.notes.storing import add
from stages.common.errors import BeHealthyError
from stages.common.pseudonyms import pseudonym
from stages.common.tables import serving_log
from stages.common.variables import DATABASE, LOG_KEY
from stages.monitor import __main__ as monitor
from stages.monitor.window import Window, read_window
from tests.production import (
    KEY,
    PARAMS,
    FakeHost,
    current,
    empty,
    found_in,
    loaded,
    model,
    rows_of,
    sqlite_url,
    waiting,
    worker,
)
from tests.repository import ROOT
from tests.results import log_rows
from tests.unit.test_monitor import served as notes_served

TEXTS = ("Known asthma. Start aspirin.", "No gout.", "   ", "Well.", "Gout: allopurinol.", "x" * 101, "asthma " * 200)


def fill(engine: Engine, *texts: str, source: str = "s") -> None:
    add(engine, [Incoming(f"{number:03}", text, {"sex": "male"}) for number, text in enumerate(texts)], source)


def count(engine: Engine, name: str) -> int:
    return len(rows_of(engine)[name])


# ---- a batch --------------------------------------------------------------------------------------


def test_every_note_has_one_result_or_one_reason(engine: Engine) -> None:
    fill(engine, *TEXTS)
    counts = worker(engine).run()
    assert dict(counts) == {"notes": 7, "mentions": 5, "quarantined": 3}
    found = rows_of(engine)
    assert {name: len(rows) for name, rows in found.items()} == {
        "results": 4, "mentions": 5, "pairs": 2, "quarantine": 3, "log": 7,
    }  # fmt: skip
    assert {row[-2] for row in found["quarantine"]} == {"input_features_check"}
    assert waiting(engine) == 0
    assert not worker(engine).run()["notes"]
    assert rows_of(engine) == found


def test_what_is_written_is_what_was_found(engine: Engine) -> None:
    fill(engine, "No gout.", TEXTS[0])
    worker(engine, version="7").run()
    found = rows_of(engine)
    assert [row[3:] for row in found["mentions"]] == [
        ("mention", "0", "3", "7", "Disease", "0.75", "True", "present", "None", "None", "None"),
        ("mention", "0", "6", "12", "Disease", "0.75", "True", "present", "0", "0", "None"),
        ("mention", "1", "20", "27", "Treatment", "0.75", "True", "present", "1", "None", "0"),
    ]
    assert [row[3:] for row in found["pairs"]] == [("0", "0", "1", "0.5", "0.5625", "")]
    assert current(engine) == [("000", "7", False), ("001", "7", False)]


def test_the_serving_log_has_its_columns_and_no_text(engine: Engine) -> None:
    fill(engine, TEXTS[0], TEXTS[0])
    worker(engine).run()
    with reading(engine) as connection:
        rows = connection.execute(select(SERVING_LOG)).all()
    assert [list(row.row) for row in rows] == [serving_log(["Disease", "Treatment"]).names] * 2
    assert rows[0].row["note"] == rows[1].row["note"]
    assert rows[0].row["sex"] == "male"
    assert "asthma" not in str(rows)


def logged(engine: Engine) -> list[dict[str, Any]]:
    with reading(engine) as connection:
        return [row.row for row in connection.execute(select(SERVING_LOG).order_by(SERVING_LOG.c.log_id))]


def test_a_note_that_is_set_aside_is_logged_with_what_is_known_of_it(engine: Engine) -> None:
    """At each of the steps; what a model would have said of it is null, and the rows are of one part."""
    faults = {"endless": NoteFailedError("too slow"), "wrong": Found((), (), False, -1, 1, 0.0)}
    fill(engine, "gout", "   ", "endless", "wrong")
    worker(engine, FakeHost(faults=faults)).run()
    rows = {row["note"]: row for row in logged(engine)}
    assert [list(row) for row in rows.values()] == [serving_log(["Disease", "Treatment"]).names] * 4
    served = rows.pop(pseudonym(KEY, "gout"))
    assert (served["quarantined"], served["tokens"], served["diseases"]) == (0, 1, 1)
    for text in ("   ", "endless", "wrong"):
        known = {name: value for name, value in rows[pseudonym(KEY, text)].items() if value is not None}
        expected = {"note": pseudonym(KEY, text), "sex": "male", "characters": len(text), "quarantined": 1}
        assert known == expected
    assert "endless" not in str(rows)
    worker(engine, FakeHost(faults=faults)).run()
    assert len(logged(engine)) == 4


def test_notes_that_are_too_long_have_names_of_their_own(engine: Engine) -> None:
    """Only their beginning is read, which they have in common."""
    long = "word " * 300
    fill(engine, long + "a", long + "b", long + "b", long + "longer")
    worker(engine).run()
    rows = logged(engine)
    assert [row["characters"] for row in rows] == [1501, 1501, 1501, 1506]
    names = [row["note"] for row in rows]
    assert names[1] == names[2]
    assert len(set(names)) == 3
    assert all(row["tokens"] is None for row in rows)


def test_what_is_set_aside_is_drawn_as_what_is_served(tmp_path: Path) -> None:
    engine = empty(sqlite_url(tmp_path))
    fill(engine, *["x" * (101 + number) for number in range(200)])
    worker(engine, params=PARAMS.model_copy(update={"log_rate": 0.25, "batch": 50})).run()
    rows = rows_of(engine)
    assert len(rows["quarantine"]) == 200
    assert 30 < len(rows["log"]) < 70
    assert {row[1] for row in rows["log"]} == {"0.25"}


def test_a_share_in_quarantine_goes_through_export_and_monitor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside rows of an older version, which do not tell."""
    monkeypatch.setenv(DATABASE, sqlite_url(tmp_path))
    engine = empty(sqlite_url(tmp_path))
    fill(engine, *[f"gout {number}" for number in range(150)], *["x" * (101 + number) for number in range(50)])
    worker(engine, params=PARAMS.model_copy(update={"batch": 100})).run()
    log_rows(engine, [datetime.now(UTC)] * 30)
    assert log_command(["export", "--to", str(tmp_path / "log")]) == 0
    frame = read_window(tmp_path / "log", Window())
    assert len(frame) == 230
    assert frame["quarantined"].value_counts(dropna=False).sort_index().tolist() == [150, 50, 30]
    assert frame.loc[frame["quarantined"] == 1, "tokens"].isna().all()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    notes_served(800, 0).to_parquet("profile.parquet")
    capsys.readouterr()
    assert monitor.main(["--log", "log", "--profile", "profile.parquet", "--json", "out"]) == 0
    drift = json.loads((tmp_path / "out/drift.json").read_text())
    assert drift["columns"]["quarantined"]["deviation"] == 25.0
    assert drift["columns"]["quarantined"]["counts"] is True
    assert drift["notes"]["window"] == 180


def test_the_sample_of_the_log_is_the_same_again_and_has_its_probability(tmp_path: Path) -> None:
    logs = []
    for turn in range(2):
        engine = empty(sqlite_url(tmp_path / str(turn)))
        fill(engine, *[f"gout {number}" for number in range(200)])
        worker(engine, params=PARAMS.model_copy(update={"log_rate": 0.25, "batch": 50})).run()
        logs.append(rows_of(engine)["log"])
    assert logs[0] == logs[1]
    assert 30 < len(logs[0]) < 70
    assert {row[1] for row in logs[0]} == {"0.25"}


def test_a_batch_whose_time_is_over_leaves_the_rest_waiting(engine: Engine) -> None:
    fill(engine, "a", "b", "c")
    one = worker(engine, params=PARAMS.model_copy(update={"batch_seconds": 1e-9}))
    assert one.batch() == 1
    assert waiting(engine) == 2
    assert one.run()["notes"] == 3


def test_notes_on_their_way_wait_for_the_next_batch_where_the_model_is_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(FakeHost):
        def extract(self, text: str, seconds: float) -> Found:
            now[0] += 1
            return super().extract(text, seconds)

        def extract_all(self, texts: Any, seconds: float) -> Any:
            yield from super().extract_all(list(texts), seconds)  # all are on their way at once

    now = [0.0]
    monkeypatch.setattr(workers, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=time.sleep))
    engine = empty(sqlite_url(tmp_path))
    fill(engine, "a", "b", "c", "d")
    limits = {"batch_seconds": 0.5, "note_seconds": 1.0}
    one = worker(engine, Slow(), params=PARAMS.model_copy(update=limits))
    assert one.batch() == 2
    assert waiting(engine) == 2
    assert one.run()["notes"] == 4


def test_a_failed_transaction_leaves_nothing_and_no_note_is_lost(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(engine, *TEXTS)
    real, calls = workers.write, []

    def fail_once(connection: Any, *arguments: Any, **options: Any) -> Any:
        written = real(connection, *arguments, **options)
        calls.append(1)
        if len(calls) == 1:
            raise OperationalError("gout", {"text": "gout"}, Exception("gout"))
        return written

    monkeypatch.setattr(workers, "write", fail_once)
    monkeypatch.setattr(workers.Worker, "_pause", lambda *_: None)
    assert worker(engine).run()["notes"] == 7
    assert count(engine, "results") == 4


def test_a_database_that_stays_away_ends_the_command(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OperationalError("gout", {"text": "gout"}, Exception("gout"))

    fill(engine, "gout")
    monkeypatch.setattr(workers, "write", fail)
    monkeypatch.setattr(workers.Worker, "_pause", lambda *_: None)
    with pytest.raises(DatabaseError) as ended:
        worker(engine).run()
    assert "gout" not in str(ended.value)
    assert waiting(engine) == 1


# ---- claims ---------------------------------------------------------------------------------------


def test_what_one_has_claimed_another_does_not_take_on_postgresql(postgresql: str) -> None:
    engine = empty(postgresql)
    fill(engine, *"abcdef")
    condition = WAITING.condition("1")
    with claimed(engine, condition, 0, 4) as ours, claimed(engine, condition, 0, 4) as theirs:
        assert not {note.key for note in ours.notes} & {note.key for note in theirs.notes}
        assert [len(ours.notes), len(theirs.notes)] == [4, 2]


def test_what_one_has_claimed_another_does_not_take_on_sqlite(tmp_path: Path) -> None:
    engine = empty(sqlite_url(tmp_path))
    fill(engine, *"abc")
    condition = WAITING.condition("1")
    reads, writes = os.pipe()
    with claimed(engine, condition, 0, 4) as ours:
        assert len(ours.notes) == 3
        if (child := os.fork()) == 0:  # locks of a file are between processes
            with claimed(engine, condition, 0, 4) as theirs:
                os.write(writes, bytes([len(theirs.notes)]))
            os._exit(0)
        os.waitpid(child, 0)
    assert os.read(reads, 1) == b"\0"
    with claimed(engine, condition, 0, 4) as again:
        assert len(again.notes) == 3
    assert stat.S_IMODE((tmp_path / "production" / "behealthy.db-claims").stat().st_mode) == 0o600


def test_what_was_done_meanwhile_is_not_written_again(engine: Engine) -> None:
    fill(engine, *TEXTS)
    with claimed(engine, WAITING.condition("1"), 0, 100) as claim:
        notes = claim.notes
    worker(engine).run()
    before = rows_of(engine)
    late = [Outcome(note, found_in(note.document.text)) for note in notes]
    with engine.begin() as connection:
        assert write(connection, "1", late) == []
    assert rows_of(engine) == before


def test_of_a_note_that_is_too_long_only_the_beginning_is_read(engine: Engine) -> None:
    """200 notes of ten million characters would be two gigabytes."""
    fill(engine, "gout " * 2_000_000, "No gout. " * 100_000, " " * 10_000_000 + "gout", "gout")
    longest = PARAMS.note_characters
    with claimed(engine, WAITING.condition("1"), 0, 4, longest) as claim:
        assert [len(note.document.text) for note in claim.notes] == [longest + 1] * 3 + [4]
    host = FakeHost()
    worker(engine, host).run()
    assert host.asked == ["gout"]
    assert sorted(row[-1] for row in rows_of(engine)["quarantine"]) == [
        f"has {number:,} characters, more than inference.note_characters"
        for number in (10_000_000, 10_000_004, 900_000)
    ]


def test_rows_in_bulk_are_refused_as_others_are(engine: Engine) -> None:
    row = (1, "0" * 64, "1", "mention", 0, 0, 1, "Disease", 0.5, True, "present", None, None, None)
    with pytest.raises(DBAPIError) as refused, writing(engine) as connection:
        insert_rows(connection, MENTIONS, [row])  # of no result
    assert "Disease" not in str(refused.value)
    assert count(engine, "mentions") == 0


def test_a_text_that_arrives_while_another_of_its_note_is_read_waits(engine: Engine) -> None:
    class Correcting(FakeHost):
        def extract(self, text: str, seconds: float) -> Found:
            if text == "gout":
                fill(engine, "asthma")  # the first note then has the text that the second has already
            return super().extract(text, seconds)

    fill(engine, "gout", "asthma")
    at_work = worker(engine, Correcting())
    assert at_work.batch() == 2
    assert waiting(engine) == 1
    assert at_work.batch() == 1
    assert (waiting(engine), count(engine, "results")) == (0, 3)


# ---- retrying -------------------------------------------------------------------------------------


def test_quarantined_notes_are_tried_again(engine: Engine) -> None:
    fill(engine, "gout", "stuck", "asthma " * 200, "   ")
    host = FakeHost(faults={"stuck": NoteFailedError("the note takes longer than 5 s")})
    worker(engine, host).run()
    assert count(engine, "quarantine") == 3
    assert retry(engine, source="another") == 0
    assert retry(engine, step="encode_data") == 1
    host.faults.clear()
    assert worker(engine, host).run() == {"notes": 1, "mentions": 0}
    assert (waiting(engine), count(engine, "results"), count(engine, "quarantine")) == (0, 2, 2)
    assert retry(engine) == 2
    raised = PARAMS.model_copy(update={"note_characters": 10_000})
    assert worker(engine, host, params=raised).run()["quarantined"] == 1
    assert (waiting(engine), count(engine, "results"), count(engine, "quarantine")) == (0, 3, 1)


def test_what_is_not_tried_again(engine: Engine) -> None:
    add(engine, [Rejected(Place("notes.csv", 3), "has no text")], "s")
    fill(engine, "stuck", "stuck too")
    host = FakeHost(faults={text: NoteFailedError("too slow") for text in ("stuck", "stuck too")})
    worker(engine, host).run()
    fill(engine, "corrected")  # another text of the first note
    worker(engine, FakeHost(), "2", scope=Scope(backfill=True)).run()  # finds the second
    assert count(engine, "results") == 2
    assert retry(engine) == 0
    assert (waiting(engine), count(engine, "quarantine")) == (0, 3)


def test_the_command_says_how_many_are_tried_again(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(engine, "   ", "gout")
    worker(engine).run()
    monkeypatch.setenv(DATABASE, engine.url.render_as_string(hide_password=False))
    assert notes_command(["retry", "--step", "input_features_check"]) == 0
    assert capsys.readouterr().out.startswith("notes: 1 note out of quarantine")
    assert waiting(engine) == 1


# ---- steps ----------------------------------------------------------------------------------------


def test_a_bad_note_takes_no_other_along(engine: Engine) -> None:
    fill(engine, "gout", "stuck", "asthma", "wrong")
    wrong = Found((FoundMention(0, 99, "Disease", 0.5, False, "present"),), (), False, 1, 1, 0.0)
    host = FakeHost(faults={"stuck": NoteFailedError("the note takes longer than 5 s"), "wrong": wrong})
    worker(engine, host).run()
    reasons = {row[-2:] for row in rows_of(engine)["quarantine"]}
    assert ("encode_data", "the note takes longer than 5 s") in reasons
    assert ("prediction_col_check", "mention 0, counted from 0, is not within the text") in reasons
    assert count(engine, "results") == 2


def test_a_wrong_prediction_alerts_without_text(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    fill(engine, "secret")
    wrong = Found((FoundMention(0, 6, "Secret", 0.5, False, "present"),), (), False, 1, 1, 0.0)
    worker(engine, FakeHost(faults={"secret": wrong})).run()
    said = capsys.readouterr().err
    assert "ALERT: prediction_col_check" in said
    assert "secret" not in said.lower()


LIMITS = {
    "": "no text",
    " \n\t": "no text",
    "ab " * 334: "note_characters",
    "x" * 101: "token_characters",
    "a\0b": "NUL",
    "a\ud800": "half a character",
}


@pytest.mark.parametrize("text", LIMITS)
def test_input_features_that_the_pipeline_does_not_take(text: str) -> None:
    assert LIMITS[text] in str(problem_of(features_of(text), PARAMS))


@pytest.mark.parametrize("text", ["x" * 100, "ab " * 333 + "a", "."])
def test_input_features_at_their_limits(text: str) -> None:
    assert problem_of(features_of(text), PARAMS) is None


def test_the_suite_of_great_expectations_says_the_same(tmp_path: Path) -> None:
    import shutil

    from stages.validate.project import Project

    shutil.copytree(ROOT / "great_expectations", tmp_path / "great_expectations")
    project = Project(tmp_path / "great_expectations")
    bounds = {
        "inference_note_characters": PARAMS.note_characters,
        "inference_token_characters": PARAMS.token_characters,
    }
    for text in [*LIMITS, "x" * 100, "ab " * 333 + "a"]:
        features = features_of(text)
        outcome = project.run("inference", table_of([("1", features)]), bounds)
        assert bool(outcome.failed) == bool(problem_of(features, PARAMS))
        assert outcome.evaluated == 6


def test_where_no_note_waits_there_is_nothing_to_judge(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(DATABASE, engine.url.render_as_string(hide_password=False))
    assert [check_command([]), check_command(["--all"])] == [2, 2]
    assert capsys.readouterr().err.count("there are no notes yet: `python -m production.notes add` stores them\n") == 2
    fill(engine, "gout")
    worker(engine).run()
    capsys.readouterr()
    assert check_command(["--source", "s"]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("check: no note waits: nothing was judged; --all looks at those done, too\n", "")


TEXT = "gout, asthma"
GOOD = Found((FoundMention(0, 4, "Disease", 1, True, "present"), FoundMention(6, 12, "Disease", 0.0, True, "negated")),
             (), True, 1, 3, 1.0)  # fmt: skip


def first(**changes: Any) -> Found:
    return replace_found(mentions=(GOOD.mentions[0]._replace(**changes), GOOD.mentions[1]))


def replace_found(**changes: Any) -> Found:
    return GOOD._replace(**changes)


@pytest.mark.parametrize(
    "found",
    [
        first(start=-1),
        first(end=0),
        first(end=99),
        first(end=4.0),
        first(end=6),
        first(end=True),
        first(start=4, end=5, label="Disease", assertion=None),
        replace_found(mentions=(GOOD.mentions[0], GOOD.mentions[1]._replace(start=5))),
        first(end=7),
        first(label="Drug"),
        first(confidence=1.01),
        first(confidence=-0.01),
        first(confidence=math.nan),
        first(confidence="1"),
        first(accepted=None),
        first(accepted=False),
        first(assertion=""),
        first(assertion="x" * 13),
        replace_found(mentions=GOOD.mentions[::-1]),
        replace_found(suggestions=(FoundMention(0, 4, "Disease", 0.3, True, "present"),), accepted=False),
        replace_found(suggestions=(FoundMention(0, 4, "Disease", 0.3, False, "present"),)),
        replace_found(mentions=()),
        replace_found(sentences=4),
        replace_found(sentences=-1),
        replace_found(unknown_tokens=1.1),
        replace_found(unknown_tokens=math.nan),
    ],
)
def test_a_prediction_that_cannot_be_true(found: Found) -> None:
    problem = prediction_col_check.problem_of(found, TEXT, ["Disease", "Treatment"])
    assert problem
    # A confidence that is a whole number is looked at closely; the same is said where it is none.
    mentions = tuple(one._replace(confidence=1.0) if type(one.confidence) is int else one for one in found.mentions)
    assert prediction_col_check.problem_of(found._replace(mentions=mentions), TEXT, ["Disease", "Treatment"]) == problem


def test_a_prediction_that_can(engine: Engine) -> None:
    assert prediction_col_check.problem_of(GOOD, TEXT, ["Disease"]) is None
    one = replace_found(sentences=1, ends=(len(TEXT),))
    assert prediction_col_check.problem_of(one, TEXT, ["Disease"]) is None
    unsure = replace_found(accepted=False)  # all mentions are accepted, but what one says of the patient is not
    assert prediction_col_check.problem_of(unsure, TEXT, ["Disease"]) is None


@pytest.mark.parametrize("ends", [(), (5, 4), (5, 5), (len(TEXT) + 1,), (4, 9, len(TEXT)), (0,), (True,), ("5",)])
def test_sentences_that_cannot_end_there(ends: Any) -> None:
    number = min(len(ends), 2) or 1
    problem = prediction_col_check.problem_of(replace_found(sentences=number, ends=ends), TEXT, ["Disease"])
    assert problem == "its sentences do not end where sentences can"


# ---- versions -------------------------------------------------------------------------------------


def test_a_promotion_changes_no_history_and_a_backfill_does(engine: Engine) -> None:
    fill(engine, "gout", "asthma")
    worker(engine, version="1").run()
    fill(engine, "gout", "asthma", "aspirin")
    assert worker(engine, version="2").run()["notes"] == 1
    assert current(engine) == [("000", "1", False), ("001", "1", False), ("002", "2", False)]
    assert worker(engine, version="2", scope=Scope(backfill=True)).run()["notes"] == 2
    assert {version for _, version, _ in current(engine)} == {"2"}
    assert count(engine, "results") == 5
    assert not worker(engine, version="2", scope=Scope(backfill=True)).run()["notes"]


def test_a_rollback_shows_the_former_results_again(engine: Engine) -> None:
    fill(engine, "gout")
    worker(engine, version="1").run()
    worker(engine, version="2", scope=Scope(backfill=True)).run()
    worker(engine, version="1").run()
    assert current(engine) == [("000", "1", False)]


def test_a_backfill_keeps_to_its_scope(engine: Engine) -> None:
    fill(engine, "gout", source="a")
    fill(engine, "gout", source="b")
    worker(engine, version="1").run()
    later = datetime.now(UTC) + timedelta(hours=1)
    assert worker(engine, version="2", scope=Scope(True, since=later)).run()["notes"] == 0
    assert worker(engine, version="2", scope=Scope(True, source="a")).run()["notes"] == 1
    with reading(engine) as connection:
        assert Scope(True).size(connection, "2") == (1, 4)


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        (backfill_command, ["--dry-run"]),
        (export_command, ["--format", "csv", "--to", "-"]),
        (check_command, []),
        (notes_command, ["retry"]),
    ],
)
def test_a_source_that_no_note_has_is_refused_with_those_there_are(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: Any, arguments: Any
) -> None:
    monkeypatch.setenv(DATABASE, engine.url.render_as_string(hide_password=False))
    fresh = [notes_command(["retry", "--source", "typo"]), capsys.readouterr().err]
    assert fresh == [2, "notes: no note has this source: there are no notes yet\n"]
    for number in range(12):
        fill(engine, "gout", source=f"ward-{number:02}")
    fill(engine, "gout", source="\x1b[2J\nforged")
    first = ", ".join(["\ufffd[2J forged", *(f"ward-{number:02}" for number in range(9))])
    words = arguments[:1] if command is notes_command else []
    assert command([*words, "--source", "typo", *arguments[len(words) :]]) == 2
    assert f"no note has this source: there are {first} and others\n" in capsys.readouterr().err


def test_a_shadow_is_beside_and_never_current(engine: Engine) -> None:
    fill(engine, *TEXTS)
    other = FakeHost(words={"asthma": "Disease", "well": "Disease"})
    shadow = loaded(engine, other, "2", champion=False)
    worker(engine, version="1", shadow=shadow).run()
    assert count(engine, "results") == 8
    assert {version for _, version, _ in current(engine)} == {"1"}
    assert count(engine, "log") == 7  # four that were served, three that were set aside
    assert agreement.versions_of(engine) == ("1", "2")
    found = agreement.agreement(engine, "1", "2")
    assert found.notes == 4
    assert {name: tuple(one) for name, one in found.labels.items()} == {"Disease": (1, 2, 1), "Treatment": (0, 2, 0)}
    assert found.labels["Disease"].f1 == pytest.approx(0.4)
    assert {name for _, name in found.differing} == {"000", "001", "003", "004"}


def test_versions_that_were_never_beside_each_other_are_not_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(DATABASE, sqlite_url(tmp_path))
    engine = empty(sqlite_url(tmp_path))
    fill(engine, "gout", "well")
    other = FakeHost(words={"well": "Disease"})
    worker(engine, version="1", shadow=loaded(engine, other, "2", champion=False)).run()
    assert shadow_command.main([]) == 0
    assert "2 of them differ" in capsys.readouterr().out
    assert shadow_command.main(["--challenger", "9"]) == 2
    assert "by 9" in capsys.readouterr().err


def test_results_of_the_shadow_count_once_it_is_champion(engine: Engine) -> None:
    fill(engine, "gout", "asthma")
    worker(engine, version="1", shadow=loaded(engine, FakeHost(), "2", champion=False)).run()
    worker(engine, version="2", scope=Scope(backfill=True)).run()
    assert current(engine) == [("000", "2", False), ("001", "2", False)]
    assert count(engine, "results") == 4


class Found2:
    """A registry whose answer changes."""

    def __init__(self) -> None:
        self.version: str | None = "1"

    def __call__(self) -> Any:
        if self.version is None:
            raise BeHealthyError("the registry does not answer")
        return model(self.version)


def test_a_promotion_is_followed_and_a_registry_that_is_away_is_not_waited_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    registry, hosts = Found2(), {}

    def start(found: Any) -> FakeHost:
        if found.version == "broken":
            raise BeHealthyError("does not load")
        hosts[found.version] = FakeHost()
        return hosts[found.version]

    served = Loaded(registry, 0.0, lambda *_: None, start)
    seen = []
    for version in ("1", "2", None, "broken", "3"):
        registry.version = version
        seen.append(served.current()[0].version)
    assert seen == ["1", "2", "2", "2", "3"]
    assert [hosts[version].stopped for version in "123"] == [True, True, False]
    assert "going on with version 2" in capsys.readouterr().err
    registry.version = None
    with pytest.raises(BeHealthyError, match="does not answer"):
        Loaded(registry, 0.0, lambda *_: None, start).current()


def test_what_is_said_of_a_model_is_said_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = Workplace(empty(sqlite_url(tmp_path)), PARAMS, "backfill")
    served = place.loaded()
    assert (served.command, served.find.__self__.command) == ("backfill", "backfill")  # type: ignore[attr-defined]
    assert place.worker(served).command == "backfill"
    registry = Found2()
    served = Loaded(registry, 0.0, lambda *_: None, lambda _: FakeHost(), "backfill")
    served.current()
    registry.version = None
    served.current()
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in said] == ["backfill", "backfill"]


def test_the_registry_is_not_asked_for_every_batch() -> None:
    registry = Found2()
    served = Loaded(registry, 3600.0, lambda *_: None, lambda _: FakeHost())
    served.current()
    registry.version = "2"
    assert served.current()[0].version == "1"


# ---- the key of the log ---------------------------------------------------------------------------


def test_the_key_is_private_stays_and_may_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(LOG_KEY, raising=False)
    key = log_key(tmp_path / "new")
    assert log_key(tmp_path / "new") == key
    assert stat.S_IMODE((tmp_path / "new" / "log.key").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["log.key"]
    monkeypatch.setenv(LOG_KEY, "f" * 32)
    assert log_key(tmp_path / "new") == "f" * 32
    monkeypatch.setenv(LOG_KEY, "hunter2")
    with pytest.raises(DatabaseError) as refused:
        log_key(tmp_path)
    assert "hunter2" not in str(refused.value)


def lost_key(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    """Return a place whose serving log has a row, and whose key is not there any more."""
    monkeypatch.delenv(LOG_KEY, raising=False)
    monkeypatch.setenv(DATABASE, sqlite_url(folder))
    engine = empty(sqlite_url(folder))
    fill(engine, "gout")
    worker(engine).run()
    return Workplace(engine, PARAMS)


def test_a_key_that_is_lost_is_no_new_one_until_somebody_asks_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place, key = lost_key(tmp_path, monkeypatch), tmp_path / "production" / "log.key"
    served = loaded(place.engine, FakeHost(), "1")
    with pytest.raises(DatabaseError, match=f"restore it from its backup, or set {LOG_KEY}.*production.log new-key"):
        place.worker(served)
    assert not key.exists()
    monkeypatch.setenv(LOG_KEY, "f" * 32)
    assert place.worker(served).key == "f" * 32
    monkeypatch.delenv(LOG_KEY)
    assert log_command(["new-key"]) == 0
    made = key.read_text().strip()
    assert place.worker(served).key == made
    assert log_command(["new-key"]) == 2
    said = capsys.readouterr()
    assert "log.key is there already" in said.err
    assert made not in said.out + said.err
    assert key.read_text().strip() == made


def test_a_key_that_a_backup_left_open_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(LOG_KEY, raising=False)
    before = os.umask(0)
    try:
        key = log_key(tmp_path)
    finally:
        os.umask(before)
    file = tmp_path / "log.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    assert log_key(tmp_path) == key
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

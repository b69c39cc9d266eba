"""What leaves the reviews and comes back: batches for the training, tasks of Label Studio, and the commands."""

from __future__ import annotations

import io
import json
import stat
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import Engine

from annotation.add import main as add_command
from annotation.agreement.__main__ import main as agreement_command
from delivery.revision.git import git
from production.database.engine import folder_of
from production.database.review_tables import REVIEW_SPANS, REVIEWS
from production.inference.log_key import log_key
from production.record.work_tree import refuse_shared
from production.review import commands, setup
from production.review.__main__ import main as review_command
from production.review.agreement import agreement_of
from production.review.claiming import further_tasks
from production.review.decisions import Decision
from production.review.exporting import BATCH, DOUBLE, collect, write_batch
from production.review.handing_in import correct, hand_in
from production.review.inbox import put
from production.review.keys import reviewer_of
from production.review.label_studio import Region, decisions_of, encode, take_in
from production.review.status import status_of
from production.review.tasks import Task
from stages.common.errors import BeHealthyError
from stages.common.locks import locked
from stages.common.variables import DATABASE, LOG_KEY
from stages.prepare.formats import label_studio
from tests.production import KEY, empty, sqlite_url
from tests.repository import ROOT
from tests.unit.test_review import (
    ALL,
    ANNA,
    BEN,
    SOON,
    TEXTS,
    accept_all,
    claim,
    infer,
    planned,
    rows,
    tasks,
)

TOOL = reviewer_of(KEY, "label-studio")


def read_by(
    engine: Engine, name: str, decisions: list[Decision] | None = None, minutes: float = 0.0
) -> tuple[Task, int]:
    task = claim(engine, name)
    given = accept_all(task) if decisions is None else decisions
    return task, hand_in(engine, task.task_id, name, given, 30.0, SOON + timedelta(minutes=minutes))


NEGATED = [Decision("mention", 0, "change", assertion="negated"), Decision("mention", 1, "reject")]


@pytest.fixture
def read(engine: Engine) -> Engine:
    """One note that two people read, who do not agree."""
    infer(engine, TEXTS[0])
    planned(engine, double=1.0)
    read_by(engine, ANNA)
    read_by(engine, BEN, NEGATED, minutes=5)
    return engine


# ---- batches --------------------------------------------------------------------------------------


def added(folder: Path, tmp_path: Path) -> list[str]:
    arguments = ["--format", "label-studio", "--annotates", "Disease,Treatment", "--name", "reviewed", "--to"]
    assert add_command([str(folder / BATCH), *arguments, str(tmp_path / "annotations")]) == 0
    return sorted(path.name for path in (tmp_path / "annotations" / "reviewed").iterdir())


def test_a_batch_is_added_and_its_minutes_are_no_time_of_annotating_from_nothing(read: Engine, tmp_path: Path) -> None:
    write_batch(collect(read, KEY), tmp_path / "out")
    assert added(tmp_path / "out", tmp_path) == ["batch.yaml", "export"]
    (document,) = label_studio.read(tmp_path / "out" / BATCH)
    assert [tuple(one) for one in document.mentions] == [(6, 12, "Disease"), (20, 27, "Treatment")]
    assert document.metadata == {"sex": "male"}
    assert document.seconds is None
    (task,) = json.loads((tmp_path / "out" / BATCH).read_text())
    assert task["annotations"][0]["lead_time"] == 30.0
    assert task["annotations"][0]["completed_by"] == ANNA


def test_the_first_reading_counts_as_it_was_corrected_last(read: Engine, tmp_path: Path) -> None:
    first = rows(read, REVIEWS)[0].review_id
    (final,) = collect(read, KEY).final
    assert final.reviewer == ANNA
    correct(read, correct(read, first, BEN, NEGATED, 1.0, SOON), BEN, NEGATED[:1] + accept_one(1), 1.0, SOON)
    export = collect(read, KEY)
    (final,) = export.final
    assert (final.assertions, final.reviewer) == (("negated", "present"), ANNA)
    assert [one.assertions for one in export.double] == [("present", "present"), ("negated",)]
    write_batch(export, tmp_path / "out")
    (task,) = json.loads((tmp_path / "out" / BATCH).read_text())
    choices = [one["value"]["choices"] for one in task["annotations"][0]["result"] if one["type"] == "choices"]
    assert choices == [["negated"], ["present"]]


def accept_one(number: int) -> list[Decision]:
    return [Decision("mention", number, "accept")]


def test_two_readings_can_be_compared_and_adjudicated(
    read: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_batch(collect(read, KEY), tmp_path / "out")
    assert agreement_command([str(tmp_path / "out" / DOUBLE), "--format", "label-studio"]) == 0
    assert "1 note of two or more" in capsys.readouterr().out
    agreed = agreement_of(read, KEY, resamples=10, seed=1)
    assert agreed
    assert agreed.strict.value == pytest.approx(2 / 3)
    assert set(agreed.panel.annotators) == {ANNA, BEN}


def test_what_was_reviewed_or_corrected_since_is_exported(engine: Engine) -> None:
    infer(engine, "gout 1", "gout 2")
    planned(engine)
    _, first = read_by(engine, ANNA)
    read_by(engine, ANNA, minutes=60)
    since = SOON + timedelta(minutes=30)
    assert len(collect(engine, KEY).final) == 2
    assert len(collect(engine, KEY, since).final) == 1
    assert not collect(engine, KEY, since, "work").final
    correct(engine, first, ANNA, [Decision("mention", 0, "reject")], 1.0, since)
    assert len(collect(engine, KEY, since).final) == 2


def test_the_inbox_gets_each_review_once_whatever_was_lost(engine: Engine, tmp_path: Path) -> None:
    inbox, batches = tmp_path / "inbox", tmp_path / "batches"
    infer(engine, "gout 1", "gout 2", "gout 3")
    planned(engine)

    def at(minutes: float, least: int = 1) -> tuple[bool, int]:
        made = put(engine, KEY, inbox, SOON + timedelta(minutes=minutes), least, batches=batches)
        return made.path is not None, made.notes

    assert at(0) == (False, 0)
    read_by(engine, ANNA, minutes=1)
    assert at(1.5) == (False, 0)  # whoever hands in now may have begun before
    assert at(3, least=2) == (False, 1)
    read_by(engine, ANNA, minutes=4)
    assert at(6, least=2) == (True, 2)
    assert at(7) == (False, 0)
    (file,) = (inbox / "label-studio").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(json.loads(file.read_text())) == 2
    (batches / file.stem).mkdir(parents=True)  # it became a batch, and the inbox was emptied
    file.unlink()
    assert at(8) == (False, 0)
    _, review = read_by(engine, ANNA, minutes=9)
    assert at(11) == (True, 1)
    correct(engine, review, ANNA, [Decision("mention", 0, "reject")], 1.0, SOON + timedelta(minutes=12))
    assert at(14) == (True, 1)  # a correction is a new batch


def test_a_batch_of_a_time_to_come_does_not_hide_what_is_reviewed_until_then(engine: Engine, tmp_path: Path) -> None:
    infer(engine, "gout 1")
    planned(engine)
    read_by(engine, ANNA, minutes=1)
    batch = tmp_path / "batches/reviewed-20990101t000000000000z"
    batch.mkdir(parents=True)
    with pytest.raises(BeHealthyError, match="reviewed-20990101t000000000000z, is of a time that is to come"):
        put(engine, KEY, tmp_path / "inbox", SOON + timedelta(minutes=3), batches=batch.parent)
    assert not (tmp_path / "inbox").exists()


def test_names_of_documents_and_people_say_nothing(read: Engine, tmp_path: Path) -> None:
    write_batch(collect(read, KEY), tmp_path / "out")
    written = (tmp_path / "out" / BATCH).read_text() + (tmp_path / "out" / DOUBLE).read_text()
    assert '"000"' not in written  # what the note is called where it comes from
    assert "anna" not in written.casefold()
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o700
    assert {one.document.id for one in collect(read, KEY).final} != {
        one.document.id for one in collect(read, KEY[::-1]).final
    }


def test_a_folder_that_is_there_and_an_empty_batch_are_refused(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(BeHealthyError, match="nothing to export"):
        write_batch(collect(engine, KEY), tmp_path / "out")
    infer(engine, "gout")
    planned(engine)
    read_by(engine, ANNA)
    write_batch(collect(engine, KEY), tmp_path / "out")
    with pytest.raises(BeHealthyError, match="is there already"):
        write_batch(collect(engine, KEY), tmp_path / "out")


def test_a_text_that_no_batch_can_hold_is_left_out_and_counted(engine: Engine, tmp_path: Path) -> None:
    infer(engine, "gout \x01 1", "gout 2")
    planned(engine)
    read_by(engine, ANNA)
    read_by(engine, ANNA)
    export = collect(engine, KEY)
    assert (len(export.final), export.left_out) == (1, 1)
    write_batch(export, tmp_path / "out")
    added(tmp_path / "out", tmp_path)


# ---- Label Studio ---------------------------------------------------------------------------------


def annotated(task: dict[str, Any], results: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    annotation = {"completed_by": 3, "lead_time": 21.5, "was_cancelled": False, "result": results, **more}
    return {"id": 1, "data": task["data"], "annotations": [annotation], "predictions": task["predictions"]}


def exported(path: Path, *entries: dict[str, Any]) -> Path:
    path.write_text(json.dumps(list(entries)))
    return path


def given_to_the_tool(engine: Engine, *texts: str) -> list[dict[str, Any]]:
    infer(engine, *texts)
    planned(engine)
    taken = further_tasks(engine, TOOL, SOON, ALL, 50)
    entries: list[dict[str, Any]] = json.loads(encode(taken, KEY))
    return sorted(entries, key=lambda entry: str(entry["data"]["text"]))


def result_of(entry: dict[str, Any]) -> list[dict[str, Any]]:
    return [dict(one) for one in entry["predictions"][0]["result"]]


def test_what_was_annotated_comes_back_as_decisions(engine: Engine, tmp_path: Path) -> None:
    (entry,) = given_to_the_tool(engine, TEXTS[0])
    asthma, aspirin = result_of(entry)
    assert entry["data"]["document"] != "000"
    moved = {**asthma, "value": {"start": 0, "end": 12, "text": "Known asthma", "labels": ["Disease"]}}
    missed = {"id": "x", "type": "labels", "value": {"start": 14, "end": 19, "text": "Start", "labels": ["Treatment"]}}
    said = {"id": aspirin["id"], "type": "choices", "value": {"choices": ["negated"]}}
    path = exported(tmp_path / "e.json", annotated(entry, [moved, aspirin, said, missed]))
    assert take_in(engine, path, KEY, TOOL, SOON) == (1, 0, 0, [])
    assert [tuple(row)[2:] for row in rows(engine, REVIEW_SPANS)] == [
        ("mention", 0, "change", 0, 12, "Disease", "present"),
        ("mention", 1, "change", 20, 27, "Treatment", "negated"),
        ("missed", None, "missed", 14, 19, "Treatment", "present"),
    ]
    (review,) = rows(engine, REVIEWS)
    assert (review.seconds, review.reviewer) == (21.5, reviewer_of(KEY, "label-studio 3"))  # a number of that tool
    assert take_in(engine, path, KEY, TOOL, SOON) == (0, 1, 0, [])


def test_a_region_that_is_gone_is_rejected_and_one_with_another_name_is_known(engine: Engine, tmp_path: Path) -> None:
    (entry,) = given_to_the_tool(engine, TEXTS[0])
    aspirin = {**result_of(entry)[1], "id": "renamed"}
    take_in(engine, exported(tmp_path / "e.json", annotated(entry, [aspirin])), KEY, TOOL, SOON)
    assert [(row.shown, row.decision) for row in rows(engine, REVIEW_SPANS)] == [(0, "reject"), (1, "accept")]


@pytest.mark.parametrize(
    ("label", "decision"), [("Disease?", "reject"), ("Disease", "accept"), ("Treatment", "change")]
)
def test_a_suggestion_has_to_be_relabelled(tmp_path: Path, label: str, decision: str) -> None:
    engine = empty(sqlite_url(tmp_path))
    (entry,) = given_to_the_tool(engine, TEXTS[2])
    (region,) = result_of(entry)
    assert region["value"]["labels"] == ["Disease?"]
    region["value"] = {**region["value"], "labels": [label]}
    take_in(engine, exported(tmp_path / "e.json", annotated(entry, [region])), KEY, TOOL, SOON)
    assert [row.decision for row in rows(engine, REVIEW_SPANS)] == [decision]


def test_one_that_is_wrong_keeps_no_other_back(engine: Engine, tmp_path: Path) -> None:
    first, second, third, fourth = given_to_the_tool(engine, "gout 1", "gout 2", "gout 3", "gout 4")
    blank = {"id": "x", "type": "labels", "value": {"start": 4, "end": 6, "text": " 1", "labels": ["Disease"]}}
    path = exported(
        tmp_path / "e.json",
        annotated(first, [*result_of(first), blank]),
        annotated(second, result_of(second)),
        annotated(third, result_of(third), was_cancelled=True),
        annotated({**fourth, "data": {**fourth["data"], "text": "another"}}, result_of(fourth)),
        annotated(second, result_of(second), lead_time=None) | {"data": {"text": "x"}},
    )
    done = take_in(engine, path, KEY, TOOL, SOON)
    assert (done.written, done.before, done.skipped) == (1, 0, 1)
    assert [fault.split(": ", 1)[1].split(".")[0] for fault in done.faults] == [
        "missed: 4-6 begins or ends with a blank",
        "its text is not the one that was exported",
        "has a task without the number of a task here",
    ]
    assert "gout" not in str(done.faults)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"lead_time": None}, "lead_time is missing"),
        ({"lead_time": "long"}, "seconds are no number"),
        ({"completed_by": None}, "completed_by is no user"),
        ({"completed_by": " "}, "completed_by is no user"),
        ({"result": [{"id": "x", "type": "labels", "value": {"start": 0, "end": 4}}]}, "a span without a label"),
        ({"result": {}}, "is not a list"),
    ],
)
def test_what_is_no_review_is_refused(tmp_path: Path, more: dict[str, Any], message: str) -> None:
    engine = empty(sqlite_url(tmp_path))
    (entry,) = given_to_the_tool(engine, "gout 1")
    results = more.pop("result", result_of(entry))
    done = take_in(engine, exported(tmp_path / "e.json", annotated(entry, results, **more)), KEY, TOOL, SOON)
    assert done.written == 0
    assert message in done.faults[0]
    assert not rows(engine, REVIEWS)


def test_no_entry_however_wrong_keeps_others_back(engine: Engine, tmp_path: Path) -> None:
    given = given_to_the_tool(engine, "gout 1", "gout 2", "gout 4", "\N{GRINNING FACE} gout")
    one, two, four, three = sorted(given, key=lambda entry: str(entry["data"]["text"]))
    huge = {**annotated(one, result_of(one)), "data": {**one["data"], "task": 10**30}}
    (region,) = result_of(two)
    listed = annotated(two, [{**region, "id": [1]}, {"id": [1], "type": "choices", "value": {"choices": ["negated"]}}])
    (region,) = result_of(three)
    elsewhere = {**region["value"], "start": 1, "end": 5}  # as if counted otherwise: what it quotes stands at 2-6
    moved = annotated(three, [{**region, "value": elsewhere}])
    path = exported(tmp_path / "e.json", huge, listed, moved, annotated(four, result_of(four), lead_time=1e9))
    done = take_in(engine, path, KEY, TOOL, SOON)
    assert done.written == 1
    assert ["number of a task" in done.faults[0], "span 1-5 that quotes another" in done.faults[1]] == [True, True]
    assert f"task {four['data']['task']}: seconds are no number" in done.faults[2]
    assert "gout" not in str(done.faults)


def test_of_several_annotations_the_one_that_holds_is_marked(tmp_path: Path) -> None:
    engine = empty(sqlite_url(tmp_path))
    (entry,) = given_to_the_tool(engine, "gout 1")
    one = annotated(entry, result_of(entry))
    other = annotated(entry, [], completed_by=4)["annotations"][0]
    twice = {**one, "annotations": [*one["annotations"], other]}
    done = take_in(engine, exported(tmp_path / "e.json", twice), KEY, TOOL, SOON)
    assert "is annotated 2 times" in done.faults[0]
    twice["annotations"][1]["ground_truth"] = True
    assert take_in(engine, exported(tmp_path / "e.json", twice), KEY, TOOL, SOON).written == 1
    assert [row.decision for row in rows(engine, REVIEW_SPANS)] == ["reject"]


def test_one_annotator_does_not_read_a_note_twice(engine: Engine, tmp_path: Path) -> None:
    infer(engine, "gout 1")
    planned(engine, double=1.0)
    for turn, expected in enumerate(("", "has read the note before")):
        (task,) = further_tasks(engine, TOOL, SOON, ALL, 50)
        (entry,) = json.loads(encode([task], KEY))
        done = take_in(engine, exported(tmp_path / f"{turn}.json", annotated(entry, result_of(entry))), KEY, TOOL, SOON)
        assert (expected in str(done.faults)) and bool(done.faults) == bool(expected)
    other = annotated(entry, result_of(entry), completed_by={"id": 4, "email": "Ben"})
    assert take_in(engine, exported(tmp_path / "2.json", other), KEY, TOOL, SOON).written == 1
    assert rows(engine, REVIEWS)[-1].reviewer == BEN  # the same person as at the desk


def test_names_of_regions_go_before_what_they_are(tmp_path: Path) -> None:
    engine = empty(sqlite_url(tmp_path))
    infer(engine, "gout asthma")
    planned(engine)
    task = claim(engine)
    exchanged = [Region("mention-1", 0, 4, "Disease", None), Region("mention-0", 5, 11, "Disease", None)]
    assert [one[2:5] for one in decisions_of(task, exchanged)] == [("change", 5, 11), ("change", 0, 4)]


# ---- commands -------------------------------------------------------------------------------------


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """A database of the environment, with the time ten minutes on."""

    class Later:
        @staticmethod
        def now(_: object) -> Any:
            return SOON

    monkeypatch.setenv(DATABASE, sqlite_url(tmp_path))
    monkeypatch.setenv(LOG_KEY, KEY)
    monkeypatch.setattr(commands, "datetime", Later)
    monkeypatch.setattr(setup, "load_params", lambda: ALL)
    engine = empty(sqlite_url(tmp_path))
    yield engine
    engine.dispose()


def run(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> str:
    assert review_command([str(argument) for argument in arguments]) == code
    said = capsys.readouterr()
    return said.out if code == 0 else said.err


def test_from_a_plan_to_a_batch(desk: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "plan", code=2)
    infer(desk, *TEXTS)
    capsys.readouterr()
    assert "version 1, 4 notes written before" in run(capsys, "plan")
    assert "nothing new to plan" in run(capsys, "plan")
    for _ in TEXTS:
        shown = json.loads(run(capsys, "next", "--reviewer", "Anna", "--json"))
        assert f"task {shown['task']}:" in run(capsys, "next", "--reviewer", "anna")
        answers = [{"number": one["number"], "decision": "accept"} for one in shown["mentions"]]
        file = tmp_path / "decisions.json"
        file.write_text(json.dumps({"seconds": 60, "mentions": answers}))
        said = run(capsys, "done", "--task", shown["task"], "--reviewer", "Anna", file)
    assert "written as review 4" in said
    assert json.loads(run(capsys, "next", "--reviewer", "Anna", "--json")) is None
    assert "no note is open" in run(capsys, "next", "--reviewer", "Anna")
    last = shown["task"]
    again = run(capsys, "done", "--task", last, "--reviewer", "Anna", file, code=1)
    assert "correct review 4 if something is wrong" in again
    seen = json.loads(run(capsys, "show", "--task", last, "--json"))
    assert (seen["text"], seen["review"], len(seen["decisions"]["mentions"])) == (shown["text"], 4, len(answers))
    file.write_text(json.dumps(seen["decisions"]))  # what `show` prints is what `correct` takes
    assert "written as review 5" in run(capsys, "correct", "--review", "4", "--reviewer", "Ben", file)
    assert "review 5 of it" in run(capsys, "show", "--task", last)
    status = json.loads(run(capsys, "status", "--json"))
    assert [(one["stratum"], one["done"], one["open"]) for one in status["counts"]] == [
        ("accepted", 1, 0), ("queried", 1, 0), ("silent", 1, 0), ("suggested", 1, 0),
    ]  # fmt: skip
    assert "agreement" in status
    assert "audit, accepted" in run(capsys, "status")
    said = run(capsys, "export", "--to", tmp_path / "out")
    assert "4 notes with 3 mentions, 4 minutes" in said
    assert "python -m annotation.add" in said
    added(tmp_path / "out", tmp_path)


def test_one_minute_is_one_minute(desk: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    infer(desk, *TEXTS[:2])
    planned(desk)
    for _ in range(2):
        read_by(desk, ANNA)  # in half a minute
    assert "1 minute:" in run(capsys, "export", "--to", tmp_path / "out")


def test_decisions_come_from_standard_input_and_what_is_wrong_is_said(
    desk: Engine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    infer(desk, TEXTS[0])
    run(capsys, "plan")
    task = claim(desk)

    def done(content: str, code: int) -> str:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
        return run(capsys, "done", "--task", task.task_id, "--reviewer", "Anna", "-", code=code)

    assert "the decisions are no JSON" in done("{asthma", 1)
    assert "mention 1 is not answered" in done('{"seconds": 1, "mentions": [{"number": 0, "decision": "accept"}]}', 1)
    assert not rows(desk, REVIEWS)
    both = [{"number": number, "decision": "accept"} for number in (0, 1)]
    twice = json.dumps({"seconds": 1, "mentions": both})[:-1] + ', "missed": [{}], "missed": []}'
    assert "the same key twice" in done(twice, 1)  # the last would count, and the first be lost
    assert not rows(desk, REVIEWS)
    assert "written as review 1" in done(json.dumps({"seconds": 1, "mentions": both}), 0)


def test_two_exports_at_once_put_no_note_into_two_batches(desk: Engine, tmp_path: Path) -> None:
    infer(desk, "gout 1")
    planned(desk)
    read_by(desk, ANNA, minutes=-2)
    inbox = tmp_path / "inbox"
    other = Thread(target=review_command, args=(["export", "--inbox", str(inbox)],), daemon=True)
    with locked(inbox, "exporting reviewed notes"):
        other.start()
        other.join(0.5)
        assert other.is_alive()
        assert not inbox.exists()
        assert put(desk, KEY, inbox, SOON + timedelta(minutes=1), batches=tmp_path / "batches").path
    other.join(30)
    assert len(list((inbox / "label-studio").iterdir())) == 1


@pytest.mark.parametrize("name", ["", " \t"])
def test_who_leaves_the_name_out_is_nobody(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        review_command(["next", "--reviewer", name])
    assert ended.value.code == 2
    assert "a name is missing" in capsys.readouterr().err


def test_tasks_go_to_label_studio_and_come_back(
    desk: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    infer(desk, *TEXTS)
    run(capsys, "plan")
    file = tmp_path / "tasks.json"
    with monkeypatch.context() as broken:
        broken.setattr(commands, "encode", lambda *_: 1 / 0)
        run(capsys, "export-tasks", "--to", file, code=2)
    assert not any(one.reviewer for one in tasks(desk))
    assert "4 notes, kept for 7 days" in run(capsys, "export-tasks", "--to", file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "exists" in run(capsys, "export-tasks", "--to", file, code=2)
    assert "no note is open" in run(capsys, "export-tasks", "--to", tmp_path / "more.json")
    entries = [annotated(entry, result_of(entry)) for entry in json.loads(file.read_text())]
    entries[0]["annotations"][0]["lead_time"] = None
    back = exported(tmp_path / "export.json", *entries)
    assert "lead_time is missing" in run(capsys, "import", back, code=1)
    assert status_of(desk, SOON).minutes == pytest.approx(3 * 21.5 / 60)
    held = next(one for one in tasks(desk) if one.done_at is None)
    assert "is open again" in run(capsys, "give-back", "--task", held.task_id, "--reviewer", "label-studio")


@pytest.mark.parametrize("name", ["reviewed-notes", "tasks.json"])
def test_where_the_guide_writes_to_is_ignored_by_git(name: str) -> None:
    assert f"--to {name}" in (ROOT / "docs/guides/operator.md").read_text()
    refuse_shared(ROOT / name, holds="it holds notes")


def test_what_two_readers_differ_on_can_be_looked_at_and_corrected(
    desk: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    infer(desk, TEXTS[0])
    planned(desk, double=1.0)
    waiting = tasks(desk)[0].task_id
    assert "was not handed in yet" in run(capsys, "show", "--task", waiting, code=1)
    first, _ = read_by(desk, ANNA, NEGATED)
    second, _ = read_by(desk, BEN)
    said = run(capsys, "agreement")
    assert f"tasks {first.task_id}, {second.task_id}: `show --task {first.task_id}`" in said
    decisions = json.loads(run(capsys, "show", "--task", first.task_id, "--json"))["decisions"]
    assert decisions["mentions"][0]["assertion"] == "negated"
    assert decisions["mentions"][1] == {"number": 1, "decision": "reject"}


def test_without_double_readings_there_is_no_agreement(desk: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    infer(desk, TEXTS[0])
    assert "no note was read by two" in run(capsys, "agreement", code=2)
    planned(desk, double=1.0)
    read_by(desk, ANNA)
    read_by(desk, BEN)
    assert "strict F1" in run(capsys, "agreement")
    assert "agreement: strict F1 1.000" in run(capsys, "status")


def test_nothing_is_written_into_git(desk: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git("init", "--quiet", str(tmp_path / "tree"), root=tmp_path)
    infer(desk, TEXTS[0])
    planned(desk)
    read_by(desk, ANNA)
    for command in ("export", "export-tasks"):
        said = run(capsys, command, "--to", tmp_path / "tree" / "reviewed.json", code=2)
        assert "git does not ignore" in said


def test_the_key_is_the_one_of_the_serving_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(DATABASE, sqlite_url(tmp_path))
    monkeypatch.delenv(LOG_KEY, raising=False)
    engine = empty(sqlite_url(tmp_path))
    infer(engine, TEXTS[0])
    assert "their key log.key is not there" in run(capsys, "plan", code=2)
    (folder_of(engine.url) / "log.key").write_text(KEY + "\n")
    assert log_key(folder_of(engine.url)) == KEY
    run(capsys, "plan")

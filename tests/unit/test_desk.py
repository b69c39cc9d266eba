"""The desk without a browser: drafts, what a sitting answers, who sits at it, and offsets as the browser has them."""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, update
from streamlit.testing.v1 import AppTest

from dashboard.desk.browser import script
from dashboard.desk.reviewer import REVIEWER_HEADER, NobodyError, only
from dashboard.desk.sitting import Sitting
from dashboard.pages import review
from production.database.engine import DatabaseError, writing
from production.database.review_tables import REVIEW_DRAFTS, REVIEW_SPANS, REVIEW_TASKS, REVIEWS
from production.database.revision import migrate
from production.review.claiming import give_back, next_task
from production.review.drafts import Draft, keep_draft, read_draft
from production.review.handing_in import hand_in
from production.review.setup import Desk
from production.review.status import Done, done_by
from production.review.tasks import GoneError, ReviewError, Task
from stages.common.variables import DATABASE, LOG_KEY
from tests.production import KEY, empty, sqlite_url
from tests.unit.test_review import ALL, ANNA, BEN, SOON, accept_all, claim, infer, planned, rows, tasks

LAPSED = SOON + timedelta(minutes=ALL.claim_minutes)
SO_FAR: dict[str, Any] = {"seconds": 4.5, "mentions": [{"number": 0, "decision": "reject"}]}


@pytest.fixture
def notes(engine: Engine) -> Engine:
    """Two notes that are to be read."""
    infer(engine, "gout 1", "gout 2")
    planned(engine)
    return engine


def keep(engine: Engine, task: Task, reviewer: str = ANNA, version: int = 0, **changes: Any) -> Draft:
    now = changes.pop("now", SOON)
    return keep_draft(engine, task, reviewer, Draft(version, {**SO_FAR, **changes}), now, ALL)[0]


# ---- drafts ---------------------------------------------------------------------------------------


def test_a_draft_is_kept_and_read_again(notes: Engine) -> None:
    task = claim(notes)
    assert read_draft(notes, task.task_id, ANNA) == Draft()
    assert keep(notes, task) == read_draft(notes, task.task_id, ANNA) == Draft(1, SO_FAR)
    assert keep(notes, task, version=1, seconds=9) == Draft(2, {**SO_FAR, "seconds": 9})
    assert read_draft(notes, task.task_id, BEN) == Draft()


def test_who_keeps_a_draft_has_the_note_for_longer(notes: Engine) -> None:
    task = claim(notes)
    later = SOON + timedelta(minutes=ALL.claim_minutes - 1)
    keep(notes, task, now=later)
    assert claim(notes, BEN, LAPSED).task_id != task.task_id


def test_what_was_begun_is_taken_up_again_after_its_claim_lapsed(notes: Engine) -> None:
    one = claim(notes)
    two = claim(notes, BEN)
    keep(notes, two, BEN)
    assert one.task_id < two.task_id
    assert claim(notes, BEN, LAPSED).task_id == two.task_id


def test_what_another_person_took_is_not_taken_up_again(notes: Engine) -> None:
    task = claim(notes)
    keep(notes, task)
    assert claim(notes, BEN, LAPSED).task_id == task.task_id
    with pytest.raises(GoneError, match="not yours any more"):
        keep(notes, task, version=1, now=LAPSED)
    assert claim(notes, ANNA, LAPSED).task_id != task.task_id


def test_a_draft_does_not_claim_a_note_that_another_person_has_for_another_task(engine: Engine) -> None:
    infer(engine, "gout 1")
    planned(engine, double=1.0)
    first = claim(engine)
    keep(engine, first)
    second = next(row.task_id for row in tasks(engine) if row.task_id != first.task_id)
    with writing(engine) as connection:
        of_second = update(REVIEW_TASKS).where(REVIEW_TASKS.c.task_id == second)
        connection.execute(of_second.values(reviewer=BEN, claimed_until=LAPSED + timedelta(hours=1)))
    with pytest.raises(GoneError):
        keep(engine, first, version=1, now=LAPSED)
    assert next_task(engine, ANNA, LAPSED, ALL) is None


def test_two_windows_do_not_overwrite_each_other(notes: Engine) -> None:
    task = claim(notes)
    keep(notes, task)
    with pytest.raises(GoneError, match="open in another window"):
        keep(notes, task, seconds=9)
    assert read_draft(notes, task.task_id, ANNA).decisions == SO_FAR


@pytest.mark.parametrize(
    "wrong",
    [
        {"missed": [{"start": 0, "end": 4, "label": "patient Smith"}]},
        {"missed": [{"start": 0, "end": 4, "label": "Disease", "assertion": "Smith"}]},
        {"mentions": [{"number": 0, "decision": "reject", "note": "Smith"}]},
        {"text": "Smith"},
        {"seconds": float("nan")},
        {"seconds": "Smith"},
        {"seconds": -1},
    ],
)
def test_a_draft_has_no_words(notes: Engine, wrong: dict[str, Any]) -> None:
    task = claim(notes)
    with pytest.raises(ReviewError) as refused:
        keep(notes, task, **wrong)
    assert "Smith" not in str(refused.value)
    assert rows(notes, REVIEW_DRAFTS) == []


def test_drafts_go_with_the_note(notes: Engine) -> None:
    task = claim(notes)
    keep(notes, task)
    give_back(notes, task.task_id, ANNA)
    assert rows(notes, REVIEW_DRAFTS) == []
    again = claim(notes)
    keep(notes, again)
    hand_in(notes, again.task_id, ANNA, accept_all(again), 3.0, SOON)
    assert rows(notes, REVIEW_DRAFTS) == []
    with pytest.raises(GoneError):
        keep(notes, again)


def test_what_was_given_back_comes_last(notes: Engine) -> None:
    first = claim(notes).task_id
    give_back(notes, first, ANNA)
    second = claim(notes, last=[first])
    assert second.task_id != first
    hand_in(notes, second.task_id, ANNA, accept_all(second), 90.0, SOON)
    assert claim(notes, last=[first]).task_id == first
    assert done_by(notes, ANNA, SOON) == (1, 1.5)
    assert done_by(notes, ANNA, SOON + timedelta(seconds=1)) == done_by(notes, BEN, SOON) == (0, 0.0)


# ---- a sitting ------------------------------------------------------------------------------------


def opened(engine: Engine) -> Any:
    return lambda: nullcontext(Desk(engine, KEY, ALL))


def message(sitting: Sitting, kind: str, stamp: int, **decisions: Any) -> dict[str, Any]:
    assert sitting.task is not None
    return {"kind": kind, "stamp": stamp, "task": sitting.task.task_id, "decisions": {**SO_FAR, **decisions}}


@pytest.fixture
def sitting(notes: Engine) -> Sitting:
    return Sitting.begun(Desk(notes, KEY, ALL), "Anna", SOON)


def test_done_brings_the_next_note(notes: Engine, sitting: Sitting) -> None:
    first, shown = sitting.task, sitting.shown()
    sitting.receive(opened(notes), message(sitting, "done", 1), SOON)
    assert sitting.said == "Handed in as review 1."
    assert first and sitting.task and sitting.task.task_id != first.task_id
    assert (shown["turn"], sitting.turn, sitting.shown()["answered"]) == (1, 2, 1)
    assert [row.decision for row in rows(notes, REVIEW_SPANS)] == ["reject"]


def test_what_is_sent_twice_is_done_once(notes: Engine, sitting: Sitting) -> None:
    sent = message(sitting, "done", 1)
    for _ in range(2):
        sitting.receive(opened(notes), sent, SOON)
    assert (sitting.turn, len(rows(notes, REVIEWS))) == (2, 1)
    sent = message(sitting, "draft", 2)
    for _ in range(2):
        sitting.receive(opened(notes), sent, SOON)
    assert (sitting.good, sitting.draft.version) == (True, 1)


def test_what_is_refused_leaves_the_note_where_it_is(notes: Engine, sitting: Sitting) -> None:
    sitting.receive(opened(notes), message(sitting, "done", 1, mentions=[]), SOON)
    assert (sitting.good, sitting.lost, sitting.turn) == (False, False, 1)
    assert sitting.said.endswith("mention 0 is not answered.")
    sitting.receive(opened(notes), message(sitting, "done", 2), SOON)
    assert (sitting.good, sitting.turn) == (True, 2)


def test_a_note_that_has_gone_is_lost_and_the_next_one_comes(notes: Engine, sitting: Sitting) -> None:
    assert sitting.task
    assert claim(notes, BEN, LAPSED).task_id == sitting.task.task_id
    sitting.receive(opened(notes), message(sitting, "draft", 1), LAPSED)
    assert (sitting.good, sitting.lost) == (False, True)
    sitting.receive(opened(notes), message(sitting, "next", 2), LAPSED)
    assert (sitting.good, sitting.lost, sitting.turn) == (True, False, 2)


def test_a_database_that_does_not_answer_is_said(notes: Engine, sitting: Sitting) -> None:
    def away() -> AbstractContextManager[Desk]:
        raise DatabaseError("the database does not answer")

    sitting.receive(away, message(sitting, "draft", 1), SOON)
    assert (sitting.said, sitting.good, sitting.lost) == ("The database does not answer.", False, False)
    later = SOON + timedelta(minutes=5)
    sitting.receive(opened(notes), message(sitting, "draft", 2), later)
    assert (sitting.good, sitting.draft.version) == (True, 1)
    assert sitting.shown()["until"] == (later + timedelta(minutes=ALL.claim_minutes)).isoformat()


def test_an_unforeseen_error_says_nothing_of_the_note(
    notes: Engine, sitting: Sitting, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = {**message(sitting, "done", 1), "decisions": {"seconds": 1, "mentions": "Smith"}}
    sitting.receive(opened(notes), sent, SOON)
    assert not sitting.good
    sitting.receive(opened(notes), {**sent, "kind": "Smith", "stamp": 2}, SOON)
    assert sitting.said == "Stopped by an unforeseen KeyError: nothing was written."
    assert "Smith" not in capsys.readouterr().err + sitting.said


# ---- who sits there -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "name"), [(["Anna"], "Anna"), ([" J\u00c3\u00bcrgen "], "J\u00fcrgen"), (["\xfc"], "\xfc")]
)
def test_the_proxy_names_one_person(given: list[str], name: str) -> None:
    assert only(given, "X-User") == name


@pytest.mark.parametrize("given", [[], [""], [" "], ["Anna", "Ben"], ["Anna", "Anna"]])
def test_nobody_or_two_are_refused_without_being_named(given: list[str]) -> None:
    with pytest.raises(NobodyError, match="X-User") as refused:
        only(given, "X-User")
    assert "Anna" not in str(refused.value)


# ---- the page -------------------------------------------------------------------------------------


def show() -> AppTest:
    def run() -> None:
        from dashboard.app import shown

        shown("review")()

    return AppTest.from_function(run, default_timeout=30).run()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(DATABASE, sqlite_url(tmp_path))
    monkeypatch.setenv(LOG_KEY, KEY)
    monkeypatch.delenv(REVIEWER_HEADER, raising=False)
    return tmp_path


def test_without_a_database_the_command_is_named(place: Path) -> None:
    assert "python -m production.database build" in show().error[0].value


def test_an_older_database_names_the_command(place: Path) -> None:
    migrate(empty(sqlite_url(place)), "0005")
    assert "python -m production.database build" in show().error[0].value


def test_without_a_plan_the_command_is_named(place: Path) -> None:
    empty(sqlite_url(place))
    page = show()
    assert page.code[0].value == "python -m production.review plan"
    page.text_input[0].input("Anna")
    page.button[0].click().run()
    assert "python -m production.infer" in page.error[0].value  # no champion


def test_who_has_no_name_gets_no_note(place: Path) -> None:
    infer(engine := empty(sqlite_url(place)), "gout 1")
    planned(engine)
    page = show()
    assert page.markdown[0].value.startswith("Waiting: 1 note of the audit, 0 notes to work on.")
    page.text_input[0].input("  ")
    page.button[0].click().run()
    assert "Write your name" in page.error[0].value
    assert {row.reviewer for row in tasks(engine)} == {None}


def test_an_empty_queue_names_the_command(place: Path) -> None:
    infer(engine := empty(sqlite_url(place)), "gout 1")
    planned(engine)
    claim(engine, BEN)
    page = show()
    page.text_input[0].input("Anna")
    page.button[0].click().run()
    assert "No note is waiting" in page.info[0].value
    assert page.code[0].value == "python -m production.review plan"
    assert any(one.value == "You today: 0 notes in 0 minutes." for one in page.markdown)


@pytest.mark.parametrize(
    ("notes", "minutes", "said"),
    [(0, 0.0, "0 minutes"), (3, 0.2, "less than a minute"), (3, 1.2, "1 minute"), (9, 12.6, "13 minutes")],
)
def test_three_notes_take_more_than_no_time(notes: int, minutes: float, said: str) -> None:
    assert review._taken(Done(notes, minutes)) == said


def test_where_a_header_is_believed_who_has_none_is_nobody(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REVIEWER_HEADER, "X-User")
    empty(sqlite_url(place))
    page = show()
    assert "X-User" in page.error[0].value
    assert not page.text_input
    assert not page.button


class Anew(BaseException):
    """The page is shown anew."""


@pytest.mark.parametrize("other", ["Ben", None])
def test_who_comes_after_a_person_does_not_see_the_note(
    sitting: Sitting, monkeypatch: pytest.MonkeyPatch, other: str | None
) -> None:
    """A window that stays open while the proxy names another person, or nobody, shows the desk by itself."""

    def proposed() -> str:
        if other is None:
            raise NobodyError("nobody")
        return other

    def anew() -> None:
        raise Anew

    seen: list[Any] = []
    monkeypatch.setattr(review, "_proposed", lambda: sitting.name)
    monkeypatch.setattr(review, "DESK", lambda **given: seen.append(given["data"]))
    monkeypatch.setattr(review.st, "session_state", {review._SITTING: sitting})
    monkeypatch.setattr(review.st, "rerun", anew)
    show_note = review._show_note.__wrapped__  # type: ignore[attr-defined]
    show_note(sitting, sitting.turn)
    assert len(seen) == 1
    monkeypatch.setattr(review, "_proposed", proposed)
    with pytest.raises(Anew):
        show_note(sitting, sitting.turn)
    assert len(seen) == 1


# ---- in the browser's language --------------------------------------------------------------------

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(
    NODE is None, reason="node is not there (apt-get install nodejs): the browser's own tests do it"
)


def in_javascript(expression: str, given: Any) -> Any:
    """Evaluate an expression of `given` with the functions of the desk."""
    code = f"{script()}\nconst given = {json.dumps(given)};\nconsole.log(JSON.stringify({expression}));"
    done = subprocess.run([str(NODE), "--input-type=module"], input=code, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@needs_node
@settings(max_examples=1)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), min_size=50, max_size=50))
def test_offsets_are_those_of_the_database_and_back(texts: list[str]) -> None:
    texts += ["", "\U0001f600", "e\u0301\U0001f468\u200d\U0001f469 gout", "\U0001f600" * 9]
    found = in_javascript(
        """given.map((text) => {
          const note = readText(text);
          const places = Array.from({length: note.starts.length}, (_, point) => point);
          return places.map((point) => [toPoints(note, toUnits(note, point)), text.slice(0, toUnits(note, point))]);
        })""",
        texts,
    )
    for text, places in zip(texts, found, strict=True):
        assert places == [[point, text[:point]] for point in range(len(text) + 1)]


@needs_node
def test_blanks_are_those_of_the_database() -> None:
    blank = [chr(point) for point in range(0x10000) if chr(point).isspace()]
    assert all(in_javascript("given.map((one) => BLANK.test(one))", blank))


@needs_node
def test_letters_tell_labels_apart() -> None:
    labels = ["Disease", "Drug", "Treatment", "Dr"]
    assert in_javascript("lettersOf(given)", labels) == dict(zip(labels, ["DI", "DRU", "T", "DR"], strict=True))

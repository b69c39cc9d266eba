"""What pages of the dashboard say where something is missing, away or wrong; and that a note stays unsaid."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import model_process, registry
from dashboard.marking import letters_of, marked, pieces
from dashboard.model_process import Asked
from dashboard.registry import Registered
from delivery.errors import DeliveryError
from delivery.registry.registry import Entry
from production.inference.host import Found, FoundMention, NoteFailedError
from production.inference.load_model import Loaded, Model
from production.rollup.keeping import roll_up
from production.rollup.place import Place
from stages.common.variables import DATABASE
from tests.production import FakeHost, empty, sqlite_url
from tests.repository import DEAD, ROOT
from tests.served import Hospital

SECRET = "qzxvw"
NOTE = f"Known asthma, {SECRET}. Start aspirin."


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the parameters and nothing else; no database, no registry."""
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for name in (DATABASE, "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    registry.registered.clear()
    return tmp_path


def show(name: str) -> AppTest:
    """Show a page as the frame does."""
    app = AppTest.from_string(f"from dashboard.app import shown\nshown({name!r})()", default_timeout=60)
    return app.run()


def said(app: AppTest) -> str:
    """All words of a page."""
    kinds = ("title", "header", "markdown", "caption", "info", "warning", "error", "code", "text")
    words = [str(element.value) for kind in kinds for element in getattr(app, kind)]
    return "\n".join([*words, *(str(element.proto.body) for element in app.get("html"))])


# ---- nothing is there -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "commands"),
    [
        ("model", ["python -m delivery.register", "python -m delivery.promote", "python -m delivery.rollback"]),
        ("try_it", ["python -m production.record build"]),
        ("data", ["make data", "make repro", "python -m annotation.agreement", "python -m production.database build"]),
    ],
)
def test_a_page_without_anything_names_the_commands(name: str, commands: list[str]) -> None:
    app = show(name)
    assert not app.exception
    words = said(app)
    assert "unforeseen" not in words
    for command in commands:
        assert command in words


@pytest.mark.parametrize("name", ["model", "try_it", "data"])
def test_a_database_that_does_not_answer_takes_no_page_along(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATABASE, "postgresql://somebody:hidden@127.0.0.1:9/none")
    words = said(show(name))
    assert "unforeseen" not in words and "hidden" not in words


# ---- the registry ---------------------------------------------------------------------------------


def test_a_registry_that_is_away_is_said_and_the_commands_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", DEAD)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    app = show("model")
    assert any("does not answer" in one.value for one in app.warning)
    assert "python -m delivery.rollback" in said(app)


def test_a_registry_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "SECONDS", 0.05)
    monkeypatch.setattr(registry, "is_unwritten", lambda: False)
    monkeypatch.setattr(registry, "_read", lambda: time.sleep(3))
    assert "does not answer within 0.05 s" in said(show("model"))


def test_what_the_registry_refuses_is_raised_as_it_is() -> None:
    def refused() -> None:
        raise DeliveryError("of no known commit")

    with pytest.raises(DeliveryError, match="of no known commit"):
        registry.within(5.0, refused, DeliveryError("late"))


def version(number: int, **more: Any) -> dict[str, Any]:
    verdicts = [{"number": number, "event": "promoted", "version": number, "at": "2026-11-02T10:00:00+00:00"}]
    origin = {"version": number, "aliases": [], "commit": f"{number}" * 40, "run": "r", "md5": {"models": "abc.dir"}}
    known = {"params": None, "validation": "passed", "verdicts": verdicts, "commands": ["make data"], "evidence": None}
    return {**origin, **known, **more}


def entry(number: int, event: Any, which: int, previous: int | None = None, reasons: tuple[str, ...] = ()) -> Entry:
    return Entry(number, event, which, previous, "2026-11-02T10:00:00+00:00", list(reasons))


LEDGER = [entry(1, "promoted", 1), entry(2, "promoted", 2, 1), entry(3, "refused", 3, 2, ("f1",))]


def shown_model(monkeypatch: pytest.MonkeyPatch, found: Registered | None) -> str:
    monkeypatch.setattr("dashboard.pages.model.registered", lambda: found)
    app = show("model")
    assert not app.exception
    return said(app)


def test_each_version_stands_in_its_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    from dashboard.pages.model import _stages

    found = Registered(version(2), version(3), LEDGER, [1, 2, 3, 4])
    stages = {row["stage"]: row["versions"] for row in _stages(found)}
    assert stages == {"development": "4", "staging": "3", "production": "2", "archive": "1"}


def test_the_rollback_says_where_it_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Registered(version(2), None, LEDGER, [1, 2, 3])
    words = shown_model(monkeypatch, found)
    assert "from version 2 to version 1" in words
    assert "There is no challenger" in words


def test_a_first_champion_has_nothing_to_go_back_to(monkeypatch: pytest.MonkeyPatch) -> None:
    words = shown_model(monkeypatch, Registered(version(1), None, LEDGER[:1], [1]))
    assert "the present one replaced none" in words


def test_gates_are_shown_with_words_and_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    gates = [{"name": "f1", "status": "refused", "reason": "0.80 is below 0.82"}]
    found = Registered(None, version(3, evidence={"gates": gates}), LEDGER, [3])
    words = shown_model(monkeypatch, found)
    assert "✗ refused" in words and "0.80 is below 0.82" in words and "■ refused" in words


def test_a_verdict_whose_numbers_are_gone_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    words = shown_model(monkeypatch, Registered(version(1), None, LEDGER[:1], [1]))
    assert "the server no longer its numbers" in words


SHADOW = "python -m production.infer --shadow challenger"


def test_the_shadow_is_proposed_only_where_both_are_registered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    engine = empty(sqlite_url(tmp_path))
    roll_up(Place.open(engine), datetime.now(UTC))
    engine.dispose()
    monkeypatch.setenv(DATABASE, sqlite_url(tmp_path))
    for champion, challenger in ((None, None), (version(1), None), (None, version(2))):
        words = shown_model(monkeypatch, Registered(champion, challenger, [], [1, 2]))
        assert "No challenger has looked at any note" in words and SHADOW not in words
    assert SHADOW in shown_model(monkeypatch, Registered(version(1), version(2), LEDGER, [1, 2]))


@pytest.mark.parametrize(("at_work", "said_so"), [("local-23883e15391a", True), ("7", False)])
def test_the_model_of_a_folder_is_not_passed_over_in_silence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, at_work: str, said_so: bool
) -> None:
    engine = empty(sqlite_url(tmp_path))
    Hospital(engine).promote(at_work, datetime.now(UTC))
    roll_up(Place.open(engine), datetime.now(UTC))
    engine.dispose()
    monkeypatch.setenv(DATABASE, sqlite_url(tmp_path))
    words = shown_model(monkeypatch, None)
    assert "Nothing is registered yet" in words
    assert (f"Notes are looked at with version {at_work}, the model of a folder" in words) is said_so
    assert (f"**version {at_work}**, the model of a folder" in said(show("today"))) is said_so


# ---- a note is tried ------------------------------------------------------------------------------


def asked_of(monkeypatch: pytest.MonkeyPatch, host: Any) -> None:
    """Have a host that is none answer on the page."""
    model = Model("7", None, "0" * 32, Path(), Path("models"))
    loaded = Loaded(lambda: model, 1e9, lambda *_: None, lambda _: host, "dashboard")
    answering = Asked(loaded)
    monkeypatch.setattr("dashboard.pages.try_it.asked", lambda _: answering)


def tried(text: str) -> AppTest:
    app = show("try_it")
    app.text_area[0].set_value(text)
    return next(one for one in app.button if one.label == "Find mentions").click().run()


def test_mentions_are_marked_by_letter_and_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked_of(monkeypatch, FakeHost())
    words = said(tried(NOTE))
    assert "<b>D1</b>" in words and "<b>T2</b>" in words
    assert "Version 7" in words


def test_a_note_is_shown_as_text_and_never_as_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    asked_of(monkeypatch, FakeHost())
    words = said(tried("<img src=http://elsewhere.example/a.png> ![x](http://elsewhere.example) asthma"))
    assert "<img" not in words and "&lt;img" in words


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "has no text but blanks"),
        (f"{SECRET} " * 30_000, "more than inference.note_characters"),
        (SECRET * 1000, "without a blank"),
        (f"{SECRET} " * 200_000, "more than 1,000,000 bytes"),
    ],
)
def test_a_note_that_is_unfit_is_refused_without_a_word_of_it(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], text: str, why: str
) -> None:
    host = FakeHost()
    asked_of(monkeypatch, host)
    app = tried(text)
    assert why in app.warning[0].value
    assert SECRET not in said(app)
    assert not host.asked
    assert SECRET not in "".join(capfd.readouterr())


def test_a_note_that_takes_too_long_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    asked_of(monkeypatch, FakeHost(faults={NOTE: NoteFailedError("the note takes longer than 10 s", too_slow=True)}))
    app = tried(NOTE)
    assert app.warning[0].value == "the note takes longer than 10 s: try a shorter part of it"


def test_an_unforeseen_error_shows_no_word_of_the_note(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    asked_of(monkeypatch, FakeHost(faults={NOTE: ValueError(f"cannot read {NOTE}")}))
    app = tried(NOTE)
    assert "unforeseen ValueError" in app.error[0].value
    assert SECRET not in said(app)
    assert SECRET not in "".join(capfd.readouterr())


def test_without_a_model_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    model_process.asked.clear()
    assert "make repro" in tried(NOTE).warning[0].value


def test_the_note_goes_to_the_explanation_through_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others on the machine see the words of a command."""
    seen: dict[str, Any] = {}

    class Done:
        returncode, stdout, stderr = 0, b"[]", b""

    def run(command: list[str], **given: Any) -> Done:
        seen.update(given, command=command)
        return Done()

    monkeypatch.setattr("dashboard.model_process.subprocess.run", run)
    assert model_process.explain(NOTE, Path("models")) == []
    assert SECRET not in " ".join(seen["command"])
    assert seen["input"] == NOTE.encode()


# ---- marks ----------------------------------------------------------------------------------------


def test_labels_that_begin_alike_have_letters_of_their_own() -> None:
    letters = letters_of(["Disease", "Treatment", "Dose", "Do"])
    assert len(set(letters.values())) == 4


def test_a_suggestion_within_a_mention_leaves_the_text_whole() -> None:
    text = "severe asthma today"
    found = Found(
        (FoundMention(0, 13, "Disease", 0.9, True, "present"),),
        (FoundMention(7, 13, "Disease", 0.3, False, "present"), FoundMention(14, 19, "Disease", 0.3, False, "present")),
        False, 1, 3, 0.0,
    )  # fmt: skip
    cut = list(pieces(text, found, ["Disease"]))
    assert "".join(piece.text for piece in cut) == text
    assert [piece.mark for piece in cut if piece.kind] == ["D1", "D?"]


def test_an_unknown_label_is_marked_by_its_name() -> None:
    found = Found((FoundMention(0, 4, "Dose", 0.9, False, "present"),), (), False, 1, 1, 0.0)
    assert "Dose1" in marked("5 mg", found, ["Disease"])


# ---- the record -----------------------------------------------------------------------------------


def test_the_record_is_searched(monkeypatch: pytest.MonkeyPatch, empty_folder: Path) -> None:
    from production.record.notes import Note
    from production.record.table import RECORD, build_record
    from stages.common.files import write_table

    class Words:
        def extract(self, text: str) -> Any:
            return FakeHost().extract(text, 1.0)

    notes = [Note(str(number), "Gout. Start allopurinol.") for number in range(8)]
    notes += [Note(f"o{number}", "Asthma. Start aspirin.") for number in range(8)]
    write_table(empty_folder / "record.parquet", build_record(notes, Words()), RECORD)  # type: ignore[arg-type]
    app = show("try_it")
    words = said(app.text_input[0].set_value("what treats gout?").run())
    assert "allopurinol" in words and "aspirin" not in words and "no proof" in words
    words = said(app.text_input[0].set_value("what treats plague?").run())
    assert "does not know “plague”" in words


# ---- data -----------------------------------------------------------------------------------------


def test_agreement_and_gate_are_shown_where_they_are(empty_folder: Path) -> None:
    figure = {"value": 0.9, "low": 0.8, "high": 0.95}
    scores = {"all": {name: {"mean": figure, "pairs": {}} for name in ("strict", "lenient", "kappa")}}
    agreed = {"agreement": scores, "shared_documents": 30, "places_marked": 100, "places_disputed": 9}
    for name, content in (
        ("reports/agreement.json", agreed),
        ("metrics/validation.json", json.loads((ROOT / "metrics/validation.json").read_text(encoding="utf-8"))),
    ):
        (empty_folder / name).parent.mkdir(exist_ok=True)
        (empty_folder / name).write_text(json.dumps(content), encoding="utf-8")
    words = said(show("data"))
    assert "0.900 (0.800 to 0.950)" in words and "Annotators, on 30 notes" in words
    assert "✓ The data passed the gate" in words


def test_long_text_of_a_table_keeps_a_width_that_can_be_read() -> None:
    """On a telephone its column was a word wide and the page twelve screens long."""

    def page() -> None:
        from dashboard.parts import table

        table([{"what": "a", "short": "some", "why": "a reason of many words " * 5, "n": 1}], "Things")

    body = AppTest.from_function(page).run().get("html")[0].proto.body
    assert body.count('<td class="bh-long">') == 1 and '<td class="bh-long">a reason' in body


def test_a_table_shows_text_as_text() -> None:
    def page() -> None:
        from dashboard.parts import table

        table([{"a": "![x](http://elsewhere.example)<b>", "n": 1234, "none": None, "yes": True}], "Some <things>")

    body = AppTest.from_function(page).run().get("html")[0].proto.body
    assert "&lt;b&gt;" in body and "Some &lt;things&gt;" in body and "1,234" in body and ">yes<" in body

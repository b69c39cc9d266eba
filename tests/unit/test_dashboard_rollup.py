"""The pages that read the roll-up: what they show, what they say is missing, and how old they say it is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, text
from streamlit.testing.v1 import AppTest

from dashboard import rolled as reading_room
from dashboard.pages.quality import DRAWN, _unread
from dashboard.pages.today import ERRORS, HOURS, _sign
from dashboard.wording import followed
from production.database.engine import writing
from production.database.rollup_tables import ROLLUPS
from production.database.schema import NOTE_TEXTS, NOTES
from production.rollup import keeping
from production.rollup.keeping import roll_up
from production.rollup.reading import SHAPE, read
from stages.evaluate import kpi
from tests.production import empty, sqlite_url
from tests.repository import ROOT
from tests.rolled_year import NOW, at, lived, place_of, unheard
from tests.served import Hospital

PAGES = ("today", "drift", "quality")
COMMAND = "python -m production.rollup"
SECONDS = 60
EVIL = "![x](http://evil.example/a.png)"

Opened = Callable[[str], AppTest]


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = lived(tmp_path_factory.mktemp("year"))
    roll_up(place_of(engine), NOW)
    yield engine
    engine.dispose()


@pytest.fixture
def new(tmp_path: Path) -> Iterator[Engine]:
    """An empty SQLite database: what a page reads is the same on both kinds (`test_rollup`)."""
    engine = empty(sqlite_url(tmp_path))
    yield engine
    engine.dispose()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Callable[[Engine, str], AppTest]:
    def run(engine: Engine, page: str) -> AppTest:
        at(monkeypatch, engine)
        test = AppTest.from_string(f"from dashboard.pages.{page} import page\npage()", default_timeout=SECONDS).run()
        assert not test.exception
        return test

    return run


def words(test: AppTest) -> str:
    """Return all that a page says, but for its charts."""
    parts = (test.markdown, test.caption, test.info, test.warning, test.error, test.success, test.title, test.header)
    html = [one.proto.body for one in test.get("html")]
    return "\n".join([*(str(one.value) for part in parts for one in part), *html])


def commands(test: AppTest) -> list[str]:
    return [one.value for one in test.code]


def charts(test: AppTest) -> list[Any]:
    return list(test.get("vega_lite_chart"))


@pytest.mark.parametrize("page", PAGES)
def test_without_a_roll_up_a_page_names_the_command(opened: Any, new: Engine, page: str) -> None:
    test = opened(new, page)
    assert commands(test) == [COMMAND]
    assert "Nothing was rolled up yet" in words(test)


@pytest.mark.parametrize(("page", "command"), [
    ("today", "python -m production.infer"), ("drift", "python -m production.watch run"),
    ("quality", "python -m production.infer"),
])  # fmt: skip
def test_an_empty_database_names_what_fills_it(opened: Any, new: Engine, page: str, command: str) -> None:
    roll_up(place_of(new), datetime.now(UTC))
    test = opened(new, page)
    assert command in commands(test)
    assert not test.error


@pytest.mark.parametrize("missing", ["file", "tables"])
def test_without_a_database_the_first_page_names_what_makes_it(
    monkeypatch: pytest.MonkeyPatch, new: Engine, missing: str
) -> None:
    at(monkeypatch, new)
    if missing == "file":
        new.dispose()
        Path(str(new.url.database)).unlink()
    else:
        with writing(new) as connection:
            connection.execute(text("DROP TABLE alembic_version"))
    test = AppTest.from_file(str(ROOT / "dashboard/entry/streamlit_app.py"), default_timeout=SECONDS).run()
    (error,) = test.error
    assert "python -m production.database build" in error.value
    assert commands(test) == ["python -m production.database build"]  # with the button that copies it


def test_today_says_what_is_saved_served_and_decided(opened: Any, year: Engine) -> None:
    test = opened(year, "today")
    figures = {one.label: one.value for one in test.metric}
    assert figures["Served"] == "1,500"
    assert int(figures["Hours saved per 1,000 notes"]) > 0
    assert int(figures["Errors saved per 1,000 mentions"]) < 0
    said = words(test)
    assert "**Measured** from" in said
    assert "below 0: errors are added" in said
    assert "ASSUMED" in said  # the minutes of typing
    assert "version 1" in said
    assert "open alert, drift" in said
    assert "fewer accepted mentions are right than was promised" in said
    assert "The next decision is due at **2026-02-23 00:15 UTC**" in said
    assert "python -m production.watch status" in commands(test)


def test_assumed_figures_are_marked_as_such(opened: Any, new: Engine) -> None:
    roll_up(place_of(new), datetime.now(UTC))
    said = words(opened(new, "today"))
    assert "**Assumed**, not measured" in said
    assert said.count("ASSUMED") == 3


def test_what_a_manager_reads_says_by_hand_with_it_and_how_sure(opened: Any, year: Engine) -> None:
    said = words(opened(year, "today"))
    assert re.search(r"By hand, 1,000 notes take \d+ hours; with the extractor \d+\.", said)
    assert "intervals of 95%" in said
    assert "evaluate.kpi" in said.replace("\\", "")


@pytest.mark.parametrize(("low", "high", "said"), [(-3, 9, "cannot be told"), (-9, -1, "are added"), (1, 9, "")])
def test_errors_that_may_be_added_are_not_sold_as_saved(low: float, high: float, said: str) -> None:
    found = {ERRORS: (low + high) / 2, f"{ERRORS}_low": low, f"{ERRORS}_high": high}
    assert said in _sign(found)
    assert bool(said) is bool(_sign(found))


@pytest.mark.parametrize("page", ["today", "drift"])
def test_before_the_first_window_is_over_no_command_is_said_to_bring_it_now(
    opened: Any, new: Engine, page: str
) -> None:
    now = datetime.now(UTC)
    Hospital(new).promote("1", now)
    roll_up(place_of(new), now)
    assert "The first one can be at" in words(opened(new, page))


def test_audits_that_wait_are_to_be_read_and_not_planned_again(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr("dashboard.pages.quality.st.info", shown.append)
    count = {"stream": "audit", "open": 3, "claimed": 1}
    _unread("Nothing is known.", {"counts": [count, {**count, "stream": "work"}]})
    assert shown == ["Nothing is known. To be read on the page Review: 4 notes of the audit."]


def test_notes_that_wait_are_counted_when_the_page_is_opened(opened: Any, new: Engine) -> None:
    roll_up(place_of(new), datetime.now(UTC))
    with writing(new) as connection:
        note = {"note_id": 1, "source": "ward", "source_id": "1", "current_hash": "h"}
        connection.execute(insert(NOTES).values(note))
        kept = {"note_id": 1, "text_hash": "h", "text": "gout", "metadata": {}, "received_at": NOW, "pending": True}
        connection.execute(insert(NOTE_TEXTS).values(kept))
    waiting = [one.value for one in opened(new, "today").metric if one.label == "Waiting now"]
    assert waiting == ["1"]


def test_people_were_told_only_where_there_is_somebody_to_tell() -> None:
    alert = {"kind": "alert", "number": 8, "why": "", "told": True}
    assert followed({"follows": [alert], "acts": True}) == "people were told, decision 8"
    unheard = {"follows": [{**alert, "told": False}], "acts": False}
    assert followed(unheard) == "nobody was told, for there is no address, decision 8; not acted on"


def test_drift_shows_columns_kinds_of_notes_and_decisions(opened: Any, year: Engine) -> None:
    test = opened(year, "drift")
    column, kind = test.selectbox
    assert column.value == "speciality"  # which deviates most
    assert len(charts(test)) == 2
    said = words(test)
    assert "Deviation of speciality in" in said
    assert "Bands\\: watch from 2%, retrain from 5%, alert from 8%, redevelop from 10%" in said
    assert "nobody was told, for there is no address" in said
    other = column.select("tokens").run()
    assert "Deviation of tokens in" in words(other)
    assert kind.options[0].startswith("speciality: ")


def test_every_chart_has_its_words_and_its_table(opened: Any, year: Engine) -> None:
    for page, number in (("drift", 2), ("quality", 5)):
        test = opened(year, page)
        assert len(charts(test)) == number
        for one in charts(test):
            assert '"description"' in one.proto.spec
        assert len([one for one in test.expander if one.label.endswith(": the figures")]) == number


def test_shapes_tell_what_colours_tell(opened: Any, year: Engine) -> None:
    for page in ("drift", "quality"):
        for one in charts(opened(year, page)):
            assert '"shape"' in one.proto.spec


def test_quality_holds_the_precision_against_the_promise(opened: Any, year: Engine) -> None:
    test = opened(year, "quality")
    (error,) = test.error
    assert error.value.startswith("The promise that 95% of the accepted mentions are right is broken")
    said = words(test)
    assert "Promised\\: 95%" in said
    assert "Precision of accepted mentions in 2 months" in said
    assert "Disease" in said
    assert [one.label for one in test.metric] == ["Precision of accepted mentions", "Strict F1", "Recall"]
    by_speciality = test.selectbox[0].select("speciality").run()
    assert "cardiology" in words(by_speciality)


@pytest.mark.parametrize("page", PAGES)
def test_a_subject_that_could_not_be_computed_is_an_error_and_no_figure(
    opened: Any, new: Engine, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    def fails(*_: object) -> dict[str, Any]:
        raise ValueError("known asthma")

    monkeypatch.setattr(keeping, "SUBJECTS", {page: fails})
    roll_up(place_of(new), datetime.now(UTC))
    test = opened(new, page)
    (error,) = test.error
    assert "could not be computed" in error.value
    assert "asthma" not in error.value
    assert commands(test) == [COMMAND]
    assert not test.metric


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(("hours", "stale"), [(1, False), (25, True)])
def test_old_figures_are_called_old(opened: Any, new: Engine, page: str, hours: int, stale: bool) -> None:
    roll_up(place_of(new), datetime.now(UTC) - timedelta(hours=hours))
    test = opened(new, page)
    assert ("1 day ago" if stale else "1 hour ago") in test.caption[0].value
    assert any("older than a day" in one.value for one in test.warning) == stale
    assert (COMMAND in commands(test)) == stale


def test_figures_of_before_the_last_decision_are_called_overtaken(opened: Any, new: Engine, tmp_path: Path) -> None:
    unheard(new, tmp_path)  # is decided on at a day of the year
    roll_up(place_of(new), NOW - timedelta(days=365))
    assert any("Something was decided since" in one.value for one in opened(new, "drift").warning)
    roll_up(place_of(new), datetime.now(UTC))
    test = opened(new, "drift")
    assert not test.warning
    assert "It could not be measured in any window: tokens is missing in the window" in words(test)


def test_names_from_outside_are_shown_as_they_stand(opened: Any, new: Engine) -> None:
    roll_up(place_of(new), datetime.now(UTC))
    with writing(new) as connection:
        content = {"fault": "![x](http://evil.example/a.png)"}
        connection.execute(ROLLUPS.update().values(content=content))
    (error,) = opened(new, "today").error
    assert "![" not in error.value


SUBJECTS = {"today": ("today", "data"), "drift": ("drift",), "quality": ("quality", "data"), "shadow": ("model",),
            "reviewers": ("data",)}  # fmt: skip


@pytest.mark.parametrize(("subject", "page"), [(name, page) for name, pages in SUBJECTS.items() for page in pages])
@pytest.mark.parametrize("content", [{}, [], {"shape": 0, "kpi": {}}, {"shape": SHAPE + 1}])
def test_what_another_version_of_the_code_rolled_up_is_said_with_the_command(
    opened: Any, new: Engine, subject: str, page: str, content: Any
) -> None:
    roll_up(place_of(new), datetime.now(UTC))
    with writing(new) as connection:
        connection.execute(ROLLUPS.update().where(ROLLUPS.c.name == subject).values(content=content))
    test = opened(new, page)
    said = words(test)
    assert "of another version of the code" in said and COMMAND in commands(test)
    assert "unforeseen" not in said


def test_a_roll_up_of_a_time_to_come_is_no_news(opened: Any, new: Engine) -> None:
    roll_up(place_of(new), datetime.now(UTC) + timedelta(hours=5))
    test = opened(new, "drift")
    assert any("some clock is wrong" in one.value for one in test.warning)
    assert COMMAND in commands(test)


def changed(engine: Engine, subject: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Have a roll-up say something else."""
    kept = read(engine, subject)
    assert kept
    change(kept.content)
    with writing(engine) as connection:
        connection.execute(ROLLUPS.update().where(ROLLUPS.c.name == subject).values(content=kept.content))


def test_a_kind_of_note_is_no_markup(opened: Any, year: Engine) -> None:
    roll_up(place_of(year), NOW)

    def named(content: dict[str, Any]) -> None:
        deviates = next(one for one in content["slices"].values() if any(one["deviation"]))
        content["slices"] = {f"speciality={EVIL}": deviates}

    changed(year, "drift", named)
    test = opened(year, "drift")
    headings = [*(one.value for one in test.subheader), *(one.label for one in test.expander)]
    assert any("evil" in one for one in headings)
    assert not any(EVIL in one for one in headings)
    roll_up(place_of(year), NOW)


RAW = "retrain_and_alert"


def test_people_read_words_and_not_the_names_of_programs(opened: Any, year: Engine) -> None:
    roll_up(place_of(year), NOW)

    def today(content: dict[str, Any]) -> None:
        content["decision"] |= {"decision": RAW, "harmed": False, "reasons": [f"tokens deviates by 9%: {RAW}"]}
        content["alerts"] = [{**one, "topic": topic, "decision": RAW} for one in content["alerts"][:1]
                             for topic in ("drift", "data_pipeline")]  # fmt: skip

    def drift(content: dict[str, Any]) -> None:
        for one in content["windows"]:
            one |= {"decision": RAW, "harmed": False, "reasons": [f"tokens deviates by 9%: {RAW}"]}
        content["columns"] = {"unknown_tokens": {**content["columns"]["speciality"]}}
        content["columns"]["unknown_tokens"]["band"] = [RAW for _ in content["columns"]["unknown_tokens"]["band"]]

    changed(year, "today", today)
    changed(year, "drift", drift)
    for page in ("today", "drift"):
        test = opened(year, page)
        said = "\n".join(
            [words(test), *(one.proto.spec for one in charts(test)), *(one.label for one in test.expander)]
        )
        assert "retrain and alert" in said
        assert not re.search(r"retrain\\*_and|unknown\\*_tokens", said)
    assert test.selectbox[0].options == ["unknown tokens"]
    assert "data\\_pipeline: failed" in words(opened(year, "today")).replace("\\:", ":")
    roll_up(place_of(year), NOW)


def test_names_of_bands_stand_beside_each_other(opened: Any, year: Engine) -> None:
    """Where the deviation is large, two lines are closer than a line of text."""
    spec = json.loads(charts(opened(year, "drift"))[0].proto.spec)
    places = [one["encoding"]["x"]["value"] for one in spec["layer"] if one["mark"]["type"] == "text"]
    assert len(places) == 4 and all(later - one >= 50 for one, later in pairwise(places))


def test_of_thousands_of_kinds_the_lowest_are_drawn(opened: Any, year: Engine) -> None:
    roll_up(place_of(year), NOW)

    def more(content: dict[str, Any]) -> None:
        kinds = content["known"]["slices"]
        one = next(found for name, found in kinds.items() if name.startswith("speciality="))
        content["known"]["slices"] = {f"speciality={number:04}": one for number in range(2000)}

    changed(year, "quality", more)
    test = opened(year, "quality")
    by_kind = json.loads(charts(test)[3].proto.spec)
    assert by_kind["height"] == 120 + 60 * DRAWN
    assert "1,970 kinds more" in words(test)
    roll_up(place_of(year), NOW)


def test_names_of_figures_are_those_of_the_kpi() -> None:
    assert (HOURS, ERRORS) == (kpi.HOURS, kpi.ERRORS)


def test_the_command_is_the_same_on_all_pages() -> None:
    assert reading_room.COMMAND == COMMAND

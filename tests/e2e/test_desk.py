"""The validation team's desk in a real browser: notes reviewed by keyboard alone, and what the database has of it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from sqlalchemy import Engine, delete, update

from dashboard.desk.reviewer import REVIEWER_HEADER
from production.database.engine import writing
from production.database.review_tables import REVIEW_DRAFTS, REVIEW_SPANS, REVIEW_TASKS, REVIEWS
from production.database.schema import METADATA
from production.inference.host import Found, FoundMention
from production.notes.records import Incoming
from production.notes.storing import add
from production.review.claiming import next_task
from stages.common.variables import DATABASE, LOG_KEY
from tests.browsers import (
    DESK,
    PHONE,
    Heard,
    browser,
    faults,
    is_as_the_system_asks,
    is_wider,
    needs_axe,
    needs_browser,
)
from tests.dashboards import PROBES, dashboard, open_page
from tests.production import KEY, PARAMS, FakeHost, empty, sqlite_url, worker
from tests.unit.test_review import ALL, ANNA, BEN, planned, rows

pytestmark = [pytest.mark.slow, needs_browser]

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
"""One character to a person, five code points, eight units of UTF-16."""
CHANGED = "Known asthma. Start aspirin 100 mg. No gout today."
WRONG = "Mrs Gout has aspirin."
MISSED = f"Well \U0001f600. Diabetes mellitus {FAMILY} and fie\u0300vre since."
HOSTILE = "Gout <img src=x onerror='window.hurt=1'><script>window.hurt=1</script> &amp; </div> asthma."


@dataclass
class Office:
    """A served dashboard, its database, and people who come to it."""

    address: str
    engine: Engine
    browser: Browser
    log: Path

    def fill(self, *texts: str, found: Mapping[str, Found] | None = None) -> None:
        """Begin anew with some notes, all of them drawn for the audit."""
        with writing(self.engine) as connection:
            for table in reversed(METADATA.sorted_tables):
                connection.execute(delete(table))
        told = {"sex": None, "note_type": "<b>letter</b>"}
        add(self.engine, [Incoming(f"<i>{number}</i>", text, told) for number, text in enumerate(texts)], "s")
        params = PARAMS.model_copy(update={"note_characters": 200_000})
        worker(self.engine, FakeHost(faults=dict(found or {})), params=params).run()
        planned(self.engine)

    @contextmanager
    def desk(self, name: str | None = "Anna", **options: Any) -> Iterator[Page]:
        """Sit down at the desk in a window of one's own, which closes with the block."""
        context = self.browser.new_context(viewport=options.pop("viewport", DESK), **options)
        try:
            page = context.new_page()
            if name is not None:
                begin(page, self.address, name)
            yield page
        finally:
            context.close()

    def spans(self) -> list[tuple[Any, ...]]:
        """Return what was decided: kind, number, decision, and what is right."""
        return [tuple(row)[2:] for row in rows(self.engine, REVIEW_SPANS)]


def begin(page: Page, address: str, name: str) -> None:
    open_page(page, address, "review")
    page.get_by_role("textbox", name="Your name").fill(name)
    page.get_by_role("button", name="Begin").click()
    expect(note(page)).to_be_focused(timeout=30_000)


@contextmanager
def served(chromium: Browser, folder: Path, **environment: str) -> Iterator[Office]:
    """Serve a desk on a database of its own."""
    engine = empty(sqlite_url(folder))
    known = {name: value for name, value in os.environ.items() if name not in (DATABASE, LOG_KEY, REVIEWER_HEADER)}
    settings = {**known, DATABASE: sqlite_url(folder), LOG_KEY: KEY, **environment}
    log = folder / "dashboard.log"
    try:
        with dashboard(settings, log) as address:
            yield Office(address, engine, chromium, log)
    finally:
        engine.dispose()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def office(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """One server for all tests: each fills its database anew."""
    with served(chromium, tmp_path_factory.mktemp("office")) as office:
        yield office


def note(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Note.")


def said(page: Page) -> Locator:
    return page.locator(".desk [role=status]")


def options(page: Page) -> Locator:
    return page.get_by_role("listbox", name="Spans").get_by_role("option")


def names(page: Page) -> list[str]:
    return [str(one.get_attribute("aria-label")) for one in options(page).all()]


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def kept(page: Page) -> None:
    expect(page.locator(".desk .kept")).to_have_text("kept")


def span(text: str, word: str, label: str = "Disease", *, accepted: bool = True) -> FoundMention:
    start = text.index(word)
    return FoundMention(start, start + len(word), label, 0.75, accepted, "present")


def test_three_notes_are_reviewed_by_keyboard_alone(office: Office) -> None:
    def changed(page: Page) -> None:
        press(page, "a", "]", "]", "j", "s")

    def wrong(page: Page) -> None:
        press(page, "r", "1")

    def missed(page: Page) -> None:
        press(page, *["ArrowRight"] * 8, "Control+Shift+ArrowRight", "Control+Shift+ArrowRight", "n")
        press(page, "Control+End", *["ArrowLeft"] * 7, "n", "2", "s", "s")  # the word at the caret

    by_text = {CHANGED: changed, WRONG: wrong, MISSED: missed}
    office.fill(CHANGED, WRONG, MISSED)
    with office.desk() as page:
        for left in (3, 2, 1):
            expect(note(page)).to_be_focused()
            text = str(note(page).evaluate("node => node.textContent"))
            by_text.pop(text)(page)
            page.keyboard.press("Control+Enter")
            page.get_by_text(f"Handed in as review {4 - left}.").wait_for()
        page.get_by_text("You today: 3 notes").wait_for()
        found = set(office.spans())
        seconds = [row.seconds for row in rows(office.engine, REVIEWS)]
    aspirin, mellitus, fever = CHANGED.index("aspirin"), MISSED.index("Diabetes"), MISSED.index("fie")
    assert found == {
        ("mention", 0, "accept", *right(CHANGED, "asthma", "Disease")),
        ("mention", 1, "change", aspirin, CHANGED.index(". No"), "Treatment", "present"),
        ("mention", 2, "change", *right(CHANGED, "gout", "Disease", "negated")),
        ("mention", 0, "reject", None, None, None, None),
        ("mention", 1, "change", *right(WRONG, "aspirin", "Disease")),
        ("missed", None, "missed", mellitus, mellitus + len("Diabetes mellitus"), "Disease", "present"),
        ("missed", None, "missed", fever, fever + len("fie\u0300vre"), "Treatment", "possible"),
    }
    assert all(0 < one < 60 for one in seconds)
    assert {row.reviewer for row in rows(office.engine, REVIEWS)} == {ANNA}
    assert not any(word in office.log.read_text() for word in ("asthma", "Gout", "Anna"))


def right(text: str, word: str, label: str, assertion: str = "present") -> tuple[int, int, str, str]:
    start = text.index(word)
    return start, start + len(word), label, assertion


def test_by_mouse_and_by_buttons(office: Office) -> None:
    text = "\U0001f600 Known asthma, cough."
    office.fill(text)
    with office.desk(viewport=PHONE, has_touch=True) as page:
        page.get_by_role("button", name="Reject").tap()
        place = page.evaluate(
            """() => {
                const node = document.querySelector('.desk .text').lastChild;
                const range = document.createRange();
                range.setStart(node, node.length - 5);
                range.setEnd(node, node.length - 4);
                const box = range.getBoundingClientRect();
                return [box.x + box.width / 2, box.y + box.height / 2];
            }"""
        )
        page.mouse.dblclick(*place)
        page.get_by_role("button", name="Missed: selected words").click()
        assert names(page)[1] == "cough, Disease, added by you, right"
        page.get_by_role("button", name="Start earlier").tap()
        assert names(page)[1].startswith(", cough")
        page.get_by_role("button", name="Undo").tap()
        page.get_by_role("button", name="Done").tap()
        page.get_by_text("No note is waiting").wait_for()
        assert not is_wider(page)
    assert office.spans() == [
        ("mention", 0, "reject", None, None, None, None),
        ("missed", None, "missed", *right(text, "cough", "Disease")),
    ]


def test_pauses_do_not_count(office: Office) -> None:
    office.fill("Known asthma.")
    with office.desk(None) as page:
        page.clock.install()
        begin(page, office.address, "Anna")
        page.clock.fast_forward("45:00")  # away: of a silence, review.pause_seconds count
        press(page, "a")
        page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        page.clock.fast_forward(50_000)  # another tab: nothing of it counts
        page.evaluate("Object.defineProperty(document, 'hidden', {value: false, configurable: true})")
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        page.clock.fast_forward(20_000)
        press(page, "Control+Enter")
        page.get_by_text("No note is waiting").wait_for()
    (seconds,) = [row.seconds for row in rows(office.engine, REVIEWS)]
    assert 80 <= seconds < 110  # 60 and 20, and what the test itself takes


def test_a_page_that_is_closed_loses_nothing(office: Office) -> None:
    text = f"{FAMILY} Known asthma, aspirin and gout, cough."
    office.fill(text)
    with office.desk() as page:
        press(page, "a", "r", "s", "Control+End", "ArrowLeft", "Control+Shift+ArrowLeft", "n", "2")
        before = names(page)
        kept(page)
    (draft,) = rows(office.engine, REVIEW_DRAFTS)
    assert "asthma" not in str(draft)
    with writing(office.engine) as connection:  # the evening has gone by
        connection.execute(update(REVIEW_TASKS).values(claimed_until=datetime.now(UTC) - timedelta(hours=9)))
    with office.desk() as page:
        assert names(page) == before
        press(page, "Control+Enter")
        page.get_by_text("No note is waiting").wait_for()
    assert set(office.spans()) == {
        ("mention", 0, "accept", *right(text, "asthma", "Disease")),
        ("mention", 1, "reject", None, None, None, None),
        ("mention", 2, "change", *right(text, "gout", "Disease", "negated")),
        ("missed", None, "missed", *right(text, "cough", "Treatment")),
    }
    assert rows(office.engine, REVIEW_DRAFTS) == []


def test_two_people_never_have_one_note(office: Office) -> None:
    office.fill(CHANGED, WRONG)
    with (
        office.desk("Anna") as one,
        office.desk("Ben") as other,
    ):
        assert {note(page).evaluate("node => node.textContent") for page in (one, other)} == {CHANGED, WRONG}
        expect(one.locator(".desk header")).to_contain_text("Yours until")
        with office.desk(None) as third:
            open_page(third, office.address, "review")
            third.get_by_role("textbox", name="Your name").fill("Cleo")
            third.get_by_role("button", name="Begin").click()
            third.get_by_text("No note is waiting").wait_for()
    assert {row.reviewer for row in rows(office.engine, REVIEW_TASKS)} == {ANNA, BEN}


def test_a_second_window_of_the_same_person_writes_nothing_twice(office: Office) -> None:
    office.fill("Gout 1.", "Gout 2.")
    with office.desk() as one, office.desk("anna ") as two:
        text = note(one).evaluate("node => node.textContent")
        assert note(two).evaluate("node => node.textContent") == text
        press(one, "r")
        kept(one)
        press(two, "a")
        expect(said(two)).to_contain_text("open in another window")
        press(one, "Control+Enter")
        expect(said(one)).to_contain_text("Handed in as review 1.")
        press(two, "Control+Enter")
        expect(said(two)).to_contain_text("The next note.")
        assert note(two).evaluate("node => node.textContent") != text
        assert [row[2] for row in office.spans()] == ["reject"]
        press(two, "a")
        kept(two)
        press(two, "Control+Enter")
        two.get_by_text("No note is waiting").wait_for()
        press(one, "Control+Enter")
        expect(said(one)).to_contain_text("Not yet")
        press(one, "a", "Control+Enter")
        expect(said(one)).to_contain_text(re.compile("handed in before|not yours any more"))
    assert len(rows(office.engine, REVIEWS)) == 2


def test_done_twice_at_once_is_one_review(office: Office) -> None:
    office.fill("Gout 1.", "Gout 2.")
    with office.desk() as page:
        press(page, "a", "Control+Enter", "Control+Enter", "Control+Enter")
        expect(said(page)).to_contain_text("not decided")
        assert len(rows(office.engine, REVIEWS)) == 1


def test_a_note_that_another_person_took_is_not_handed_in(office: Office) -> None:
    office.fill("Gout 1.")
    with office.desk() as page:
        press(page, "a")
        kept(page)
        with writing(office.engine) as connection:
            connection.execute(update(REVIEW_TASKS).values(claimed_until=datetime.now(UTC) - timedelta(hours=1)))
        assert next_task(office.engine, BEN, datetime.now(UTC), ALL) is not None
        press(page, "Control+Enter")
        expect(said(page)).to_contain_text("in another person's hands")
        press(page, "r")
        expect(said(page)).to_contain_text("Nothing more is kept")
        press(page, "Control+Enter")
        page.get_by_text("No note is waiting").wait_for()
    assert rows(office.engine, REVIEWS) == []


def test_the_letters_at_a_span_stay_on_the_line_of_its_first_word(office: Office) -> None:
    words = [f"disease{'s' * (number % 7)}-{number}" for number in range(40)]
    text = " and ".join(words)
    office.fill(text, found={text: Found(tuple(span(text, word) for word in words), (), False, 1, 80, 0.0)})
    lines = "marks => marks.map((mark) => mark.querySelector('.beginning').getClientRects().length)"
    with office.desk(viewport=PHONE) as page:
        assert page.locator(".desk .mark").evaluate_all(lines) == [1] * 40


def test_a_click_on_a_mark_takes_its_span_whatever_was_selected_before(office: Office) -> None:
    text = "Gout and asthma, tired."
    office.fill(text)
    with office.desk() as page:
        asthma = page.locator(".desk .mark", has_text="asthma")
        press(page, "Control+Home", "Control+Shift+End")
        asthma.click(delay=100)  # within what is selected
        expect(said(page)).to_contain_text("2 of 2: asthma")
        press(page, "k", "Control+Home", "Control+Shift+ArrowRight")
        asthma.click()  # quicker than the browser tells of the selection
        expect(said(page)).to_contain_text("2 of 2: asthma")
        press(page, "k")
        asthma.dblclick()  # this selects its word
        page.get_by_role("button", name="Missed: selected words").click()
        expect(said(page)).to_contain_text("Added: asthma")


def test_what_is_not_decided_is_not_handed_in(office: Office) -> None:
    text = "Gout and asthma, doubtful."
    found = Found(
        (span(text, "Gout"), span(text, "asthma", accepted=False)),
        (span(text, "doubtful", accepted=False),),
        False,
        1,
        4,
        0.0,
    )
    office.fill(text, found={text: found})
    with office.desk() as page:
        assert names(page) == [
            "Gout, Disease, accepted by the model, not decided",
            "asthma, Disease, to check, not decided",
            "doubtful, Disease, suggested, not decided",
        ]
        press(page, "a")
        kept(page)
        press(page, "u")  # what was kept can be taken back
        expect(said(page)).to_contain_text("Taken back.")
        tags = page.locator(".desk .mark [data-tag]").evaluate_all("marks => marks.map((mark) => mark.dataset.tag)")
        assert tags == ["D", "D?", "(D)"]
        press(page, "Control+Enter")
        expect(said(page)).to_contain_text("2 mentions not decided")
        press(page, "j", "r", "A", "g")
        expect(said(page)).to_contain_text("press g again")
        press(page, "Control+Enter")
        page.get_by_text("No note is waiting").wait_for()
    assert [row[:3] for row in office.spans()] == [
        ("mention", 0, "accept"), ("mention", 1, "reject"), ("suggestion", 0, "reject"),
    ]  # fmt: skip


def test_overlapping_spans_are_told_apart(office: Office) -> None:
    text = "Acute gout of the toe."
    inner, outer = span(text, "gout"), span(text, "Acute gout of", accepted=False)
    found = Found((inner,), (outer,), False, 1, 5, 0.0)
    office.fill(text, found={text: found})
    with office.desk() as page:
        assert note(page).evaluate("node => node.textContent") == text
        press(page, "a", "a", "Control+Enter")
        expect(said(page)).to_contain_text("overlap")
        press(page, "k", "}", "}", "Control+Enter")
        page.get_by_text("No note is waiting").wait_for()
    assert [row[:3] for row in office.spans()] == [("mention", 0, "accept"), ("suggestion", 0, "change")]
    assert office.spans()[1][3:5] == (0, 5)


def test_a_note_is_text_whatever_it_holds(office: Office) -> None:
    office.fill(HOSTILE)
    with office.desk() as page:
        assert note(page).evaluate("node => node.textContent") == HOSTILE
        assert page.locator(".desk :is(img, script, i)").count() == 0
        expect(page.locator(".desk header")).to_contain_text("s/<i>0</i>")
        expect(page.locator(".desk header")).to_contain_text("note_type: <b>letter</b>")
        assert page.evaluate("window.hurt") is None
        page.keyboard.type("xyz \n")  # it can be read and selected, and not written
        page.keyboard.press("Backspace")
        page.keyboard.press("Control+x")
        assert note(page).evaluate("node => node.textContent") == HOSTILE


def test_a_long_note(office: Office) -> None:
    text = f"{FAMILY} gout " + "word " * 19_990 + "asthma cough"
    office.fill(text)
    with office.desk() as page:
        press(page, "a", "a", "Control+End", "Control+Shift+ArrowLeft", "n")
        kept(page)
        press(page, "Control+Enter")
        page.get_by_text("No note is waiting").wait_for()
    assert [row[3:5] for row in office.spans()] == [right(text, word, "")[:2] for word in ("gout", "asthma", "cough")]


def test_ends_move_by_what_a_person_sees(office: Office) -> None:
    text = f"a{FAMILY} gout e\u0301."
    office.fill(text)
    with office.desk() as page:
        press(page, "w", "]", "[", "[")  # over the blanks to a whole character
        assert names(page) == [f"a{FAMILY} gout e\u0301, Disease, accepted by the model, right as changed"]
        press(page, "{", "}", "}", "}")
        assert names(page) == [f"{FAMILY} go, Disease, accepted by the model, right as changed"]
        press(page, "0")
        assert names(page) == ["gout, Disease, accepted by the model, not decided"]
        press(page, "u", "Control+Enter")
        page.get_by_text("No note is waiting").wait_for()
    assert [row[2:5] for row in office.spans()] == [("change", 1, text.index("ut "))]


def test_what_is_given_back_comes_last(office: Office) -> None:
    office.fill("Gout 1.", "Gout 2.")
    with office.desk() as page:
        first = note(page).evaluate("node => node.textContent")
        press(page, "g")
        expect(said(page)).to_contain_text("Given back. The next note.")
        assert note(page).evaluate("node => node.textContent") != first
        press(page, "a", "Control+Enter")
        expect(said(page)).to_contain_text("Handed in")
        assert note(page).evaluate("node => node.textContent") == first


def test_whom_the_proxy_names(chromium: Browser, tmp_path: Path) -> None:
    with served(chromium, tmp_path, **{REVIEWER_HEADER: "X-Forwarded-User"}) as office:
        office.fill("Gout 1.")
        with office.desk(None, extra_http_headers={"X-Forwarded-User": "Anna"}) as page:
            open_page(page, office.address, "review")
            expect(page.get_by_text("You are Anna.")).to_be_visible()
            page.get_by_role("button", name="Begin").click()
            expect(note(page)).to_be_focused()
        with office.desk(None) as page:
            open_page(page, office.address, "review")
            expect(page.get_by_text("named nobody")).to_be_visible()
            assert page.get_by_role("button", name="Begin").count() == 0
    assert {row.reviewer for row in rows(office.engine, REVIEW_TASKS)} == {ANNA}


def test_a_header_that_nobody_configured_is_not_believed(office: Office) -> None:
    office.fill("Gout 1.")
    with (
        office.desk(None, extra_http_headers={"X-Forwarded-User": "Anna"}) as page,
    ):
        open_page(page, office.address, "review")
        expect(page.get_by_role("textbox", name="Your name")).to_have_value("")


@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_fit_for_everybody(office: Office, viewport: dict[str, int], scheme: str) -> None:
    office.fill(HOSTILE, "Well.")
    with (
        office.desk(viewport=viewport, color_scheme=scheme) as page,
    ):
        heard = Heard(PROBES)
        heard.listen(page)
        for _ in range(2):
            press(page, "?", "?")
            assert faults(page) == []
            assert not is_wider(page)
            assert is_as_the_system_asks(page)
            press(page, "A", "Control+Enter")
            page.get_by_text("Handed in as review").wait_for()
        assert (heard.outside, heard.errors) == ([], [])

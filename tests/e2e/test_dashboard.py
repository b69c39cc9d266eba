"""The dashboard as people see it: every page in a real browser, on a desk and a phone, in the light and in the dark.

`make e2e-dashboard`. With SCREENSHOTS=FOLDER pictures are written there (`make screenshots`), of the seed notes only.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboard.pages.try_it import EXAMPLE
from delivery.registry.gate import Gate
from delivery.registry.lease import claimed
from delivery.registry.registry import append, set_champion, version_of
from delivery.registry.server import connect
from production.review.planning import plan
from production.review.setup import Desk
from stages.common.variables import DATABASE
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
    picture,
)
from tests.dashboards import PAGES, PROBES, dashboard, open_page, settle, timed
from tests.production import empty, sqlite_url
from tests.registered import add_version
from tests.repository import ROOT, Repository
from tests.served import WEEK
from tests.simulated_year import Truth, Year

pytestmark = [needs_browser, needs_axe, pytest.mark.slow]
needs_model = pytest.mark.skipif(not (ROOT / "models/model.json").is_file(), reason="needs a model: make repro")

SCREENSHOTS = os.environ.get("SCREENSHOTS")
WEEKS = 14
LOOKS = {"desk, light": (DESK, "light"), "phone, dark": (PHONE, "dark"), "desk, dark": (DESK, "dark")}
NOTE = "Known asthma, no gout. Start aspirin 75 mg once daily."
WORD = "qzxvw"
"""In a note that is tried: it must be found nowhere else."""


@dataclass(frozen=True)
class Served:
    """A dashboard, its log, and what it looks at."""

    address: str
    log: Path
    folder: Path


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Seed notes that were served by the model of the working tree and planned for review, and a registry."""
    folder = tmp_path_factory.mktemp("hospital")
    uri = f"sqlite:///{folder}/mlflow.db"
    environment = {**os.environ, DATABASE: sqlite_url(folder), "MLFLOW_TRACKING_URI": uri}
    for command in (
        ["production.database", "build"],
        ["production.notes", "add", "data/incoming/notes.jsonl"],
        ["production.infer", "--model", "models"],
    ):
        _run(command, environment)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        for name in (DATABASE, "MLFLOW_TRACKING_URI"):
            patch.setenv(name, environment[name])
        _register(folder)
        desk = Desk.open()
        plan(desk.engine, desk.drawing(), datetime.now(UTC) + timedelta(minutes=2))
    _run(
        ["production.record", "build", "data/incoming/notes.jsonl", "--to", str(folder / "record.parquet")], environment
    )
    _run(["production.rollup"], environment)
    log = folder / "dashboard.log"
    with dashboard(environment, log) as served:
        yield Served(served, log, folder)


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Some months under watch, with a drift, reviewers and a precision that falls."""
    folder = tmp_path_factory.mktemp("year")
    engine = empty(sqlite_url(folder))
    started = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - WEEKS * WEEK
    truth = lambda week: Truth(drift=0.4 if week > WEEKS - 5 else 0.0, precision=0.97)  # noqa: E731
    for _ in Year(engine, folder, truth, monday=started - timedelta(days=started.weekday())).weeks(0, WEEKS - 2):
        pass
    environment = {**os.environ, DATABASE: sqlite_url(folder), "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
    _run(["production.rollup"], environment)
    log = folder / "dashboard.log"
    with dashboard(environment, log) as served:
        yield Served(served, log, folder)


def _run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]


def _register(folder: Path) -> None:
    """Register three versions: one that was champion, one that is, one that was refused."""
    client = connect()
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for commit in ("1" * 40, head.strip(), "3" * 40):
        add_version(client, commit, artifacts=f"file://{folder}/artifacts")
    client.set_registered_model_alias("behealthy-extractor", "challenger", "3")
    gates = [
        Gate("validation", "passed", "the data passed the gate"),
        Gate("f1", "passed", "strict F1 0.846 on 119 documents"),
    ]
    refused = [gates[0], Gate("f1", "refused", "strict F1 0.803 is below 0.82: train it longer")]
    first, second, third = (version_of(client, number) for number in (1, 2, 3))
    with claimed(client) as claim:
        for version, previous in ((first, None), (second, first)):
            evidence = {"gates": [vars(gate) for gate in gates]}
            append(client, claim, "promoted", version, previous=previous, reasons=[], evidence=evidence)
            set_champion(client, claim, version)
        evidence = {"gates": [vars(gate) for gate in refused]}
        append(client, claim, "refused", third, previous=second, reasons=["f1"], evidence=evidence)


@pytest.fixture(scope="module")
def nothing(source: Repository, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A fresh clone: no data, no model, no database, no registry."""
    folder = tmp_path_factory.mktemp("nothing")
    kept = {name: value for name, value in os.environ.items() if name not in (DATABASE, "MLFLOW_TRACKING_URI")}
    with dashboard(kept, folder / "dashboard.log", source.root) as served:
        yield Served(served, folder / "dashboard.log", source.root)


OF_THE_YEAR = ("", "drift", "quality", "review")
PLACES = [*((name, "hospital") for name in PAGES), *((name, "year") for name in OF_THE_YEAR)]

PICTURES = [(name, "year" if name in OF_THE_YEAR and name != "review" else "hospital") for name in PAGES]


def visit(chromium: Browser, look: str) -> tuple[Page, Heard]:
    viewport, scheme = LOOKS[look]
    page = chromium.new_context(viewport=viewport, color_scheme=scheme).new_page()  # type: ignore[arg-type]
    heard = Heard(PROBES)
    heard.listen(page)
    return page, heard


def check(page: Page, heard: Heard) -> None:
    """Whatever page it is: no error, nothing from outside, no way but down, and fit for everybody."""
    assert not page.get_by_text("unforeseen").count()
    assert not heard.outside
    assert not heard.errors
    assert not is_wider(page)
    assert is_as_the_system_asks(page)
    found = faults(page)
    assert not found, "\n\n".join(found)


@needs_model
@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize(("name", "place"), PLACES)
def test_a_page_is_fit_for_everybody(
    request: pytest.FixtureRequest, chromium: Browser, name: str, place: str, look: str
) -> None:
    page, heard = visit(chromium, look)
    open_page(page, request.getfixturevalue(place).address, name)
    check(page, heard)
    page.context.close()


@pytest.mark.parametrize("look", ["desk, light", "phone, dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_without_anything_names_a_command(chromium: Browser, nothing: Served, name: str, look: str) -> None:
    page, heard = visit(chromium, look)
    open_page(page, nothing.address, name)
    check(page, heard)
    said = page.locator('[data-testid="stMain"]').inner_text()
    assert "python -m " in said or "make " in said
    page.context.close()


def test_a_page_loads_nothing_from_elsewhere_and_stands_in_no_frame(chromium: Browser, nothing: Served) -> None:
    page, heard = visit(chromium, "desk, light")
    open_page(page, nothing.address, "")
    page.evaluate("new Image().src = 'http://evil.example/a.png'")
    page.evaluate("fetch('http://evil.example/b').catch(() => null)")
    page.wait_for_timeout(500)
    for asked in ("a.png", "/b"):
        assert any(asked in error and "Content Security Policy" in error for error in heard.errors)
    page.context.close()
    page, _ = visit(chromium, "desk, light")
    page.set_content(f'<iframe src="{nothing.address}" title="dashboard"></iframe>')
    page.wait_for_timeout(2000)
    assert not any(frame.url.startswith(nothing.address) for frame in page.frames)
    page.context.close()


@needs_model
def test_all_pages_are_reached_by_keyboard_alone(chromium: Browser, hospital: Served) -> None:
    page, heard = visit(chromium, "desk, light")
    open_page(page, hospital.address, "")
    for heading in [*list(PAGES.values())[1:], PAGES[""]]:
        _tab_to(page, heading)
        page.keyboard.press("Enter")
        settle(page, heading)
    assert not heard.errors
    page.context.close()


def _tab_to(page: Page, words: str) -> None:
    """Press Tab until a link of these words has the focus, and see that it shows."""
    for _ in range(60):
        page.keyboard.press("Tab")
        focused = page.evaluate("document.activeElement.matches('a') ? document.activeElement.innerText : ''")
        if focused.split("\n")[-1].strip() == words:
            assert page.evaluate("document.activeElement.matches(':focus-visible')")
            return
    raise AssertionError(f"Tab does not reach {words}")


@needs_model
def test_on_a_phone_the_pages_are_behind_a_button(chromium: Browser, hospital: Served) -> None:
    page, _ = visit(chromium, "phone, dark")
    open_page(page, hospital.address, "data")
    page.get_by_test_id("stExpandSidebarButton").press("Enter")
    page.get_by_role("link", name="Model").press("Enter")
    settle(page, "Model")
    page.context.close()


@needs_model
def test_a_note_that_is_tried_is_marked_and_explained_and_nowhere_written(chromium: Browser, hospital: Served) -> None:
    page, heard = visit(chromium, "desk, light")
    open_page(page, hospital.address, "try_it")
    assert not page.get_by_label("Text of the note").evaluate("(field) => field.spellcheck")  # may be sent away
    page.get_by_label("Text of the note").fill(f"{NOTE} Ask {WORD}.")
    page.get_by_role("button", name="Find mentions").press("Enter")
    page.get_by_text("Mentions, and what may have been missed").wait_for(timeout=120_000)
    settle(page, "Try it")
    marks = [one.inner_text() for one in page.locator(".bh-note mark").all()]
    assert marks == ["asthmaD1", "goutD2", "aspirinT3"]
    rows = [one.inner_text().split("\t") for one in page.locator(".bh-table tbody tr").all()]
    assert ["D2", "gout", "Disease", "negated"] in [row[:4] for row in rows]
    page.get_by_role("button", name="Explain the mentions").press("Enter")
    page.get_by_text("what weighed most for and against").first.wait_for(timeout=120_000)
    settle(page, "Try it")
    check(page, heard)
    page.context.close()
    assert WORD not in hospital.log.read_text()
    written = [path for path in hospital.folder.rglob("*") if path.is_file() and WORD.encode() in path.read_bytes()]
    assert not written


@needs_model
def test_a_note_that_is_too_long_is_refused_before_a_model_reads_it(chromium: Browser, hospital: Served) -> None:
    page, heard = visit(chromium, "desk, light")
    open_page(page, hospital.address, "try_it")
    page.get_by_label("Text of the note").fill(f"{WORD} gout " * 10_000)
    page.get_by_role("button", name="Find mentions").press("Enter")
    page.get_by_text("more than inference.note_characters").wait_for()
    assert WORD not in page.get_by_test_id("stAlert").first.inner_text()
    assert not heard.errors
    page.context.close()


@needs_model
def test_champion_challenger_and_archive_are_told_apart(chromium: Browser, hospital: Served) -> None:
    page, _ = visit(chromium, "desk, light")
    open_page(page, hospital.address, "model")
    rows = [one.inner_text().split("\t") for one in page.locator(".bh-table tbody tr").all()]
    stages = {row[0]: row[2] for row in rows if len(row) == 3}
    assert stages["staging"] == "3" and stages["production"] == "2" and stages["archive"] == "1"
    assert page.get_by_text("from version 2 to version 1").count() == 1
    assert ["f1", "✗ refused", "strict F1 0.803 is below 0.82: train it longer"] in rows
    page.context.close()


@needs_model
@pytest.mark.parametrize(("name", "place"), PLACES)
def test_first_paint(request: pytest.FixtureRequest, chromium: Browser, name: str, place: str) -> None:
    """Says how long pages take; how long they may is no matter of a test on a busy machine."""
    address = request.getfixturevalue(place).address
    page, _ = visit(chromium, "desk, light")
    open_page(page, address, name)
    paint, heading, whole = timed(page, address, name)
    assert 0 < paint <= whole
    print(f"\n{place}, {PAGES[name]}: first paint {paint:.0f} ms, heading {heading:.0f} ms, whole {whole:.0f} ms")
    page.context.close()


@needs_model
@pytest.mark.skipif(not SCREENSHOTS, reason="writes pictures: make screenshots")
@pytest.mark.parametrize(("name", "place"), PICTURES)
def test_screenshots(request: pytest.FixtureRequest, chromium: Browser, name: str, place: str) -> None:
    page, _ = visit(chromium, "desk, light")
    open_page(page, request.getfixturevalue(place).address, name)
    _do_something(page, name)
    page.evaluate("document.activeElement.blur()")
    picture(page, ROOT / str(SCREENSHOTS) / f"dashboard-{name or 'today'}.png")
    page.context.close()


def _do_something(page: Page, name: str) -> None:
    """Take a note, where a page is empty without one."""
    if name == "try_it":
        page.get_by_role("button", name="Take an example").press("Enter")
        expect(page.get_by_label("Text of the note")).to_have_value(EXAMPLE)
        page.get_by_role("button", name="Find mentions").press("Enter")
        page.get_by_text("Mentions, and what may have been missed").wait_for(timeout=120_000)
    elif name == "review":
        page.get_by_label("Your name").fill("Anna")
        page.get_by_role("button", name="Begin").press("Enter")
        page.locator(".desk .mark").first.wait_for(timeout=60_000)
    settle(page, PAGES[name])

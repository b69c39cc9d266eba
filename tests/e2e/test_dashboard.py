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
from playwright.sync_api import Browser, Page

from delivery.registry.gate import Gate
from delivery.registry.lease import claimed
from delivery.registry.registry import append, set_champion, version_of
from delivery.registry.server import connect
from production.review.planning import plan
from production.review.setup import Desk
from stages.common.variables import DATABASE
from tests.browsers import DESK, PHONE, Heard, browser, faults, is_wider, needs_axe, needs_browser
from tests.dashboards import PAGES, PROBES, dashboard, open_page
from tests.production import sqlite_url
from tests.registered import add_version
from tests.repository import ROOT, Repository

pytestmark = [needs_browser, needs_axe, pytest.mark.slow]
needs_model = pytest.mark.skipif(not (ROOT / "models/model.json").is_file(), reason="needs a model: make repro")

SCREENSHOTS = os.environ.get("SCREENSHOTS")
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
    found = faults(page)
    assert not found, "\n\n".join(found)


@needs_model
@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_fit_for_everybody(chromium: Browser, hospital: Served, name: str, look: str) -> None:
    page, heard = visit(chromium, look)
    open_page(page, hospital.address, name)
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

"""`python -m dashboard` in a process of its own, and its pages as somebody walks through them."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Page

from tests.repository import ROOT
from tests.servers import free_port

PAGES = {
    "": "Today",
    "review": "Review",
    "drift": "Drift",
    "quality": "Quality",
    "model": "Model",
    "try_it": "Try it",
    "data": "Data",
}
"""Addresses and headings."""

PROBES = ("/_stcore/health", "/_stcore/host-config", "/_stcore")
"""What Streamlit's page asks for below its own address first, when it is opened directly; it then finds them above."""

SETTLED = '[data-testid="stApp"][data-test-script-state="notRunning"]'

_FIRST = "performance.getEntriesByName('first-contentful-paint')[0].startTime"

QUIET = """() => new Promise((done) => {
  let timer = setTimeout(done, 500);
  new MutationObserver(() => {
    clearTimeout(timer);
    timer = setTimeout(done, 500);
  }).observe(document.documentElement, { childList: true, subtree: true });
})"""
"""Until nothing was drawn for half a second: the code of an element may come when all else is there."""


@contextmanager
def dashboard(environment: Mapping[str, str], log: Path, root: Path = ROOT) -> Iterator[str]:
    """Serve the dashboard of a repository; yield its address."""
    port = free_port()
    command = [sys.executable, "-m", "dashboard", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=root, env=dict(environment), stdout=output, stderr=output)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_for(f"{address}/_stcore/health", process, log)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())


def open_page(page: Page, address: str, name: str) -> None:
    """Open a page by its address and wait until it is whole."""
    page.goto(f"{address}/{name}")
    settle(page, PAGES[name])


class Paint(NamedTuple):
    """Milliseconds from the request of a page until something is painted, its heading is there, and all of it."""

    first: float
    heading: float
    whole: float


def timed(page: Page, address: str, name: str) -> Paint:
    """Open a page by its address; return when it was there."""
    page.goto(f"{address}/{name}", wait_until="commit")
    page.get_by_role("heading", name=PAGES[name], exact=True, level=1).wait_for(timeout=60_000)
    heading = float(page.evaluate("performance.now()"))
    page.locator(SETTLED).wait_for(state="attached", timeout=60_000)
    whole = float(page.evaluate("performance.now()"))
    return Paint(float(page.evaluate(_FIRST)), heading, whole)


def settle(page: Page, heading: str) -> None:
    """Wait until a page is there and nothing of it is being made any more."""
    page.get_by_role("heading", name=heading, exact=True, level=1).wait_for(timeout=60_000)
    page.locator(SETTLED).wait_for(state="attached", timeout=60_000)
    page.wait_for_load_state("networkidle")
    page.evaluate(QUIET)

"""The browser of this machine: one way to find it, to start it, and to look whether a page is fit for everybody."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.repository import ROOT

_FOUND = subprocess.run([ROOT / ".ci/find-chromium"], capture_output=True, text=True, check=False)
BROWSER = _FOUND.stdout.strip() or None
needs_browser = pytest.mark.skipif(BROWSER is None, reason=_FOUND.stderr.strip() or "no browser")

SAFE = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu")
"""What a browser needs where it has no screen and root starts it."""
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
"""Every host is unknown to it but this machine."""

AXE = ROOT / ".venv-browser/node_modules/axe-core/axe.min.js"
needs_axe = pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not there: make .venv-browser/.installed")

PHONE, DESK = {"width": 360, "height": 740}, {"width": 1280, "height": 900}

_OURS = ("heading-order", "page-has-heading-one")
"""Rules whose findings count here, though axe takes them for moderate."""


@contextmanager
def browser() -> Iterator[Browser]:
    """Start the browser, which ends with the block."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=BROWSER, args=[*SAFE, OFFLINE])
        yield started
        started.close()


@dataclass
class Heard:
    """What a page asked of other hosts, and its errors.

    `known` are ends of addresses on this machine that may be missing.
    """

    known: tuple[str, ...] = ()
    outside: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> None:
        page.on("request", lambda request: self._request(request.url))
        page.on("websocket", lambda socket: self._request(socket.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._console)

    def _request(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob") and parts.hostname != "127.0.0.1":
            self.outside.append(url)

    def _console(self, message: Any) -> None:
        where = urlsplit(message.location.get("url", "")).path
        if message.type == "error" and not where.endswith(self.known):
            self.errors.append(f"{message.text} ({where})")


def faults(page: Page) -> list[str]:
    """Return what axe finds that is serious or critical, or out of order: rule, places, what is wrong."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [
        f"{one['id']} ({one['impact']}): {node['html'][:200]}: {node['failureSummary']}"
        for one in found
        if one["impact"] in ("serious", "critical") or one["id"] in _OURS
        for node in one["nodes"][:3]
    ]


def is_wider(page: Page) -> bool:
    """Tell whether the page has to be moved sideways to be read."""
    return bool(page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))


def is_as_the_system_asks(page: Page) -> bool:
    """Tell whether the page is dark where the system asks for the dark, and light where not."""
    wanted = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    ground = page.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor")
    shown = sum(int(part) for part in re.findall(r"\d+", ground)[:3]) / 3
    return bool(shown < 128) is bool(wanted)


def picture(page: Page, file: Path) -> None:
    """Write what is seen as a small PNG."""
    from io import BytesIO

    from PIL import Image

    image = Image.open(BytesIO(page.screenshot())).convert("RGB")
    file.parent.mkdir(parents=True, exist_ok=True)
    image.quantize(128, dither=Image.Dither.NONE).save(file, optimize=True)

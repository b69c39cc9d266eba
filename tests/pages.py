"""What HTML pages load, and what a browser without a network makes of them."""

from __future__ import annotations

import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.browsers import BROWSER, SAFE

_LOADING = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src", "embed": "src"}
_IN_STYLES = re.compile(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)")


class _Loads(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._tag = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = tag
        given = dict(attrs)
        self.found += filter(None, [given.get(_LOADING.get(tag, "")), *in_styles(given.get("style") or "")])

    def handle_data(self, data: str) -> None:
        if self._tag == "style":
            self.found += in_styles(data)


def in_styles(text: str) -> list[str]:
    """Addresses that a style sheet loads."""
    return [one or other for one, other in _IN_STYLES.findall(text)]


def loads(page: str) -> list[str]:
    """Addresses of scripts, styles, images and frames: what a browser fetches without being asked."""
    parser = _Loads()
    parser.feed(page)
    parser.close()
    return [address for address in parser.found if not address.startswith(("data:", "#"))]


def missing(path: Path) -> list[str]:
    """What a page loads that is not a file beside it."""
    found = loads(path.read_text(encoding="utf-8"))
    return [address for address in found if urlsplit(address).netloc or not (path.parent / address).is_file()]


def seen(path: Path, profile: Path) -> tuple[str, str]:
    """Open a page in a browser for which every host is unknown: the page as its scripts leave it, and their errors.

    Parameters
    ----------
    path, profile : Path
        The page, and a folder of the browser's own.
    """
    command = [str(BROWSER), "--headless", *SAFE, f"--user-data-dir={profile}"]
    command += ["--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr", "--virtual-time-budget=20000"]
    done: Any = subprocess.run(
        [*command, "--dump-dom", path.resolve().as_uri()], capture_output=True, text=True, timeout=180, check=True
    )
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line and "source: chrome://" not in line]
    return done.stdout, "\n".join(line for line in console if '] "WARN ' not in line)  # Vega's warnings

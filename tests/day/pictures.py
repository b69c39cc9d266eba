"""The dashboard in a browser, a picture of each step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Page

from tests.browsers import DESK, Heard, browser, picture
from tests.dashboards import PROBES, dashboard, open_page
from tests.day.hospital import Hospital


@dataclass
class Pictures:
    """What a person sees who looks at the dashboard.

    Parameters
    ----------
    at : Hospital
    folder : Path
        Where pictures go.
    """

    at: Hospital
    folder: Path
    names: list[str] = field(default_factory=list)
    seen: dict[str, str] = field(default_factory=dict)

    def take(self, step: str, *pages: str) -> None:
        """Compute what the pages show, and take a picture of each."""
        self.at.command("production.rollup")
        with self._opened() as (page, address):
            for name in pages:
                self._take(page, address, step, name)

    def _take(self, page: Page, address: str, step: str, name: str) -> None:
        open_page(page, address, "" if name == "today" else name)
        text = page.locator('[data-testid="stMain"]').inner_text()
        assert "unforeseen" not in text, text
        self.seen[name] = text
        self.names.append(f"{len(self.names) + 1:02}-{step}-{name}.png")
        picture(page, self.folder / self.names[-1])

    @contextmanager
    def _opened(self) -> Iterator[tuple[Page, str]]:
        log = self.at.folder / f"dashboard-{len(self.names)}.log"
        with dashboard(self.at.settings, log, self.at.root) as address, browser() as chromium:
            page = chromium.new_context(viewport=DESK).new_page()  # type: ignore[arg-type]
            heard = Heard(PROBES)
            heard.listen(page)
            yield page, address
            assert not heard.outside
            assert not heard.errors

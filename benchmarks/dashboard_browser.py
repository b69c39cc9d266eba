"""Pages of the dashboard in a real browser: when something is painted, and when all is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.browsers import BROWSER, DESK, browser
from tests.dashboards import dashboard, timed


def visited(pages: Iterable[str], around: Mapping[str, str], folder: Path) -> dict[str, dict[str, float]]:
    """Open each page twice, as the first one who does after the dashboard's start, and as the next.

    Parameters
    ----------
    pages : iterable of str
        Addresses; Today's is empty.
    around : mapping of str to str
        Environment of the dashboard.
    folder : Path
        Where its log goes.

    Returns
    -------
    dict
        By address, in seconds from the request on: ``first_paint``, ``first_whole``, ``next_paint``, ``next_whole``.
        Empty where this machine has no browser.
    """
    return {name: _visits(name, around, folder) for name in pages} if BROWSER else {}


def _visits(name: str, around: Mapping[str, str], folder: Path) -> dict[str, float]:
    found: dict[str, float] = {}
    with dashboard(around, folder / "dashboard.log") as address, browser() as chromium:
        for visit in ("first", "next"):
            page = chromium.new_context(viewport=DESK).new_page()  # type: ignore[arg-type]
            taken = timed(page, address, name)
            found |= {f"{visit}_paint": taken.first / 1000, f"{visit}_whole": taken.whole / 1000}
            page.context.close()
    return found

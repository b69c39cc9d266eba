"""The dashboard on a year of daily windows and 100,000 reviews: what the roll-up costs, and when a page is there.

    python -m benchmarks.dashboard
    python -m benchmarks.dashboard --reviews 10000 --json reports/dashboard.json
    python -m benchmarks.dashboard --keep FOLDER       leave the database there, to look at with `python -m dashboard`

The database is laid in bulk, on SQLite. Then `python -m production.rollup` runs as it is, and each page in a process
of its own, by Streamlit's AppTest: *first* is the first run in the process, as whoever opens it first has it, once
Streamlit itself is loaded; *next* is that of everybody after. A Chromium, where there is one, opens each page, too: of
a dashboard that was just started, and once more. Exit code 1: a page, or a first paint, took longer than is promised.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.environment import ROOT
from stages.common.command import DONE, REFUSED, run_command
from stages.common.errors import BeHealthyError
from stages.common.files import write_json
from stages.common.variables import DATABASE

PAGES = ("today", "drift", "quality")
PROMISE = 2.0
"""Seconds until a page is there."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Lay, roll up, open the pages, and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.dashboard", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reviews", type=int, default=100_000, help="how many (default: 100000)")
    parser.add_argument("--days", type=int, default=365, help="windows and plans (default: 365)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where the database is laid, and left")
    parser.add_argument("--json", type=Path, help="where the figures are written")
    parser.add_argument("--open", choices=PAGES, help=argparse.SUPPRESS)  # what the process of a page does
    options = parser.parse_args(arguments)
    if min(options.reviews, options.days) < 1:
        parser.error("--reviews and --days must be 1 at least")
    return run_command("dashboard", lambda: _open(options.open) if options.open else _run(options))


def _run(options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="behealthy-dashboard-") as name:
        result = measure(options.days, options.reviews, options.keep or Path(name), Path(name))
    if options.json:
        write_json(options.json, result)
    print(table_of(result))
    taken = [one["first"] for one in result["pages"].values()]
    taken += [one["first_paint"] for one in result["browser"].values()]
    return DONE if max(taken) <= PROMISE else REFUSED


def measure(days: int, reviews: int, folder: Path, logs: Path) -> dict[str, Any]:
    """Return all figures."""
    from benchmarks.dashboard_browser import visited

    url = f"sqlite:///{folder.absolute()}/behealthy.db"
    laid = _lay(url, days, reviews)
    around = {**os.environ, DATABASE: url}
    return {
        "days": days,
        "reviews": reviews,
        "laid_seconds": laid,
        "rollup": _rolled_up(around),
        "pages": {page: _opened(page, around) for page in PAGES},
        "browser": visited(["" if page == "today" else page for page in PAGES], around, logs),
    }


def _lay(url: str, days: int, reviews: int) -> float:
    from benchmarks.laid_year import Laid
    from production.database.engine import address, make_engine
    from production.database.revision import migrate

    started, engine = time.perf_counter(), make_engine(address(url), create=True)
    if migrate(engine)[0] is not None:
        raise BeHealthyError("there is a database already: choose another folder")
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    Laid(engine, days, reviews, midnight).lay()
    engine.dispose()
    return time.perf_counter() - started


def _rolled_up(around: dict[str, str]) -> dict[str, float]:
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "production.rollup"], cwd=ROOT, env=around)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise BeHealthyError("the roll-up did not succeed")
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "cpu_seconds": used.ru_utime + used.ru_stime, "megabytes": used.ru_maxrss / 1000}


def _opened(page: str, around: dict[str, str]) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.dashboard", "--open", page]
    done = subprocess.run(command, cwd=ROOT, env=around, check=False, capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        raise BeHealthyError(f"the page {page} did not open")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _open(page: str) -> int:
    """Open a page twice, and print how long it took: what the process of a page does."""
    from streamlit.testing.v1 import AppTest

    test = AppTest.from_string(f"from dashboard.pages.{page} import page\npage()", default_timeout=120)
    taken = []
    for _ in range(2):
        started, busy = time.perf_counter(), time.process_time()
        test.run()
        taken.append((time.perf_counter() - started, time.process_time() - busy))
    if test.exception or any("could not be computed" in one.value for one in test.error):
        return REFUSED  # a promise that is broken is an error on the page, too, and is no fault of it
    (first, first_cpu), (further, further_cpu) = taken
    print(json.dumps({"first": first, "first_cpu": first_cpu, "next": further, "next_cpu": further_cpu}))
    return DONE


def table_of(result: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    rolled = result["rollup"]
    lines = [
        f"{result['days']:,} daily windows, {result['reviews']:,} reviews, laid in {result['laid_seconds']:.0f} s.",
        f"`python -m production.rollup`: {rolled['cpu_seconds']:.0f} s of CPU, {rolled['seconds']:.0f} s,"
        f" {rolled['megabytes']:,.0f} MB at most.",
        "",
        "| page | first, s | of CPU | next, s | of CPU |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | {' | '.join(f'{taken:.2f}' for taken in one.values())} |"
            for name, one in result["pages"].items()
        ),
        "",
        *_browser_lines(result["browser"]),
    ]
    return "\n".join(lines)


def _browser_lines(visits: dict[str, dict[str, float]]) -> list[str]:
    if not visits:
        return ["There is no Chromium here: pages were not opened in a browser."]
    names = ("first_paint", "first_whole", "next_paint", "next_whole")
    return [
        "| page in Chromium | first paint after a start, s | whole | next visit: first paint | whole |",
        "|---|---|---|---|---|",
        *(
            f"| {name or 'today'} | {' | '.join(f'{one[taken]:.2f}' for taken in names)} |"
            for name, one in visits.items()
        ),
    ]


if __name__ == "__main__":
    sys.exit(main())

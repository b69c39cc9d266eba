"""Write the table of the last `make e2e-production` into the docs: python -m tests.day."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tests.repository import ROOT

TABLE, PAGE = ROOT / "reports/e2e-production.txt", ROOT / "docs/one-day.md"
BEGIN, END = "<!-- written by `python -m tests.day` after `make e2e-production` -->", "<!-- end -->"


def page(text: str, table: str) -> str:
    """Return the page with another table."""
    between = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    return between.sub(lambda _: f"{BEGIN}\n```text\n{table.rstrip()}\n```\n{END}", text)


def main() -> int:
    """Write it: 0 done, 2 there is no table."""
    if not TABLE.is_file():
        print(f"there is no {TABLE.relative_to(ROOT)}: `make e2e-production` writes it", file=sys.stderr)
        return 2
    given = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(page(given, TABLE.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"written: {Path(PAGE).relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

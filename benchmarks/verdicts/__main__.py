"""Measure how often the automatic verdicts err: `python -m benchmarks.verdicts [acceptance|kpi|gate|drift|review ...]`.

Each part writes its tables as Markdown, with standard errors, to a folder (default: docs/verdicts).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import pandas as pd

from stages.common.command import run_command
from stages.common.files import write_text

PARTS = ("acceptance", "kpi", "gate", "drift", "review")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 done, 2 when a part could not be measured."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.verdicts", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--out", type=Path, default=Path("docs/verdicts"), help="folder of the tables")
    parser.add_argument("--repetitions", type=int, default=400, help="simulated cases of each cell (default: 400)")
    options = parser.parse_args(arguments)
    if unknown := [part for part in options.parts if part not in PARTS]:
        parser.error(f"there is no part {', '.join(unknown)}: choose from {', '.join(PARTS)}")
    if options.repetitions < 1:
        parser.error("--repetitions: at least one")

    def run() -> None:
        for part in options.parts or PARTS:
            for name, table in import_module(f"benchmarks.verdicts.{part}").tables(options.repetitions).items():
                path = options.out / f"{part}-{name}.md"
                write_text(path, page(part, options.repetitions, table))
                print(f"{path}\n{table.to_markdown(index=False)}\n", flush=True)

    return run_command("verdicts", run)


def page(part: str, repetitions: int, table: pd.DataFrame) -> str:
    """Return a table as Markdown, below the command that wrote it."""
    written = f"<!-- python -m benchmarks.verdicts {part} --repetitions {repetitions} -->"
    return f"{written}\n{table.to_markdown(index=False)}\n"


if __name__ == "__main__":
    sys.exit(main())

"""Time against size: a straight line for every reader, every check, the duplicates and the segmentation.

    python -m benchmarks.growth [--times 10] [--only WORD] [--csv growth.csv]

Each case is measured at an eighth, a quarter, a half and the whole of the largest size that an attack
on this repository tried, or of so many times that. The exponent is the slope of the logarithms: 1 is a
straight line, 2 a square. Exit code 1: one of them is above `STEEPEST`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks.growth_cases import Case, cases
from benchmarks.timing import cpu_seconds, only_own_garbage
from stages.common.command import DONE, REFUSED, run_command
from stages.common.errors import AnnotationError, BeHealthyError
from stages.common.files import write_csv

STEEPEST = 1.2
SHARES = (0.125, 0.25, 0.5, 1.0)
COLUMNS = ("case", "unit", "size", "cpu_seconds", "exponent")
_SHORTEST = 0.005
"""Seconds; below, the clock and what is done once count for more than the size."""
_ATTEMPTS = 5


class Growth(NamedTuple):
    """What a case took at each of its sizes, in CPU seconds, and the exponent."""

    case: Case
    sizes: list[int]
    seconds: list[float]
    exponent: float

    @property
    def straight(self) -> bool:
        """True when the time grows no faster than `STEEPEST` allows."""
        return self.exponent <= STEEPEST


def exponent_of(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """Return the slope of log time over log size: 0 where it is too soon to tell, infinite without a size.

    >>> round(exponent_of([1, 2, 4], [0.1, 0.4, 1.6]), 6)
    2.0
    """
    told = [pair for pair in zip(sizes, seconds, strict=True) if pair[1] >= _SHORTEST]
    if not sizes:
        return float("inf")
    if len(told) < 2:
        return 0.0
    size, spent = np.log(np.array(told)).T
    return float(np.polyfit(size, spent, 1)[0])


def measure(case: Case, times: float = 1.0, clock: Callable[[Callable[[], object]], float] = cpu_seconds) -> Growth:
    """Measure a case at all sizes; again, and the fastest counts, where it does not come out straight.

    What else the machine does makes a measurement slower and never faster, so that a straight line
    may look steep by chance and a steep one hardly straight. Sizes that a reader refuses are left out.
    """
    sizes = [max(1, round(case.largest * times * share)) for share in SHARES]
    best = [float("inf")] * len(sizes)
    for _ in range(_ATTEMPTS):
        for place, size in enumerate(sizes):
            with tempfile.TemporaryDirectory() as folder:
                work = case.prepared(size, Path(folder))
                try:
                    with only_own_garbage():
                        best[place] = min(best[place], clock(work))
                except AnnotationError:  # beyond what the reader takes
                    break
        taken = [place for place, spent in enumerate(best) if spent < float("inf")]
        seconds = [best[place] for place in taken]
        growth = Growth(case, sizes[: len(taken)], seconds, exponent_of(sizes[: len(taken)], seconds))
        if growth.straight:
            break
    return growth


def table_of(measured: Sequence[Growth]) -> pd.DataFrame:
    """Return one row per case and size, with `COLUMNS`."""
    rows = [
        (growth.case.name, growth.case.unit, size, round(spent, 4), round(growth.exponent, 3))
        for growth in measured
        for size, spent in zip(growth.sizes, growth.seconds, strict=True)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def line_of(growth: Growth) -> str:
    """Return the case, its largest size, what that took, and the exponent, as one line."""
    if not growth.sizes:
        return f"{growth.case.name:<44} refused at every size"
    size = f"{growth.sizes[-1]:,} {growth.case.unit}"
    verdict = "" if growth.straight else "  STEEP"
    return f"{growth.case.name:<44} {size:>20} {growth.seconds[-1]:>8.2f} s {growth.exponent:>6.2f}{verdict}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and say whether all is straight: 0 yes, 1 no, 2 nothing was measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--times", type=float, default=1.0, help="sizes, times those of the attacks (default 1)")
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--csv", type=Path, help="where the table is written, one row per case and size")
    options = parser.parse_args(arguments)
    return run_command("benchmarks.growth", lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    selected = [case for case in cases() if options.only in case.name]
    if not selected or not 0 < options.times < float("inf"):
        raise BeHealthyError(f"nothing to measure: no case holds {options.only!r}, or --times is not above 0")
    measured = []
    for case in selected:
        measured.append(measure(case, options.times))
        print(line_of(measured[-1]), flush=True)
    if options.csv:
        write_csv(options.csv, table_of(measured))
    steep = [growth.case.name for growth in measured if not growth.straight]
    summary = f"{len(measured) - len(steep)} of {len(measured)} straight"
    print(summary + (f"; not: {', '.join(steep)}" if steep else ""))
    return REFUSED if steep else DONE


if __name__ == "__main__":
    sys.exit(main())

"""What the pipeline is held against: plain loops, so many at once as it has workers, each with its part of the notes.

The two hardware threads of a core cost each other time: a loop beside another one is dearer than a loop alone, and so
is a worker beside another worker, or beside a server.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from benchmarks.environment import run_module

Took = dict[str, float]


def loops_at_once(models: Path, notes: Path, folder: Path, number: int = 1) -> Took:
    """Return what so many loops at once take for all notes.

    CPU seconds are those of all loops together; seconds and memory those of the one that takes most.
    """
    with ThreadPoolExecutor(number) as pool:
        each = list(
            pool.map(lambda part: _loop(models, notes, folder / f"loop-{part}.json", part, number), range(number))
        )
    return together(each)


def _loop(models: Path, notes: Path, out: Path, part: int, parts: int) -> Took:
    words = ["benchmarks.looping", str(models.resolve()), str(notes), str(out), "--part", str(part), str(parts)]
    run_module(sys.executable, words, niced=False)
    took: Took = json.loads(out.read_text(encoding="utf-8"))
    return took


def together(each: list[Took]) -> Took:
    """Return what loops took together."""
    most = {"seconds", "memory_mb"}
    return {name: (max if name in most else sum)(took[name] for took in each) for name in each[0]} | {
        "loops": len(each)
    }


def mean_of(before: Took, after: Took) -> Took:
    """Return the mean of the loops on both sides of a run."""
    return {name: (before[name] + after[name]) / 2 for name in before}


@contextmanager
def busy_process() -> Iterator[None]:
    """Let another process count, without a pause, for the block."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()

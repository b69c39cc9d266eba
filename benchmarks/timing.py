"""CPU seconds and memory of this process. Standard library only: the peers' environment uses it too."""

from __future__ import annotations

import gc
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_STATUS = Path("/proc/self/status")
_ENOUGH_SECONDS, _LEAST_REPEATS, _MOST_REPEATS = 2.0, 3, 15


def peak_memory_mb() -> float:
    """Return the most memory this process ever held, in MB (2**20 bytes).

    ``ru_maxrss`` would be the parent's where the parent was larger: Linux hands it down to a child.
    """
    return _status("VmHWM") or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def resident_memory_mb() -> float:
    """Return the memory this process holds now, in MB (the peak, where the system does not tell)."""
    return _status("VmRSS") or peak_memory_mb()


def _status(field: str) -> float:
    if not _STATUS.exists():
        return 0.0
    lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{field}:")), 0.0)


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU seconds, summed over threads, that `work` takes."""
    start = time.process_time()
    work()
    return time.process_time() - start


@contextmanager
def only_own_garbage() -> Iterator[None]:
    """Let the garbage collector pass over what is there already: loaded models, notes, libraries."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def rate(units: int, prepared: Callable[[], Callable[[], object]]) -> float:
    """Return units per CPU second of the fastest of a few repeats: more, where one is over in no time.

    Whatever else the machine does can only make a repeat slower (the advice of the standard library's `timeit`).

    Parameters
    ----------
    units : int
        How many units the work goes through.
    prepared : callable
        Makes everything ready, untimed, and returns the work to be timed.
    """
    seconds: list[float] = []
    while len(seconds) < _LEAST_REPEATS or (sum(seconds) < _ENOUGH_SECONDS and len(seconds) < _MOST_REPEATS):
        work = prepared()
        with only_own_garbage():
            seconds.append(max(cpu_seconds(work), 1e-9))
    return units / min(seconds)

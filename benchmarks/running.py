"""`python -m production.infer` as a process that is watched: CPU, memory, and when its batches were written."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.environment import ROOT
from stages.common.errors import BeHealthyError
from stages.common.variables import DATABASE, LOG_KEY
from stages.monitor.times import as_utc

_LOOK_SECONDS = 0.2
_KEY = "0" * 32


class Sample(NamedTuple):
    """What the processes hold at one time; of several of a kind, the one that holds most."""

    at: float
    worker_mb: float
    host_mb: float
    host_cpu_seconds: float


class Run(NamedTuple):
    """What one run took; `host` is the process of the model, without its start, `server` the database's."""

    database: str
    workers: int
    cpu_seconds: float
    start_cpu_seconds: float
    host_cpu_seconds: float
    server_cpu_seconds: float
    seconds: float
    batch_p50_seconds: float
    batch_p99_seconds: float
    worker_mb_at_a_tenth: float
    worker_mb_at_the_end: float
    host_mb_at_a_tenth: float
    host_mb_at_the_end: float


def run_infer(url: str, models: Path, workers: int, notes: Path, server: int | None) -> Run:
    """Let workers look at nothing, for what they take to start, and then at the notes.

    Parameters
    ----------
    url : str
        Of an empty database.
    models : Path
    workers : int
    notes : Path
        JSON lines.
    server : int, optional
        Number of the first process of the database.

    Raises
    ------
    BeHealthyError
        When it fails, or leaves a note without a result.
    """
    from production.database.engine import address, make_engine
    from production.database.revision import migrate
    from production.notes.reading import read
    from production.notes.storing import add

    engine = make_engine(address(url), create=True)
    migrate(engine)
    start, _, started = _watched(url, models, workers)
    counts = add(engine, read(notes, "jsonl", "utf-8"), "benchmark")
    before = server_cpu_seconds(server)
    cpu, seconds, samples = _watched(url, models, workers)
    took = server_cpu_seconds(server) - before
    written = _written(engine)
    engine.dispose()
    if sum(number for _, number in written) != counts["new"]:
        raise BeHealthyError("not every note has a result: run `python -m production.infer` by hand to see why")
    times = [at for at, _ in written]
    gaps = sorted(after - before for before, after in zip(times, times[workers:], strict=False))
    tenth = next(s for s in reversed(samples) if s.at <= _time_of(written, counts["new"] // 10) or s is samples[0])
    return Run(
        engine.dialect.name,
        workers,
        cpu,
        start,
        max(one.host_cpu_seconds for one in samples) - started[-1].host_cpu_seconds,
        took,
        seconds,
        gaps[len(gaps) // 2],
        gaps[int(0.99 * (len(gaps) - 1))],
        tenth.worker_mb,
        samples[-1].worker_mb,
        tenth.host_mb,
        samples[-1].host_mb,
    )


def _watched(url: str, models: Path, workers: int) -> tuple[float, float, list[Sample]]:
    """Return CPU seconds, seconds, and samples."""
    command = [sys.executable, "-m", "production.infer", "--model", str(models), "--workers", str(workers)]
    started, samples = time.monotonic(), list[Sample]()
    process = subprocess.Popen(  # noqa: S603 (our own command)
        command, cwd=ROOT, env={**os.environ, DATABASE: url, LOG_KEY: _KEY}, stdout=subprocess.DEVNULL
    )
    while True:
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        if ended:
            break
        samples += _sample(process.pid)
        time.sleep(_LOOK_SECONDS)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise BeHealthyError(f"production.infer ended with {process.returncode}: what it said is above")
    return usage.ru_utime + usage.ru_stime, time.monotonic() - started, samples


def _sample(pid: int) -> list[Sample]:
    import psutil

    try:
        everyone = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        hosts = [one for one in everyone if any("host_process" in word for word in one.cmdline())]
        if not hosts:
            return []
        held = [[one.memory_info().rss / 2**20 for one in kind] for kind in (set(everyone) - set(hosts), hosts)]
        cpu = sum(sum(one.cpu_times()[:2]) for one in hosts)
    except psutil.Error:  # one of them has ended
        return []
    return [Sample(time.time(), max(held[0]), max(held[1]), cpu)]


def server_cpu_seconds(pid: int | None) -> float:
    """Return the CPU seconds of a server and of all its processes, also of those that have ended."""
    import psutil

    if pid is None:
        return 0.0
    first = psutil.Process(pid)
    return sum(map(sum, [first.cpu_times()[:4], *(one.cpu_times()[:2] for one in first.children(recursive=True))]))


def _written(engine: object) -> list[tuple[float, int]]:
    """Return when batches were written, and of how many notes."""
    from sqlalchemy import Engine, func, select

    from production.database.engine import reading
    from production.database.schema import RESULTS

    assert isinstance(engine, Engine)
    at = RESULTS.c.created_at
    with reading(engine) as connection:
        rows = connection.execute(select(at, func.count()).group_by(at).order_by(at)).all()
    return [(as_utc(at).timestamp(), number) for at, number in rows]


def _time_of(written: Sequence[tuple[float, int]], notes: int) -> float:
    """Return when so many notes had their results."""
    done = 0
    for at, number in written:
        done += number
        if done >= notes:
            return at
    return written[-1][0]

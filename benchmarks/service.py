"""The service beside `mlflow models serve`: the same model, notes and clients, one after the other in one run.

    python -m benchmarks.service --json reports/service.json

Each request has one note of `data/incoming`. The clients run on the same cores as what they ask. Exit code 1: the
overloaded service does not keep what it promises (p99 of what it takes below a second, the rest 503, nothing else).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.load import Clients, Load
from stages.common.command import DONE, REFUSED, run_command
from stages.common.errors import BeHealthyError
from stages.common.files import write_json

CLIENTS = (1, 8, 64)
NOTES = Path("data/incoming/notes.jsonl")
_PATIENCE = 300.0
_MEMORY_SECONDS = 900.0  # also for who answers 30 a second


class Contestant(NamedTuple):
    """A service: how it is started, where it is asked, and what says that it is ready."""

    name: str
    command: list[str]
    path: str
    ready: str
    cores: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.service", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, default=Path("models"), help="model folder (default: models)")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each load (default: 5)")
    parser.add_argument(
        "--requests", type=int, default=20_000, help="until memory is looked at, or 15 minutes (default: 20000)"
    )
    parser.add_argument("--json", type=Path, help="where the figures are written")
    options = parser.parse_args(arguments)
    return run_command("service", lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    if not (options.models / "model.json").is_file() or not NOTES.is_file():
        raise BeHealthyError("a model and notes are needed: run `make repro`")
    notes = [json.loads(line)["text"] for line in NOTES.read_text(encoding="utf-8").splitlines()]
    figures: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for contestant in contestants(options.models, Path(folder)):
            figures.append(measure(contestant, notes, options.seconds, options.requests, Path(folder)))
            print("\n".join(lines_of(figures[-1])), flush=True)
    scaling = scaling_of(*figures[:2])
    print(
        f"{figures[1]['name']} against {figures[0]['name']}: {scaling['rate']:.2f} times the requests,"
        f" {scaling['cpu']:.2f} times the CPU a request, the clients' on the same cores left out;"
        f" the process that listens is full at {scaling['most']:.0f}/s"
    )
    if options.json:
        write_json(options.json, {"contestants": figures, "scaling": scaling})
    kept = all(one["overload"]["keeps_promise"] for one in figures if one["name"].startswith("behealthy"))
    return DONE if kept else REFUSED


def contestants(models: Path, folder: Path) -> Iterator[Contestant]:
    """Yield the service with one process of the model and with two, on one core and on two, then MLflow's."""
    serve = [sys.executable, "-m", "production.serve", "--model", str(models), "--port", "{port}", "--workers"]
    both = os.cpu_count() or 1
    yield Contestant("behealthy, one core", [*serve, "1"], "/analyze", "/ready", 1)
    yield Contestant("behealthy", [*serve, str(both)], "/analyze", "/ready", both)
    yield Contestant("behealthy, /invocations", [*serve, str(both)], "/invocations", "/ready", both)
    command = [str(Path(sys.executable).with_name("mlflow")), "models", "serve", "--env-manager", "local"]
    place = ["--model-uri", str(_logged(models, folder)), "--host", "127.0.0.1", "--port", "{port}"]
    yield Contestant("mlflow models serve", [*command, *place], "/invocations", "/ping", both)


def _logged(models: Path, folder: Path) -> Path:
    """Log the model as `delivery.register` does, and return the folder that MLflow loads."""
    from delivery.registry.model import log_extractor
    from delivery.registry.registry import download_source
    from delivery.registry.server import connect
    from delivery.revision.hashes import folder_md5

    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
    client = connect()
    experiment = client.create_experiment("service", artifact_location=(folder / "artifacts").as_uri())
    uri = log_extractor(models, run_id=client.create_run(experiment).info.run_id)
    return download_source(client, uri, folder_md5(models), folder / "model", "the model")


def measure(
    contestant: Contestant, notes: Sequence[str], seconds: float, requests: int, folder: Path
) -> dict[str, Any]:
    """Return all figures of one contestant."""
    bodies = [json.dumps(_body(contestant.path, note)).encode() for note in notes]
    with _running(contestant, folder) as (port, process, ready):

        def clients() -> Clients:
            return Clients(port, contestant.path, bodies)

        ready_cpu = sum(_cpu_seconds(process.pid))
        asyncio.run(clients().closed(8, seconds=2.0))  # connections, caches
        loads = {}
        for number in CLIENTS:
            first = _cpu_seconds(process.pid)
            load = asyncio.run(clients().closed(number, seconds=seconds))
            loads[number] = _figures(load, first, _cpu_seconds(process.pid))
        before = _memory_mb(process.pid)
        many = asyncio.run(clients().closed(8, requests=requests, seconds=_MEMORY_SECONDS))
        after = _memory_mb(process.pid)
        capacity = max(load["rate"] for load in loads.values())
        overload = asyncio.run(clients().open(2 * capacity, seconds))
        return {
            "name": contestant.name,
            "ready_seconds": ready,
            "ready_cpu_seconds": ready_cpu,
            "loads": {str(number): load for number, load in loads.items()},
            "memory_mb": {"before": before, "after": after, "requests": many.statuses.total()},
            "overload": _figures(overload) | {"asked_rate": 2 * capacity, "keeps_promise": keeps_promise(overload)},
        }


def keeps_promise(load: Load) -> bool:
    """Tell whether an overloaded service answered what it took within a second, and turned the rest away by 503."""
    return set(load.statuses) <= {200, 503} and load.quantile(0.99) < 1.0


def scaling_of(one: dict[str, Any], more: dict[str, Any]) -> dict[str, float]:
    """Compare the best rates of a service on one core and on more.

    Returns
    -------
    dict of str to float
        `rate` and `cpu` of a request as multiples of those on one core, and `most`: the rate at which the process
        that listens has no time left, whatever cores there are beside its own.
    """
    best, other = (max(service["loads"].values(), key=lambda load: load["rate"]) for service in (one, more))
    cpu = [sum(load["cpu_ms"].values()) for load in (best, other)]
    most = 1e3 / other["cpu_ms"]["listening"]
    return {"rate": other["rate"] / best["rate"], "cpu": cpu[1] / cpu[0], "most": most}


def _body(path: str, note: str) -> dict[str, Any]:
    return {"inputs": [note]} if path == "/invocations" else {"text": note}


def _figures(load: Load, first: tuple[float, float] = (0, 0), last: tuple[float, float] = (0, 0)) -> dict[str, Any]:
    """Return what clients saw, and the CPU milliseconds a request: of the process that listens, and of its others."""
    each = 1e3 / max(len(load.latencies), 1)
    listening, others = (each * (after - before) for before, after in zip(first, last, strict=True))
    return {
        "cpu_ms": {"listening": listening, "others": others},
        "rate": load.rate,
        "p50_ms": 1e3 * load.quantile(0.5),
        "p99_ms": 1e3 * load.quantile(0.99),
        "statuses": {str(status): number for status, number in sorted(load.statuses.items())},
    }


def lines_of(figures: dict[str, Any]) -> Iterator[str]:
    """Yield what is printed of a contestant."""
    memory, overload = figures["memory_mb"], figures["overload"]
    yield f"{figures['name']}: ready after {figures['ready_seconds']:.1f} s, {figures['ready_cpu_seconds']:.1f} CPU s"
    for number, load in figures["loads"].items():
        yield (
            f"  {number:>3} clients  {load['rate']:7.0f}/s  p50 {load['p50_ms']:7.1f} ms  p99 {load['p99_ms']:7.1f} ms"
            f"  CPU a request {load['cpu_ms']['listening']:.2f} + {load['cpu_ms']['others']:.2f} ms  {load['statuses']}"
        )
    yield f"  memory {memory['before']:.0f} MB, after {memory['requests']:,} requests more {memory['after']:.0f} MB"
    yield (
        f"  asked {overload['asked_rate']:.0f}/s: {overload['rate']:.0f}/s, p50 {overload['p50_ms']:.1f} ms,"
        f" p99 {overload['p99_ms']:.1f} ms  {overload['statuses']}"
    )


@contextmanager
def _running(contestant: Contestant, folder: Path) -> Iterator[tuple[int, subprocess.Popen[bytes], float]]:
    """Start a service on its cores, wait until it is ready, and end it and its processes."""
    port = _free_port()
    command = [part.replace("{port}", str(port)) for part in contestant.command]
    cores = set(sorted(os.sched_getaffinity(0))[: contestant.cores])
    started = time.monotonic()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 (our own commands)
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),  # noqa: PLW1509 (no threads yet)
        )
    try:
        _wait(f"http://127.0.0.1:{port}{contestant.ready}", process)
        yield port, process, time.monotonic() - started
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(address: str, process: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + _PATIENCE
    while time.monotonic() < limit and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):  # noqa: S310 (http, our own)
                return
        except (OSError, urllib.error.URLError):
            time.sleep(0.02)
    raise BeHealthyError("a service did not start: run its command by hand to see why")


def _cpu_seconds(pid: int) -> tuple[float, float]:
    """Return the CPU seconds of a process, and those of all that it started and that live."""
    import psutil

    parent = psutil.Process(pid)
    times = [one.cpu_times() for one in [parent, *parent.children(recursive=True)]]
    own, *others = (time.user + time.system for time in times)
    return own, sum(others)


def _memory_mb(pid: int) -> float:
    """Return the memory of a process and all that it started, shared pages counted once."""
    import psutil

    parent = psutil.Process(pid)
    return sum(one.memory_full_info().pss for one in [parent, *parent.children(recursive=True)]) / 2**20


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())

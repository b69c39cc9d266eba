"""Inference on a database beside a plain loop over the extractor: the same notes and model, one after the other.

    python -m benchmarks.inference --notes 100000 --json reports/inference.json

The plain loop is `load_extractor(models).extract(note)`, note by note, in a process of its own, which keeps nothing;
it runs before and after each run of the pipeline, which is held against the mean of the two: a virtual machine's
second of CPU is worth more in one minute than in the next. Two processes at once cost each other time, so two workers
are held against two loops at once, too, each with half of the notes; and what one loop costs beside another process
that only counts is measured once: so much of a figure is the machine's where a database works beside a worker.
The pipeline is `python -m production.infer` as it is: CPU with that of its processes, the database's own CPU beside
it. With `--rounds` it is run so many times, and the run in the middle counts. Exit code 1: more than 1.3 times the
loop alone.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.loops import Took, busy_process, loops_at_once, mean_of
from benchmarks.postgres import postgres
from benchmarks.recombined import recombined, seed_notes
from benchmarks.running import Run, run_infer
from stages.common.command import DONE, REFUSED, run_command
from stages.common.errors import BeHealthyError
from stages.common.files import write_json

DATABASES = ("sqlite", "postgresql")
WORKERS = (1, 2)
PROMISE = 1.3
"""Times the CPU of the plain loop."""
_NOTES_A_DAY, _DAY = 1_000_000, 86_400.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.inference", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--notes", type=int, default=10_000, help="how many (default: 10000)")
    parser.add_argument("--models", type=Path, default=Path("models"), help="model folder (default: models)")
    parser.add_argument("--database", choices=DATABASES, help="only this one (default: both)")
    parser.add_argument("--workers", type=int, choices=WORKERS, help="only so many (default: 1, then 2)")
    parser.add_argument("--rounds", type=int, default=1, help="runs of each, of which the middle counts (default: 1)")
    parser.add_argument("--json", type=Path, help="where the figures are written")
    options = parser.parse_args(arguments)
    if options.notes < 100:
        parser.error("--notes must be 100 at least")
    if options.rounds < 1:
        parser.error("--rounds must be 1 at least")
    return run_command("inference", lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    if not (options.models / "model.json").is_file():
        raise BeHealthyError("a model is needed: run `make repro`")
    with tempfile.TemporaryDirectory(prefix="behealthy-inference-") as name:
        result = measure(options, Path(name))
    if options.json:
        write_json(options.json, result)
    print(table_of(result))
    return DONE if all(one["times_the_loop"] <= PROMISE for one in result["pipeline"]) else REFUSED


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return all figures."""
    notes = folder / "notes.jsonl"
    with notes.open("w", encoding="utf-8") as lines:
        for number, (text, metadata) in enumerate(recombined(seed_notes(), options.notes)):
            lines.write(json.dumps({"id": f"{number:07}", "text": text, "metadata": metadata}) + "\n")
    _say(f"{options.notes:,} notes")
    workers = [options.workers] if options.workers else WORKERS
    alone = _loops(options.models, notes, folder, 1)
    with busy_process():
        beside = _loops(options.models, notes, folder, 1)
    loops = [{number: _loops(options.models, notes, folder, number) for number in sorted({1, *workers})}]
    busy = beside["cpu_seconds"] / mean_of(alone, loops[0][1])["cpu_seconds"]
    pipeline = []
    for database in [options.database] if options.database else DATABASES:
        for number in workers:
            rounds = [_round(options, notes, folder, database, number, loops) for _ in range(options.rounds)]
            pipeline.append(middle_of(rounds))
    return {"notes": options.notes, "loops": loops, "loop_beside_a_busy_process": busy, "pipeline": pipeline}


def _round(
    options: argparse.Namespace, notes: Path, folder: Path, database: str, workers: int, loops: list[dict[int, Took]]
) -> dict[str, Any]:
    """Run the pipeline and the loops after it, which are added to `loops`, by how many work at once."""
    with _database(database, folder) as (url, server):
        run = run_infer(url, options.models, workers, notes, server)
    _say(f"{database}, {workers} workers: {run.cpu_seconds:.1f} CPU s in {run.seconds:.1f} s")
    before, after = loops[-1], {number: _loops(options.models, notes, folder, number) for number in loops[-1]}
    loops.append(after)
    loop, peer = (mean_of(before[number], after[number]) for number in (1, workers))
    return figures_of(run, loop, peer, options.notes)


def middle_of(rounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the round in the middle by its CPU in loops, of an even number the dearer; all of them in `rounds`."""
    ordered = sorted(rounds, key=lambda one: one["times_the_loop"])
    return ordered[len(ordered) // 2] | {"rounds": [one["times_the_loop"] for one in rounds]}


def _loops(models: Path, notes: Path, folder: Path, number: int) -> Took:
    took = loops_at_once(models, notes, folder, number)
    _say(f"{number} plain loop{'s at once' * (number > 1)}: {took['cpu_seconds']:.1f} CPU s in {took['seconds']:.1f} s")
    return took


@contextmanager
def _database(kind: str, folder: Path) -> Iterator[tuple[str, int | None]]:
    if kind == "postgresql":
        with postgres() as (url, process):
            yield url, process
        return
    with tempfile.TemporaryDirectory(dir=folder) as name:
        yield f"sqlite:///{name}/production/behealthy.db", None


def figures_of(run: Run, loop: Took, peer: Took, notes: int) -> dict[str, Any]:
    """Hold a run against the plain loop, and against its peer: as many loops at once as it has workers.

    `times_the_loop` is of the notes alone, what it takes to start taken off on both sides; `with_start` of all.
    """
    own = run.cpu_seconds - run.start_cpu_seconds
    return run._asdict() | {
        "times_the_loop": own / loop["cpu_seconds"],
        "times_the_peer": own / peer["cpu_seconds"],
        "host_times_the_loop": run.host_cpu_seconds / loop["cpu_seconds"],
        "with_start": run.cpu_seconds / (loop["cpu_seconds"] + loop["start_cpu_seconds"]),
        "cpu_ms_a_note": 1e3 * own / notes,
        "notes_a_second": notes / run.seconds,
        "share_of_a_core": own / notes * _NOTES_A_DAY / _DAY,
    }


def table_of(result: dict[str, Any]) -> str:
    """Return what was measured as a table."""
    each = {
        number: [1e3 * around[number]["cpu_seconds"] / result["notes"] for around in result["loops"]]
        for number in result["loops"][0]
    }
    memory = max(took["memory_mb"] for around in result["loops"] for took in around.values())
    said = (f"{number} at once {min(one):.2f} to {max(one):.2f}" for number, one in each.items())
    lines = [
        f"{result['notes']:,} notes; plain loops: {', '.join(said)} ms of CPU a note, {memory:.0f} MB;"
        f" one beside a busy process {result['loop_beside_a_busy_process']:.2f} times one alone",
        f"{'':23}{'CPU ms':>7}{'x loop':>7}{'x peer':>7}{'started':>8}{'host':>6}{'x loop':>7}{'server':>7}"
        f"{'notes/s':>8}{'p50 s':>7}{'p99 s':>7}{'worker MB':>14}{'host MB':>14}{'million a day':>15}",
    ]
    for one in result["pipeline"]:
        name = f"{one['database']}, {one['workers']} worker{'s' if one['workers'] > 1 else ''}"
        per_note = 1e3 / result["notes"]
        lines.append(
            f"{name:23}{one['cpu_ms_a_note']:7.2f}{one['times_the_loop']:7.2f}{one['times_the_peer']:7.2f}"
            f"{one['with_start']:8.2f}"
            f"{per_note * one['host_cpu_seconds']:6.2f}{one['host_times_the_loop']:7.2f}"
            f"{per_note * one['server_cpu_seconds']:7.2f}{one['notes_a_second']:8.0f}"
            f"{one['batch_p50_seconds']:7.2f}{one['batch_p99_seconds']:7.2f}"
            f"{_growth(one, 'worker'):>14}{_growth(one, 'host'):>14}{100 * one['share_of_a_core']:14.1f}%"
        )
    return "\n".join(lines)


def _growth(run: dict[str, Any], kind: str) -> str:
    return f"{run[f'{kind}_mb_at_a_tenth']:.0f} to {run[f'{kind}_mb_at_the_end']:.0f}"


def _say(what: str) -> None:
    print(f"inference: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

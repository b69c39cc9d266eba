"""What passes until the first note is tagged, in CPU seconds: on a fresh machine, in a second clone, process or model.

    python -m benchmarks.cold_start --csv reports/cold_start.csv

Each case runs in processes of its own, with a folder of compiled kernels of its own, which is empty at first. The
seconds are those of all its processes and begin with the start of Python; `--graph` adds the whole graph on the data
that is here, with all kernels compiled.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from stages.common.command import DONE, REFUSED, run_command
from stages.common.errors import BeHealthyError
from stages.common.variables import KERNELS

COLUMNS = ["case", "cpu_seconds", "allowed"]
_CODE = ("stages", "production", "delivery", "annotation", "params.yaml", "dvc.yaml", "great_expectations", "data")
_FIRST_NOTE = (
    "import sys; from pathlib import Path; from stages.train.extractor import load_extractor\n"
    "notes = ['Walk.', 'Known COPD, no asthma. Start tiotropium 18 mcg once daily.',"
    " 'Chronic obstructive pulmonary disease (COPD); COPD-like cough, qxzwv. No pneumonia, no heart failure.']\n"
    "load_extractor(Path(sys.argv[1])).extract_all(notes)"
)


class Measured(NamedTuple):
    """CPU seconds of a case, and how many it may take; None where nothing is promised."""

    case: str
    cpu_seconds: float
    allowed: float | None


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and say whether what is promised holds: 0 yes, 1 no, 2 nothing could be measured."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cold_start", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--models", type=Path, default=Path("models"), help="model folder (default: models)")
    parser.add_argument("--graph", action="store_true", help="also every stage of the graph, with all compiled")
    parser.add_argument("--csv", type=Path, help="where the table is written")
    options = parser.parse_args(arguments)
    results: list[Measured] = []

    def run() -> None:
        for measured in measure(options.models.absolute(), graph=options.graph):
            results.append(measured)
            print(line_of(measured), flush=True)
        if options.csv:
            _write(options.csv, results)

    if code := run_command("cold_start", run):
        return code
    slow = [result.case for result in results if result.allowed and result.cpu_seconds > result.allowed]
    print(f"more than allowed: {', '.join(slow)}" if slow else "all within what is allowed")
    return REFUSED if slow else DONE


def measure(models: Path, *, graph: bool = False) -> Iterator[Measured]:
    """Yield what each case takes.

    Raises
    ------
    BeHealthyError
        When there is no model, or a process fails.
    """
    if not (models / "model.json").is_file():
        raise BeHealthyError(f"there is no model in {models}: run `make repro`")
    with tempfile.TemporaryDirectory(prefix="behealthy-cold-") as name:
        work, root = Path(name), Path.cwd()
        note = [sys.executable, "-c", _FIRST_NOTE, str(models)]
        empty, shared = {KERNELS: str(work / "empty")}, {KERNELS: str(work / "shared")}
        yield Measured("first note, nothing compiled", _seconds(note, root, empty), 20)
        yield Measured("all kernels from nothing", _seconds(_module("production.compile"), root, shared), 30)
        yield Measured("all kernels, all compiled", _seconds(_module("production.compile"), root, shared), None)
        yield Measured("first note, second process", _seconds(note, root, shared), 2)
        clone, served = work / "clone", work / "served"
        copy_clone(root, clone)
        yield Measured("first note, second clone", _seconds(note, clone, shared), 2)
        note[-1] = str(copy_served(root, models, served))
        yield Measured("first note, downloaded model", _seconds(note, served, shared), 2)
        if graph:
            yield from _graph(clone, shared)


def _graph(clone: Path, shared: Mapping[str, str]) -> Iterator[Measured]:
    from stages.common.files import parse_yaml

    stages = list(parse_yaml((clone / "dvc.yaml").read_text(encoding="utf-8"))["stages"])
    seconds = {stage: _seconds(_module(f"stages.{stage}"), clone, shared) for stage in stages}
    yield from (Measured(f"  stage {stage}", spent, None) for stage, spent in seconds.items())
    yield Measured("the graph, all compiled", sum(seconds.values()), 60)


def copy_clone(root: Path, target: Path) -> None:
    """Copy the code and the data, with new time stamps and nothing that was compiled."""
    target.mkdir()
    left_out = shutil.ignore_patterns("__pycache__", "*.nbi", "*.nbc", "prepared", "features", "serving")
    for name in _CODE:
        if (root / name).is_dir():
            shutil.copytree(root / name, target / name, ignore=left_out, copy_function=shutil.copyfile)
        else:
            shutil.copyfile(root / name, target / name)


def copy_served(root: Path, models: Path, target: Path) -> Path:
    """Lay out a model and its code as MLflow downloads them; return the model's folder."""
    from delivery.registry.model import copy_code

    copy_code(root, target)
    return Path(shutil.copytree(models, target / "artifacts" / "models"))


def _module(name: str) -> list[str]:
    return [sys.executable, "-m", name]


def _seconds(command: Sequence[str], folder: Path, settings: Mapping[str, str]) -> float:
    """Return the CPU seconds of a command and of what it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, **settings, "PYTHONPATH": str(folder)}
    done = subprocess.run(  # noqa: S603  (our own modules)
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise BeHealthyError(f"{' '.join(command[:3])} failed: {done.stderr.strip()[-500:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def line_of(measured: Measured) -> str:
    """Return a case as one line of the table."""
    allowed = "" if measured.allowed is None else f"  of {measured.allowed:g}"
    return f"{measured.case:<36}{measured.cpu_seconds:8.1f} s{allowed}"


def _write(path: Path, results: Sequence[Measured]) -> None:
    import pandas as pd

    from stages.common.files import write_csv

    write_csv(path, pd.DataFrame(results, columns=COLUMNS).round({"cpu_seconds": 2}))


if __name__ == "__main__":
    sys.exit(main())

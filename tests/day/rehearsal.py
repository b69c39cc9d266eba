"""Ask the gate about the day's challenger, without servers, in a third of the time: python -m tests.day.rehearsal.

Two runs of the graph and a registry in a file. What people read is taken to be the first notes that arrive; in the
story the review queue draws them.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from stages.common.variables import KERNELS
from tests.day.notes import case_reports, home_notes, write_jsonl
from tests.repository import Repository, add_batch, from_working_tree

ANNOTATED, READ_HOME, READ_CASES = 400, 304, 25
TRAINING_SECONDS = 2400


def main(arguments: Sequence[str] | None = None) -> int:
    """Rehearse: 0 the challenger is promoted, 1 a gate refuses."""
    parser = argparse.ArgumentParser(prog="python -m tests.day.rehearsal", description=__doc__)
    parser.add_argument("--annotated", type=int, default=ANNOTATED, help="home notes that the champion learns")
    parser.add_argument("--cases", type=int, default=READ_CASES, help="case reports that the challenger learns, too")
    parser.add_argument("--home", type=int, default=READ_HOME, help="home notes that the challenger learns, too")
    parser.add_argument("--from", dest="first", type=int, default=0, metavar="CASE", help="the first of these reports")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        return _rehearse(Path(folder), options)


def _rehearse(folder: Path, options: argparse.Namespace) -> int:
    (folder / "behealthy").mkdir()
    kernels = os.environ.get(KERNELS) or str(Path.home() / ".cache/behealthy/kernels")
    repository = from_working_tree(folder / "behealthy").settings(**{KERNELS: kernels})
    repository.fetch_seed()
    repository.git("rm", "--quiet", "data/annotations.dvc")
    repository.run("rm", "-r", "data/annotations")
    repository.set_params("train.learning_curve=[0.5]")
    before, later = home_notes(options.annotated)
    cases = case_reports(folder)[options.first :][: options.cases]
    read = [one.document for one in (*later[: options.home], *cases)]
    add_batch(repository, write_jsonl(folder / "first.jsonl", before), "first-notes")
    _judge(repository, "champion")
    add_batch(repository, write_jsonl(folder / "read.jsonl", read), "reviewed")
    return _judge(repository, "challenger")


def _judge(repository: Repository, name: str) -> int:
    repository.dvc("repro", timeout=TRAINING_SECONDS)
    repository.commit(f"The {name}")
    repository.run("python", "-m", "delivery.register", "--rev", "HEAD", timeout=TRAINING_SECONDS)
    verdict = repository.run(
        "sh", "-c", "python -m delivery.promote --rev HEAD 2>&1; echo exit $?", timeout=TRAINING_SECONDS
    ).out
    print(f"{name}: strict F1 {repository.f1():.4f}\n{verdict}", flush=True)
    return int(verdict.split()[-1])


if __name__ == "__main__":
    sys.exit(main())

"""Take the notes that wait through the champion: encode_data, input_features_check, load_model, prediction_col_check.

    python -m production.infer                   until none waits
    python -m production.infer --watch --workers 2
    python -m production.infer --model models    the model of a folder instead of the registry's champion
    python -m production.infer --load-only       look the champion up, fetch it, check it, start it, and end

Results are current, as the champion's are: another version (models:/NAME/3) is refused, and asked by
`production.predict` and `production.serve` only, which write no results.

Every note gets exactly one result of a version, or one row of the quarantine, whatever ends a worker. Exit codes:
0 done; 1 some notes in quarantine; 2 could not. With --watch it ends after SIGTERM, with its batch.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from production.arguments import CURRENT_MODEL, current_model_argument, workers_argument
from production.database.engine import database_session
from stages.common.command import DONE, REFUSED, run_command

if TYPE_CHECKING:
    from production.inference.load_model import Loaded


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m production.infer", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--watch", action="store_true", help="go on: look for new notes until asked to end")
    parser.add_argument("--workers", type=workers_argument, default=1, help="processes (default: 1)")
    parser.add_argument("--batch", type=int, help="notes of one transaction (default: inference.batch of params.yaml)")
    parser.add_argument("--model", type=current_model_argument, metavar="MODEL", help=CURRENT_MODEL)
    parser.add_argument("--shadow", choices=("challenger",), help="ask this version too; its results do not count")
    parser.add_argument("--load-only", action="store_true", help="take no note: can the model be loaded?")
    options = parser.parse_args(arguments)
    if options.load_only and (options.watch or options.shadow or options.workers > 1):
        parser.error("--load-only loads one model once, and goes with neither --watch, --shadow nor --workers")
    if options.batch is not None and not 1 <= options.batch <= 5000:
        parser.error("--batch must be 1 to 5000")
    return options


def run(options: argparse.Namespace) -> int:
    """Work as one worker, or start several."""
    from production.inference.setup import Workplace, stop_when_asked
    from production.inference.workers import supervise

    if options.workers > 1:
        return supervise(_for_one(options), options.workers)
    place = Workplace.open(options.batch)
    served = place.loaded(folder=options.model)
    if options.load_only:
        return _load(served)
    shadow = place.loaded(options.shadow) if options.shadow else None
    worker = place.worker(served, shadow=shadow)
    stop_when_asked(worker)
    try:
        counts = worker.run(watch=options.watch)
    finally:
        for loaded in (served, shadow):
            if loaded is not None:
                loaded.stop()
    print(f"infer: {worker.summary()}")
    return REFUSED if counts["quarantined"] else DONE


def _load(served: Loaded) -> int:
    """Load a model as a worker does, and end its process: its files stay, and are not fetched again."""
    try:
        model, host = served.current()
        print(f"infer: version {model.version} can be loaded, for {', '.join(host.labels)}")
    finally:
        served.stop()
    return DONE


def _for_one(options: argparse.Namespace) -> list[str]:
    given = {"--batch": options.batch, "--model": options.model, "--shadow": options.shadow}
    pairs = [word for name, value in given.items() if value is not None for word in (name, str(value))]
    return [*pairs, *(["--watch"] if options.watch else [])]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    options = parse(arguments)
    return run_command("infer", lambda: run(options), within=database_session())


if __name__ == "__main__":
    sys.exit(main())

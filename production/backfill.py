"""Let the champion look again at notes that a former one has looked at: a promotion alone changes no history.

    python -m production.backfill --dry-run                  how many notes, and what it would cost
    python -m production.backfill --since 2026-01-01 --source ward-7

New notes do not wait for it: it takes what has no result of the champion, in the order of the notes. It can be
ended and started again at any time, and by several at once. Results that the champion wrote as a challenger count
from then on. Exit codes: 0 done; 1 some notes in quarantine; 2 could not.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from production.arguments import CURRENT_MODEL, current_model_argument
from production.database.engine import database_session
from stages.common.command import DONE, REFUSED, run_command
from stages.common.wording import counted
from stages.monitor.times import time_argument

if TYPE_CHECKING:
    from production.inference.claims import Scope
    from production.inference.load_model import Loaded
    from production.inference.setup import Workplace

SAMPLE = 20
"""Notes whose time is measured for the estimate."""


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m production.backfill", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--since", type=time_argument, metavar="DATE", help="notes that arrived from then on (UTC)")
    parser.add_argument("--source", help="notes of one source")
    parser.add_argument("--dry-run", action="store_true", help="say how many notes and what it costs; do nothing")
    parser.add_argument("--model", type=current_model_argument, metavar="MODEL", help=CURRENT_MODEL)
    return parser.parse_args(arguments)


def run(options: argparse.Namespace) -> int:
    """Estimate, and do it."""
    from production.database.sources import refuse_unknown_source
    from production.inference.claims import Scope
    from production.inference.setup import Workplace, stop_when_asked

    place = Workplace.open(command="backfill")
    refuse_unknown_source(place.engine, options.source)
    scope = Scope(backfill=True, since=options.since, source=options.source)
    served = place.loaded(folder=options.model)
    try:
        _tell(place, scope, served)
        if options.dry_run:
            return DONE
        worker = place.worker(served, scope)
        stop_when_asked(worker)
        counts = worker.run()
    finally:
        served.stop()
    print(f"backfill: {worker.summary()}")
    return REFUSED if counts["quarantined"] else DONE


def _tell(place: Workplace, scope: Scope, served: Loaded) -> None:
    from production.database.engine import reading

    model, _ = served.current()
    with reading(place.engine) as connection:
        texts, characters = scope.size(connection, model.version)
    seconds = _estimate(place, scope, served, characters) if texts else 0.0
    print(
        f"backfill: {counted(texts, 'note')} of {characters:,} characters without a result of version {model.version};"
        f" about {seconds / 60:,.1f} minutes of one core",
        flush=True,
    )


def _estimate(place: Workplace, scope: Scope, served: Loaded, characters: int) -> float:
    """Time a few of the notes, and return what all would take."""
    from production.inference.claims import sample
    from production.inference.host import NoteFailedError

    model, host = served.current()
    texts = sample(place.engine, scope.condition(model.version), SAMPLE)
    started = time.perf_counter()
    for text in texts:
        try:
            host.extract(text[: place.params.note_characters], place.params.note_seconds)
        except NoteFailedError:
            continue
    return (time.perf_counter() - started) / max(sum(map(len, texts)), 1) * characters


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    options = parse(arguments)
    return run_command("backfill", lambda: run(options), within=database_session())


if __name__ == "__main__":
    sys.exit(main())

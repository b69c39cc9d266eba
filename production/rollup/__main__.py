"""Compute what the dashboard shows, and keep it in the database.

    python -m production.rollup                     after each `python -m production.watch run`
    python -m production.rollup --json rollup.json  write it to a file, too; - prints it

Pages read what is kept, and say how old it is. The same database gives the same figures; run it as often as you like.

Exit codes: 0 done; 1 a part could not be computed, and its page says why; 2 nothing was kept.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from production.database.engine import database_session
from stages.common.command import DONE, REFUSED, run_command
from stages.common.files import write_text


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m production.rollup", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", metavar="FILE", help="write what was computed, too; - prints it")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace) -> int:
    """Compute, keep, and say what."""
    from production.rollup.keeping import roll_up
    from production.rollup.place import Place
    from production.rollup.reading import FAULT

    subjects = roll_up(Place.open(), datetime.now(UTC))
    if options.json:
        text = json.dumps(subjects, indent=2, ensure_ascii=False) + "\n"
        sys.stdout.write(text) if options.json == "-" else write_text(Path(options.json), text, private=True)
    computed = [name for name, content in subjects.items() if FAULT not in content]
    said = f"rollup: {', '.join(computed) or 'nothing'} computed"
    print(said, file=sys.stderr if options.json == "-" else sys.stdout)
    return DONE if len(computed) == len(subjects) else REFUSED


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    options = parse(arguments)
    return run_command("rollup", lambda: run(options), within=database_session())


if __name__ == "__main__":
    sys.exit(main())

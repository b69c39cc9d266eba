"""The database of production: make or migrate it, or say what it holds.

    python -m production.database build
    python -m production.database status
    python -m production.database quarantine

It is the SQLite file data/production/behealthy.db, readable by its owner only, or what BEHEALTHY_DATABASE_URL names:
postgresql://user:password@host/name.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from production.arguments import count_argument
from production.database.engine import database_session
from production.terminal import on_one_line
from stages.common.command import run_command


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m production.database",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="make the database, or migrate it to the revision of this code")
    build.set_defaults(run=run_build)
    status = commands.add_parser("status", help="its revision, and how many notes and results it holds")
    status.add_argument("--json", action="store_true", help="print JSON")
    status.set_defaults(run=run_status)
    quarantine = commands.add_parser("quarantine", help="the notes that were set aside: where they stand, and why")
    quarantine.add_argument("--all", action="store_true", help="those, too, whose note has a result since")
    quarantine.add_argument("--last", type=count_argument, default=100, help="how many, the newest (default: 100)")
    quarantine.set_defaults(run=run_quarantine)
    return parser.parse_args(arguments)


def run_build(_: argparse.Namespace) -> None:
    """Make or migrate the database."""
    from production.database.engine import make_engine
    from production.database.revision import migrate

    before, after = migrate(make_engine(create=True))
    if before == after:
        print(f"database: is of revision {after} already")
    else:
        print(f"database: {f'migrated from revision {before}' if before else 'made'}, now of revision {after}")


def run_status(options: argparse.Namespace) -> None:
    """Print what the database holds."""
    from production.database.revision import newest, open_database
    from production.database.status import counts

    found = {"revision": newest(), **counts(open_database())}
    if options.json:
        print(json.dumps(found, indent=2))
        return
    for name, value in found.items():
        shown = ", ".join(f"{key} {number:,}" for key, number in value.items()) if isinstance(value, dict) else value
        print(f"{name:12} {shown if shown != '' else '-'}")


def run_quarantine(options: argparse.Namespace) -> None:
    """Print the newest rows of the quarantine, oldest first."""
    from production.database.revision import open_database
    from production.database.status import quarantined

    rows = list(quarantined(open_database(), options.last, mended=options.all))
    for row in rows:
        print("\t".join("" if value is None else on_one_line(str(value)) for value in row))
    if not rows:
        print("database: no note is in quarantine", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    options = parse(arguments)
    return run_command("database", lambda: options.run(options), within=database_session())


if __name__ == "__main__":
    sys.exit(main())

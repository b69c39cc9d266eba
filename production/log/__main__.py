"""The serving log as files: what `python -m stages.monitor` judges, by month, on a disk or on S3.

    python -m production.log export --to serving-log
    python -m production.log export --since 2026-11-01 --until 2026-12-01 --to s3://BUCKET/serving-log
    python -m production.log new-key             where the key is lost: the names of notes begin anew

Run again, it adds what is new; parts that are there are never written again. Rows say how long notes are, what was
counted in them and which kind of note they are; none has words of a note, and what names a note cannot be traced
without a key.

Exit codes: 0 done, also when there was nothing new; 2 something is missing or wrong.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from production.database.engine import database_session
from stages.common.command import run_command
from stages.common.locks import locked
from stages.common.wording import counted
from stages.monitor.times import time_argument


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m production.log", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    export = commands.add_parser("export", help="write the rows that the folder does not have yet")
    export.add_argument("--to", default="serving-log", help="folder, or URL such as s3://… (default: serving-log)")
    export.add_argument(
        "--since", type=time_argument, help="only what was served then or later (ISO 8601; UTC without a zone)"
    )
    export.add_argument("--until", type=time_argument, help="only what was served before")
    export.set_defaults(run=run_export)
    new = commands.add_parser("new-key", help="where the key of the names is lost: make another; they begin anew")
    new.set_defaults(run=run_new_key, since=None, until=None)
    options = parser.parse_args(arguments)
    if options.since and options.until and options.since >= options.until:
        parser.error("--since must be before --until")
    return options


def run_export(options: argparse.Namespace) -> None:
    """Export, and say how much."""
    from production.database.revision import open_database
    from production.log.exporting import Window, export_log
    from production.log.folder import open_folder
    from production.record.work_tree import refuse_shared

    to = options.to.removeprefix("file://")
    local = "://" not in to
    if local:
        refuse_shared(Path(to).resolve(), holds="the serving log tells of patients")
        Path(to).parent.mkdir(parents=True, exist_ok=True)
    with locked(Path(to), "exporting the serving log") if local else nullcontext():
        engine = open_database()
        written = export_log(engine, open_folder(to), Window(options.since, options.until))
    done = f"{counted(written.rows, 'row')} in {counted(written.parts, 'part')}" if written.parts else "nothing new"
    print(f"log: {done}: {options.to}")


def run_new_key(_: argparse.Namespace) -> None:
    """Make a key, and say what that means."""
    from production.database.engine import address, folder_of
    from production.inference.log_key import new_key

    file = new_key(folder_of(address()))
    print(f"log: made {file.name}: from now on notes have other names than in the rows before; back it up")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    options = parse(arguments)
    return run_command("log", lambda: options.run(options), within=database_session())


if __name__ == "__main__":
    sys.exit(main())

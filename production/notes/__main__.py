"""Notes into the database of production.

    python -m production.notes add notes.jsonl --source ward-7
    python -m production.notes add folder/of/notes
    some-program | python -m production.notes add -          JSON lines; another format with --from
    python -m production.notes retry --step encode_data      after inference.note_seconds was raised

Text files (a note each), CSV (columns id and text, all others metadata), JSON lines ({"id", "text", "metadata"}, names
beside them are metadata, too), Parquet; standard input has JSON lines. The same notes again change nothing; the same id
in another file with another text is a correction, twice in one file with different texts it is a fault. A note that
cannot be read goes to quarantine with file, line and reason, and the rest goes on. `retry` lets notes wait again that
the pipeline refused. Exit codes: 0 all stored or known; 1 some in quarantine; 2 could not.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from production.database.engine import database_session
from stages.common.command import DONE, REFUSED, run_command
from stages.common.wording import counted

FORMATS = ("text", "csv", "jsonl", "parquet")
SOURCE = "notes"
STEPS = ("encode_data", "input_features_check", "prediction_col_check")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m production.notes", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser("add", help="read notes and store them")
    add.add_argument("notes", nargs="+", type=Path, metavar="FILE|FOLDER|-", help="- is standard input, JSON lines")
    add.add_argument("--source", default=SOURCE, help=f"where they come from: ward, system (default: {SOURCE})")
    add.add_argument(
        "--from", dest="format", choices=FORMATS, help="format of the files; without it their suffix tells"
    )
    add.add_argument("--format", choices=FORMATS, help=argparse.SUPPRESS)  # what it was called before
    add.add_argument("--encoding", default="utf-8", help="of text, CSV and JSON lines (default: utf-8)")
    add.add_argument("--id-column", default="id", help="of CSV, JSON lines, Parquet: the identifier (default: id)")
    add.add_argument("--text-column", default="text", help="of the same: the text of the note (default: text)")
    add.add_argument(
        "--settled", type=_seconds, default=0.0, help="of folders: leave files out that were written to since (seconds)"
    )
    add.set_defaults(run=run_add)
    retry = commands.add_parser("retry", help="let quarantined notes wait again: after a limit was raised")
    retry.add_argument("--source", help="only notes of one source")
    retry.add_argument("--step", choices=STEPS, help="only what one step of the pipeline refused")
    retry.set_defaults(run=run_retry)
    options = parser.parse_args(arguments)
    if options.command != "add":
        return options
    if options.id_column == options.text_column:
        parser.error("--id-column and --text-column cannot be one")
    if not options.source.strip() or len(options.source) > 200:
        parser.error("--source must have 1 to 200 characters")
    return options


def run_add(options: argparse.Namespace) -> int:
    """Store notes; tell how many of which kind."""
    from itertools import chain

    from production.database.revision import open_database
    from production.notes.reading import read
    from production.notes.storing import add

    given = {"id_column": options.id_column, "text_column": options.text_column, "settled": options.settled}
    sources = [read(path, options.format, options.encoding, **given) for path in options.notes]
    counts = add(open_database(), chain.from_iterable(sources), options.source)
    shown = ", ".join(f"{counts[kind]:,} {kind}" for kind in ("new", "changed", "known", "quarantined"))
    print(f"notes: {shown}")
    if not counts["quarantined"]:
        return DONE
    print("notes: why, and where: `python -m production.database quarantine`", file=sys.stderr)
    return REFUSED


def run_retry(options: argparse.Namespace) -> int:
    """Let quarantined notes wait; tell how many."""
    from production.database.revision import open_database
    from production.database.sources import refuse_unknown_source
    from production.notes.retrying import retry

    engine = open_database()
    refuse_unknown_source(engine, options.source)
    number = retry(engine, source=options.source, step=options.step)
    print(f"notes: {counted(number, 'note')} out of quarantine, to be looked at by `python -m production.infer`")
    return DONE


def _seconds(given: str) -> float:
    if not 0 <= (seconds := float(given)) <= 86_400:
        raise argparse.ArgumentTypeError("write seconds, of a day at most")
    return seconds


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    options = parse(arguments)
    return run_command("notes", lambda: int(options.run(options)), within=database_session())


if __name__ == "__main__":
    sys.exit(main())

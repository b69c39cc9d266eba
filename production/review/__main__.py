"""Which notes people look at, what they decide, and the way of that back to the training.

    python -m production.review plan                            what came since the last plan; run it daily
    python -m production.review next --reviewer NAME --json     claim a note, and print it: clinical text
    python -m production.review done --task 7 --reviewer NAME decisions.json
    python -m production.review show --task 7                   what was decided on it: clinical text
    python -m production.review correct --review 12 --reviewer NAME decisions.json
    python -m production.review status
    python -m production.review estimate                        how right the champion is: audits, with intervals
    python -m production.review agreement
    python -m production.review export --to reviewed-notes      an annotation batch for python -m annotation.add
    python -m production.review export --inbox FOLDER           what was reviewed since, for python -m annotation.inbox
    python -m production.review export-tasks --to tasks.json    for Label Studio, instead of the desk
    python -m production.review import export.json              what was annotated there

Names of reviewers are not stored: a pseudonym under the key of the serving log stands for each.

Exit codes: 0 done, also where there is nothing to do; 1 a review is refused, and nothing of it written, or (estimate)
the promise is broken; 2 something is missing or wrong.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from production.arguments import count_argument
from production.database.engine import database_session
from stages.common.command import run_command
from stages.monitor.times import time_argument

_DECISIONS = """Hand in what you decided on a note, as JSON:

    {"seconds": 41.5,
     "mentions": [{"number": 0, "decision": "accept"},
                  {"number": 1, "decision": "change", "end": 31, "label": "Treatment", "assertion": "negated"},
                  {"number": 2, "decision": "reject"}],
     "suggestions": [{"number": 0, "decision": "accept"}],
     "missed": [{"start": 52, "end": 60, "label": "Disease"}]}

Every mention needs an answer; a suggestion without one is rejected. Of a change, what is not given stays as it was
shown. Offsets count characters of the text. `seconds` are those of looking, pauses left out."""
_SINCE = "only what was reviewed or corrected then or later (ISO 8601; UTC without a zone)"


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m production.review", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("plan", help="draw the audit of what came since the last plan, and queue the work")
    _add_desk(commands)
    status = commands.add_parser("status", help="open, claimed and done; the audit's minutes; agreement")
    status.add_argument("--json", action="store_true", help="print JSON")
    estimate = commands.add_parser("estimate", help="precision, recall, F1 and minutes, from the audits")
    estimate.add_argument("--since", type=time_argument, help="only plans that end later (ISO 8601; UTC)")
    estimate.add_argument("--json", action="store_true", help="print JSON")
    commands.add_parser("agreement", help="how far those who read the same notes agree, and where not")
    _add_ways_out(commands)
    options = parser.parse_args(arguments)
    if options.command == "export" and options.inbox and options.since:
        parser.error("--inbox knows since when, and takes no --since")
    return options


def _add_desk(commands: Any) -> None:
    ask = commands.add_parser("next", help="claim a note, or get the one that is claimed")
    _add_reviewer(ask)
    _add_stream(ask)
    ask.add_argument("--json", action="store_true", help="print the task with its text as JSON")
    for name, option, about, which in (
        ("done", "--task", "hand in the decisions on a note", "as `next` names it"),
        ("correct", "--review", "hand in other decisions in place of a review's", "as `done` named it"),
    ):
        one = commands.add_parser(
            name, help=about, description=_DECISIONS, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        one.add_argument(option, type=count_argument, required=True, metavar="N", dest="number", help=which)
        _add_reviewer(one)
        one.add_argument("file", metavar="FILE", help="decisions as JSON, or - for standard input")
    again = commands.add_parser("show", help="print a note that was handed in, and what was decided: clinical text")
    again.add_argument("--task", type=count_argument, required=True, metavar="N", dest="number")
    again.add_argument("--json", action="store_true", help="print it as JSON, the decisions as `correct` takes them")
    back = commands.add_parser("give-back", help="let another have a note")
    back.add_argument("--task", type=count_argument, required=True, metavar="N", dest="number")
    _add_reviewer(back)


def _add_ways_out(commands: Any) -> None:
    export = commands.add_parser("export", help="reviewed notes as an annotation batch")
    where = export.add_mutually_exclusive_group(required=True)
    where.add_argument("--to", type=Path, help="folder, which must not be there yet")
    where.add_argument("--inbox", type=Path, help="folder that annotation.inbox reads: what it did not get yet")
    export.add_argument("--since", type=time_argument, help=f"with --to: {_SINCE}")
    export.add_argument("--at-least", type=count_argument, default=1, help="with --inbox: with fewer notes it waits")
    _add_stream(export)
    tasks = commands.add_parser("export-tasks", help="claim notes for Label Studio, and write them as its tasks")
    tasks.add_argument("--to", type=Path, required=True, help="file to write, which must not be there yet")
    tasks.add_argument("--count", type=count_argument, default=50, help="notes at most (default: 50)")
    tasks.add_argument("--days", type=count_argument, default=7, help="how long they are kept for it (default: 7)")
    _add_stream(tasks)
    back = commands.add_parser("import", help="hand in what was annotated in Label Studio (its JSON export)")
    back.add_argument("file", type=Path)


def _add_reviewer(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--reviewer", type=_name, required=True, metavar="NAME", help="who reads; the name is not stored"
    )


def _name(given: str) -> str:
    if not given.strip():
        raise argparse.ArgumentTypeError("a name is missing: all who left it out would be one reviewer")
    return given


def _add_stream(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stream", choices=("audit", "work"), help="only of this one")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    options = parse(arguments)

    def work() -> int | None:
        from production.review.commands import COMMANDS

        return COMMANDS[options.command](options)

    return run_command("review", work, within=database_session())


if __name__ == "__main__":
    sys.exit(main())

"""The log of decisions: what was decided of which window, what was started, who was told.

    python -m production.decisions list --last 20
    python -m production.decisions verify
    python -m production.decisions verify --expect HASH     a hash that an alert carried, or that you noted

Each decision has the hash of the one before it; `verify` finds the first that was changed, is missing, or was put in.
Keep the hash that it prints elsewhere: it shows later that nothing was cut off or written anew.

Exit codes: 0 the log is whole; 1 it is not, and which decision is the first at fault; 2 could not.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from production.arguments import count_argument
from production.database.engine import database_session
from production.terminal import on_one_line
from stages.common.command import DONE, REFUSED, run_command
from stages.common.wording import counted, decision_in_words

if TYPE_CHECKING:
    from sqlalchemy import Row


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m production.decisions", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    verify = commands.add_parser("verify", help="find what was changed, is missing, or was put in")
    verify.add_argument(
        "--expect",
        action="append",
        default=[],
        type=_hash_argument,
        metavar="HASH",
        help="must be in the log; again for more",
    )
    verify.set_defaults(run=run_verify)
    listed = commands.add_parser("list", help="print decisions, the newest last; all that is kept of them with --json")
    listed.add_argument("--last", type=count_argument, default=20, metavar="N", help="so many (default: 20)")
    listed.set_defaults(run=run_list)
    for command in (verify, listed):
        command.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args(arguments)


def run_verify(options: argparse.Namespace) -> int:
    """Verify, and say what was found."""
    from production.database.engine import reading
    from production.database.revision import open_database
    from production.watch.chain import verify

    with reading(open_database()) as connection:
        found = verify(connection, options.expect)
    whole = found.number is None
    if options.json:
        fault = {} if whole else {"fault": {"number": found.number, "why": found.why}}
        print(json.dumps({"whole": whole, "decisions": found.decisions, "head": found.head, **fault}, indent=2))
    elif whole:
        print(f"decisions: whole: {counted(found.decisions, 'decision')}, the last has the hash {found.head}")
    else:
        print(f"decisions: NOT whole: decision {found.number} {found.why}; those before it are whole")
    return DONE if whole else REFUSED


def run_list(options: argparse.Namespace) -> None:
    """Print the last decisions."""
    from sqlalchemy import select

    from production.database.engine import reading
    from production.database.revision import open_database
    from production.database.watch_tables import DECISIONS

    query = select(DECISIONS).order_by(DECISIONS.c.number.desc()).limit(options.last)
    with reading(open_database()) as connection:
        rows = connection.execute(query).all()[::-1]
    if options.json:
        print(json.dumps([_as_json(row) for row in rows], indent=2))
        return
    for row in rows:
        print(f"{row.number:>6}  {_time(row):%Y-%m-%d %H:%M}  {row.kind:8}  {on_one_line(_in_words(row))}")
    if not rows:
        print("decisions: none yet")


def _in_words(row: Row[Any]) -> str:
    """Return what was decided, for a terminal; `--json` has all of it."""
    body = json.loads(row.body)
    decision = decision_in_words(str(body.get("decision", "")))
    about = " ".join(str(body[name]) for name in ("period", "topic", "purpose") if body.get(name))
    why = body.get("why") or "; ".join(body.get("reasons", [])[:2])
    told = f"told: {', '.join(body['channels']) or 'nobody'}" if "channels" in body else ""
    return "; ".join(filter(None, (f"{about} {decision}".strip(), why, told))) or row.body


def _as_json(row: Row[Any]) -> dict[str, Any]:
    at = _time(row).isoformat()
    return {"number": row.number, "at": at, "kind": row.kind, "body": json.loads(row.body), "hash": row.hash}


def _time(row: Row[Any]) -> Any:
    from stages.monitor.times import as_utc

    return as_utc(row.at)


def _hash_argument(given: str) -> str:
    if not re.fullmatch("[0-9a-f]{64}", given):
        raise argparse.ArgumentTypeError("this is no hash: 64 characters of 0-9 and a-f, as an alert carries them")
    return given


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    options = parse(arguments)
    return run_command("decisions", lambda: options.run(options), within=database_session())


if __name__ == "__main__":
    sys.exit(main())

"""How far the challenger agrees with the champion on the notes that both looked at.

    python -m production.infer --shadow challenger
    python -m production.shadow
    python -m production.shadow --champion 3 --challenger 5 --json

Prints the agreement by label and by kind of note, and the sources and identifiers of the notes on which the two
differ: those are worth a look. No text. Exit codes: 0 compared; 2 there is nothing to compare.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from production.arguments import count_argument
from production.database.engine import database_session
from production.terminal import on_one_line
from stages.common.command import run_command
from stages.common.errors import BeHealthyError
from stages.common.wording import counted

if TYPE_CHECKING:
    from production.inference.agreement import Agreement


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m production.shadow", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--champion", metavar="VERSION", help="default: the newest that was champion here")
    parser.add_argument("--challenger", metavar="VERSION", help="default: the one with the newest hidden results")
    parser.add_argument(
        "--show", type=count_argument, default=20, help="notes that differ (default: 20; --json has all)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace) -> None:
    """Compare, and print."""
    from production.database.revision import open_database
    from production.inference.agreement import agreement, versions_of

    engine = open_database()
    champion, challenger = options.champion, options.challenger
    if champion is None or challenger is None:
        found = versions_of(engine)
        champion, challenger = champion or found[0], challenger or found[1]
    compared = agreement(engine, champion, challenger)
    if not compared.notes:
        raise BeHealthyError(
            f"no note was looked at by version {champion} and, in its shadow, by {challenger}:"
            " `python -m production.database status` names the versions"
        )
    if options.json:
        print(json.dumps(compared.as_json(), indent=2, ensure_ascii=False))
    else:
        _show(compared, options.show)


def _show(compared: Agreement, most: int) -> None:
    print(
        f"shadow: version {compared.challenger} beside {compared.champion}: {counted(compared.notes, 'note')},"
        f" {len(compared.differing):,} of them differ"
    )
    print(f"{'':28}{'both':>8}{'champion':>10}{'challenger':>12}{'F1':>8}")
    for name, one in [*compared.labels.items(), *compared.slices.items()]:
        f1 = "-" if one.f1 is None else f"{one.f1:.3f}"
        print(f"{on_one_line(name)[:27]:28}{one.both:8,}{one.champion_only:10,}{one.challenger_only:12,}{f1:>8}")
    for source, source_id in compared.differing[:most]:
        print(f"differs: {on_one_line(f'{source}/{source_id}')}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    options = parse(arguments)
    return run_command("shadow", lambda: run(options), within=database_session())


if __name__ == "__main__":
    sys.exit(main())

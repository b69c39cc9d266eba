"""What was found in notes, for other systems: current results as OMOP, FHIR, tables, or tasks for annotation tools.

    python -m production.export --format omop --to exports/omop
    python -m production.export --format fhir --since 2026-11-01 --to exports/fhir
    python -m production.export --format csv --to - | head

A folder gets parts; run again, the command adds what is new. Each part is whole when it has its name, and what it
says of a note takes the place of what parts before it say. What is written holds words of notes: keep it where notes
may be.

Exit codes: 0 done, also when there was nothing new; 2 something is missing or wrong.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from production.arguments import count_argument
from production.database.engine import database_session
from production.export.formats import FORMATS, Format, Settings, load_format
from stages.common.command import run_command
from stages.common.locks import locked
from stages.common.wording import counted
from stages.monitor.times import time_argument

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from production.export.exporting import Exported
    from production.export.results import Scope

STDOUT = "-"
FOLDER = "exports/FORMAT"


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m production.export", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--format", choices=FORMATS, required=True)
    parser.add_argument("--to", help=f"folder that gets parts, or - for standard output (default: {FOLDER})")
    parser.add_argument(
        "--since", type=time_argument, help="only results made then or later (ISO 8601; UTC without a zone)"
    )
    parser.add_argument("--source", help="only notes of this source")
    parser.add_argument("--all", action="store_true", help="what the folder has already, too, in parts of its own")
    parser.add_argument("--concepts", type=Path, help="CSV of term,concept_id (with omop; other terms have concept 0)")
    parser.add_argument("--notes-per-part", type=count_argument, default=10_000, help="about so many (default: 10000)")
    options = parser.parse_args(arguments)
    if options.concepts and options.format != "omop":
        parser.error("--concepts goes with --format omop")
    if options.to == STDOUT and options.format == "brat":
        parser.error("brat is a folder of files: give one by --to")
    options.to = options.to or f"exports/{options.format}"
    return options


def run(options: argparse.Namespace) -> None:
    """Export, and say how much."""
    from production.database.revision import open_database
    from production.database.sources import refuse_unknown_source
    from production.export.concepts import read_concepts
    from production.export.exporting import print_results
    from production.export.results import Scope
    from production.record.params import load_params
    from production.record.work_tree import refuse_shared

    printing = options.to == STDOUT
    if not printing:
        refuse_shared(Path(options.to).resolve(), holds="an export has words of notes")
    sides = load_params()
    settings = Settings(sides.disease, sides.treatment, read_concepts(options.concepts) if options.concepts else {})
    format, scope, engine = load_format(options.format), Scope(options.since, options.source), open_database()
    refuse_unknown_source(engine, scope.source)
    print("export: what is written holds words of notes: keep it where notes may be", file=sys.stderr)
    if printing:
        _tell(print_results(engine, scope, format, settings), "standard output", sys.stderr)
    else:
        _tell(_export(engine, scope, format, settings, options), options.to, sys.stdout)


def _export(engine: Engine, scope: Scope, format: Format, settings: Settings, options: argparse.Namespace) -> Exported:
    from production.export.exporting import export
    from production.export.target import open_target, renew

    folder = Path(options.to)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder, f"exporting into {folder}"):
        target = open_target(folder, options.format, engine)
        if options.all:
            target = renew(target, options.format, engine)
        return export(engine, scope, target, format, settings, notes_per_part=options.notes_per_part)


def _tell(exported: Exported, place: str, stream: TextIO) -> None:
    in_parts = f" in {counted(len(exported.parts), 'part')}" if exported.parts else ""
    done = f"{counted(exported.notes, 'note')} with {counted(exported.mentions, 'mention')}{in_parts}"
    print(f"export: {done if exported.notes else 'nothing new'}: {place}", file=stream)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    options = parse(arguments)
    return run_command("export", lambda: run(options), within=database_session())


if __name__ == "__main__":
    sys.exit(main())

"""Hold notes of the database against the suite `inference` of Great Expectations, and draw its Data Docs.

    python -m production.check                 the notes that wait
    python -m production.check --all --source ward-7

Is the new data in the format that the pipeline takes? The worker asks the same of each note by itself, at a
thousandth of the cost, and sets those aside that fail; this says it of all of them at once, with pages under
reports/inference_docs. Exit codes: 0 as expected, or none waits; 1 not; 2 could not, also where there are no notes.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from production.arguments import count_argument
from production.database.engine import database_session
from stages.common.command import DONE, REFUSED, run_command
from stages.common.wording import counted

MOST = 100_000
DOCS = Path("reports/inference_docs")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m production.check", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--all", action="store_true", help="all texts, not those alone that wait")
    parser.add_argument("--source", help="notes of one source")
    parser.add_argument("--last", type=count_argument, default=MOST, help=f"how many, the newest (default: {MOST:,})")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace) -> int:
    """Run the suite and print what failed."""
    from production.database.sources import refuse_no_notes, refuse_unknown_source
    from production.inference.feature_table import feature_table
    from production.inference.setup import Workplace
    from stages.validate.project import Project
    from stages.validate.suites import DATA_DOCS, ROOT

    place = Workplace.open()
    refuse_unknown_source(place.engine, options.source)
    table = feature_table(place.engine, waiting=not options.all, source=options.source, last=options.last)
    if table.empty:
        refuse_no_notes(place.engine)
        print("check: no note waits: nothing was judged; --all looks at those done, too")
        return DONE
    bounds = {
        "inference_note_characters": place.params.note_characters,
        "inference_token_characters": place.params.token_characters,
    }
    # The gate's own Data Docs stay: each run drops those of the run before.
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT, Path(folder) / ROOT)
        project = Project(Path(folder) / ROOT)
        outcome = project.run("inference", table, bounds)
        project.build_data_docs()
        shutil.rmtree(DOCS, ignore_errors=True)
        shutil.copytree(Path(folder) / ROOT / DATA_DOCS, DOCS)
    for finding in outcome.failed:
        print(f"check: {finding.check}: {finding.message}", file=sys.stderr)
    failed = f"{len(outcome.failed)} failed" if outcome.failed else "all passed"
    print(f"check: {counted(len(table), 'note')}, {counted(outcome.evaluated, 'expectation')}: {failed}; see {DOCS}/")
    return REFUSED if outcome.failed else DONE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    options = parse(arguments)
    return run_command("check", lambda: run(options), within=database_session())


if __name__ == "__main__":
    sys.exit(main())

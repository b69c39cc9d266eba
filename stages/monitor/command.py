"""The edge of the stage: its arguments, its files, and what is left behind when it fails."""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from stages.common.errors import BeHealthyError
from stages.common.files import read_table, write_json, write_table
from stages.common.tables import serving_log
from stages.monitor.comparison import Drift
from stages.monitor.decision import EXIT_CODES, Decision, unknown
from stages.monitor.serving import profile_schema, serving_rows, training_profile

DOCUMENTS = Path("data/prepared/documents.parquet")
NOTES = Path("data/incoming/notes.jsonl")
MODELS = Path("models")
LOG = Path("data/serving/log.parquet")
TRAINING_PROFILE = Path("data/serving/profile.parquet")
METRICS = Path("metrics")
REPORT = Path("reports/drift.html")


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line: no argument is the stage, ``--log`` judges another window."""
    about = "A window of the serving log against the training profile -> a decision: none, watch, retrain, and so on."
    parser = argparse.ArgumentParser(prog="python -m stages.monitor", description=about)
    parser.add_argument("--log", type=Path, help="window of the serving log (Parquet); without it the stage runs")
    parser.add_argument("--profile", type=Path, default=TRAINING_PROFILE, help="training profile (Parquet)")
    parser.add_argument("--json", type=Path, help="folder for drift.json and decision.json (with --log)")
    parser.add_argument("--report", type=Path, help="file for Evidently's report (with --log)")
    codes = ", ".join(f"{code} {decision}" for decision, code in sorted(EXIT_CODES.items(), key=lambda one: one[1]))
    parser.add_argument("--exit-code", action="store_true", help=f"say the decision by the exit code: {codes}")
    chosen = parser.parse_args(arguments)
    if chosen.log is None:
        if chosen.json or chosen.report or chosen.profile != TRAINING_PROFILE:
            parser.error("--profile, --json and --report go with --log: the stage has fixed files")
        chosen.json, chosen.report = METRICS, REPORT
    return chosen


def logs(chosen: argparse.Namespace, labels: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return profile and window; the stage makes them first, and reads them back as production would."""
    if chosen.log is None:
        from stages.prepare.formats import jsonl
        from stages.train.extractor import Extractor

        extract = Extractor.load(MODELS).extract
        write_table(LOG, serving_rows(jsonl.read_notes(NOTES), extract, labels), serving_log(labels))
        profile = training_profile(read_table(DOCUMENTS), extract, labels)
        write_table(TRAINING_PROFILE, profile, profile_schema(labels))
    return read_table(chosen.profile), read_table(chosen.log or LOG)


def save(decision: Decision, drift: Drift | None, folder: Path | None) -> None:
    """Write ``drift.json`` and ``decision.json``, if there is a folder for them."""
    if folder is not None:
        write_json(folder / "drift.json", drift.as_json() if drift else {"columns": {}, "notes": None})
        write_json(folder / "decision.json", decision.as_json())


def guarded(run: Callable[[], Decision], chosen: argparse.Namespace) -> int:
    """Run, print the decision, return the exit code; whatever happens, no older decision is left standing.

    `unknown` is written before the work begins: it is what remains of a process that was killed.
    Errors are reported without their message, unless it is known to quote no note.
    """
    failed = False
    try:
        save(unknown("the comparison did not finish"), None, chosen.json)
        decision = run()
    except Exception as error:
        failed = True
        decision = unknown(f"the comparison failed ({type(error).__name__})")
        if not isinstance(error, BeHealthyError | OSError):
            traceback.print_tb(error.__traceback__)
        message = f": {error}" if isinstance(error, BeHealthyError | OSError) else ""
        print(f"monitor: {type(error).__name__}{message}", file=sys.stderr)
        try:
            save(decision, None, chosen.json)
        except OSError as second:
            print(f"monitor: the decision could not be written: {second}", file=sys.stderr)
    print(json.dumps(decision.as_json(), ensure_ascii=False))
    if chosen.exit_code:
        return EXIT_CODES[decision.decision]
    return 1 if failed else 0

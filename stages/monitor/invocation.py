"""The edge of the stage: its arguments, its files, and what is left behind when it fails."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from stages.common.command import INTERRUPTED, UNREAD, fault_of_machine, run_command
from stages.common.files import read_table, write_json, write_table
from stages.common.tables import serving_log
from stages.monitor.decision import EXIT_CODES, Decision, unknown
from stages.monitor.drift import Drift
from stages.monitor.serving import profile_schema, serving_rows, training_profile
from stages.monitor.times import time_argument
from stages.monitor.window import Window, read_window

DOCUMENTS = Path("data/prepared/documents.parquet")
NOTES = Path("data/incoming/notes.jsonl")
MODELS = Path("models")
LOG = Path("data/serving/log.parquet")
TRAINING_PROFILE = Path("data/serving/profile.parquet")
METRICS = Path("metrics")
REPORT = Path("reports/drift.html")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line: no argument is the stage, ``--log`` judges another window."""
    about = "A window of the serving log against the training profile -> a decision: none, watch, retrain, and so on."
    parser = argparse.ArgumentParser(prog="python -m stages.monitor", description=about)
    parser.add_argument("--log", type=Path, help="serving log (Parquet, or a folder of it); without it the stage runs")
    parser.add_argument(
        "--since", type=time_argument, help="only what was served then or later (ISO 8601; UTC by default)"
    )
    parser.add_argument("--until", type=time_argument, help="only what was served before")
    parser.add_argument("--model-version", help="only what this version of the model served")
    parser.add_argument("--profile", type=Path, default=TRAINING_PROFILE, help="training profile (Parquet)")
    parser.add_argument("--json", type=Path, help="folder for drift.json and decision.json (with --log)")
    parser.add_argument("--report", type=Path, help="file for Evidently's report (with --log)")
    codes = ", ".join(f"{code} {decision}" for decision, code in sorted(EXIT_CODES.items(), key=lambda one: one[1]))
    parser.add_argument("--exit-code", action="store_true", help=f"say the decision by the exit code: {codes}")
    options = parser.parse_args(arguments)
    if options.log is None:
        if any((*_window(options).filters, options.json, options.report)) or options.profile != TRAINING_PROFILE:
            parser.error("all but --exit-code goes with --log: the stage has fixed files")
        options.json, options.report = METRICS, REPORT
    return options


def logs(options: argparse.Namespace, labels: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return profile and window; the stage makes them first, and reads them back as production would."""
    if options.log is None:
        from stages.prepare.formats import jsonl
        from stages.train.extractor import load_extractor

        extract = load_extractor(MODELS, labels).extract
        write_table(LOG, serving_rows(jsonl.read_notes(NOTES), extract, labels), serving_log(labels))
        profile = training_profile(read_table(DOCUMENTS), extract, labels)
        write_table(TRAINING_PROFILE, profile, profile_schema(labels))
    return read_table(options.profile), read_window(options.log or LOG, _window(options))


def _window(options: argparse.Namespace) -> Window:
    return Window(options.since, options.until, options.model_version)


def save(decision: Decision, drift: Drift | None, folder: Path | None) -> None:
    """Write ``drift.json`` and ``decision.json``, if there is a folder for them."""
    if folder is not None:
        write_json(folder / "drift.json", drift.as_json() if drift else {"columns": {}, "notes": None})
        write_json(folder / "decision.json", decision.as_json())


def judge_safely(judge: Callable[[], Decision], options: argparse.Namespace) -> int:
    """Judge, print the decision, return the exit code; whatever happens, no older decision is left standing.

    `unknown` is written before the work begins: it is what remains of a process that was killed.
    """
    decision = unknown("the comparison did not finish")

    def work() -> None:
        nonlocal decision
        try:
            save(decision, None, options.json)
            decision = judge()
        except Exception as error:
            decision = unknown(f"the comparison failed ({type(error).__name__})")
            _save_failure(decision, options.json)
            raise

    code = run_command("monitor", work)
    if code in (INTERRUPTED, UNREAD):
        return code
    return run_command("monitor", lambda: _tell(decision, options, code))


def _tell(decision: Decision, options: argparse.Namespace, code: int) -> int:
    print(json.dumps(decision.as_json(), ensure_ascii=False))
    return EXIT_CODES[decision.decision] if options.exit_code else code


def _save_failure(decision: Decision, folder: Path | None) -> None:
    try:
        save(decision, None, folder)
    except OSError as error:
        print(f"monitor: the decision could not be written: {fault_of_machine(error)}", file=sys.stderr)

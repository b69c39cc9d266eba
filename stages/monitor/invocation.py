"""The edge of the stage: its arguments, its files, and what is left behind when it fails."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import pandas as pd

from stages.common.command import INTERRUPTED, UNREAD, fault_of_machine, run_command
from stages.common.errors import BeHealthyError
from stages.common.files import read_table, write_json, write_table
from stages.common.tables import serving_log
from stages.monitor.decision import EXIT_CODES, Decision, unknown
from stages.monitor.overlap import overlap
from stages.monitor.reading import read_profile
from stages.monitor.serving import profile_schema, serving_rows, training_profile
from stages.monitor.slices import Comparison
from stages.monitor.times import time_argument
from stages.monitor.window import Window, read_window, split_windows

DOCUMENTS = Path("data/prepared/documents.parquet")
NOTES = Path("data/incoming/notes.jsonl")
MODELS = Path("models")
LOG = Path("data/serving/log.parquet")
TRAINING_PROFILE = Path("data/serving/profile.parquet")
METRICS = Path("metrics")
REPORT = Path("reports/drift.html")
DAYS = {"day": 1, "week": 7}
_YEARS = 1678, 2261
"""Those that pandas counts in nanoseconds, whole."""


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line: no argument is the stage, ``--log`` judges another window."""
    about = "A window of the serving log against a reference -> a decision: none, watch, retrain, and so on."
    parser = argparse.ArgumentParser(prog="python -m stages.monitor", description=about)
    parser.add_argument("--log", type=Path, help="serving log (Parquet, or a folder of it); without it the stage runs")
    parser.add_argument(
        "--since", type=time_argument, help="only what was served then or later (ISO 8601; UTC by default)"
    )
    parser.add_argument("--until", type=time_argument, help="only what was served before")
    parser.add_argument("--model-version", help="only what this version of the model served")
    parser.add_argument(
        "--windows", choices=DAYS, help="add up windows of a day or a week, from --since (the last retraining) on"
    )
    parser.add_argument("--profile", type=Path, default=TRAINING_PROFILE, help="training profile (Parquet)")
    parser.add_argument(
        "--reference", type=Path, help="another log to compare with: the first weeks under a champion; do notes change?"
    )
    parser.add_argument("--reference-since", type=time_argument, help="only what was served then or later of it")
    parser.add_argument("--reference-until", type=time_argument, help="only what was served before of it")
    parser.add_argument("--json", type=Path, help="folder for drift.json and decision.json (with --log)")
    parser.add_argument("--report", type=Path, help="file for Evidently's report (with --log)")
    codes = ", ".join(f"{code} {decision}" for decision, code in sorted(EXIT_CODES.items(), key=lambda one: one[1]))
    parser.add_argument("--exit-code", action="store_true", help=f"say the decision by the exit code: {codes}")
    options = parser.parse_args(arguments)
    if options.log is None:
        given = (*_window(options).filters, options.json, options.report, options.windows, options.reference)
        if any(given) or options.profile != TRAINING_PROFILE:
            parser.error("all but --exit-code goes with --log: the stage has fixed files")
        options.json, options.report = METRICS, REPORT
    if options.reference is None and (options.reference_since or options.reference_until):
        parser.error("--reference-since and --reference-until go with --reference")
    return options


def logs(
    options: argparse.Namespace, labels: Sequence[str], watched: Collection[str] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame | None, pd.DataFrame]:
    """Return profile, reference if there is one, and log; the stage makes them, and reads them as production would.

    Of reference and log only the `watched` columns are read, where they are given.

    Raises
    ------
    BeHealthyError
        When a row of the log is in the reference, too: it would be compared with itself. When a time of the options
        cannot be meant, or a file cannot be read.
    """
    _check_times(_window(options), "--")
    _check_times(_window_of_reference(options), "--reference-")
    if options.log is None:
        from stages.prepare.formats import jsonl
        from stages.train.extractor import load_extractor

        extract = load_extractor(MODELS, labels).extract
        write_table(LOG, serving_rows(jsonl.read_notes(NOTES), extract, labels), serving_log(labels))
        profile = training_profile(read_table(DOCUMENTS), extract, labels)
        write_table(TRAINING_PROFILE, profile, profile_schema(labels))
    log, reference = read_window(options.log or LOG, _window(options), watched), None
    if options.reference:
        reference = read_window(options.reference, _window_of_reference(options), watched)
        if overlap(log, reference):
            raise BeHealthyError("rows of the log are in the reference, too: end it before (--reference-until)")
    return read_profile(options.profile), reference, log


def last_windows(log: pd.DataFrame, options: argparse.Namespace) -> list[pd.DataFrame]:
    """Return the log as windows, the last of which is judged: one, unless they are to be added up."""
    if not options.windows:
        return [log]
    return split_windows(log, DAYS[options.windows], _window(options)) or [log]


def _window(options: argparse.Namespace) -> Window:
    return Window(options.since, options.until, options.model_version)


def _window_of_reference(options: argparse.Namespace) -> Window:
    return Window(options.reference_since, options.reference_until)


def _check_times(window: Window, options: str) -> None:
    """Refuse what no note can be in: a mistake on the command line is none of the log's."""
    for name, time in (("since", window.since), ("until", window.until)):
        if time and not _YEARS[0] <= time.year <= _YEARS[1]:
            raise BeHealthyError(f"{options}{name} is not within the years {_YEARS[0]} to {_YEARS[1]}: mend it")
    if window.since and window.until and window.since >= window.until:
        raise BeHealthyError(f"{options}until is not after {options}since: no note is between them; exchange them")


def save(decision: Decision, judged: Comparison | None, folder: Path | None, learned: Comparison | None = None) -> None:
    """Write ``drift.json`` and ``decision.json``, if there is a folder for them.

    `learned` is the comparison with the profile, where another reference decided: are these the notes that the model
    learned from?
    """
    if folder is None:
        return
    drift = judged.as_json() if judged else {"columns": {}, "notes": None, "slices": {}}
    told = decision.as_json()
    if learned:
        drift["learned"] = learned.as_json()
        told["learned"] = {"decision": learned.decision.decision, "reasons": list(learned.decision.reasons)}
    write_json(folder / "drift.json", drift)
    write_json(folder / "decision.json", told)


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

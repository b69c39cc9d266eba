"""A window of the serving log against the training profile: load, compare_window, decide, save."""

from __future__ import annotations

import argparse
import sys

from stages.common.files import write_json
from stages.common.labels import load_labels
from stages.monitor.decision import Decision, decide
from stages.monitor.drift import compare_window
from stages.monitor.drift_page import draw_drift
from stages.monitor.invocation import judge_safely, logs, parse, save
from stages.monitor.params import load_params


def monitor(options: argparse.Namespace) -> Decision:
    """Judge one window."""
    labels = load_labels()
    params = load_params().watching(labels)
    profile, window = logs(options, labels)
    drift = compare_window(profile, window, params)
    decision = decide(drift, params)
    save(decision, drift, options.json)
    if options.report and draw_drift(profile, window, drift, options.report):
        write_json(options.report.with_suffix(".json"), drift.as_json())  # whose picture it is
    return decision


def main(arguments: list[str] | None = None) -> int:
    """Run the stage, or judge the window of ``--log``."""
    options = parse(arguments)
    return judge_safely(lambda: monitor(options), options)


if __name__ == "__main__":
    sys.exit(main())

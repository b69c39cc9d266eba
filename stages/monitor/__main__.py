"""A window of the serving log against the training profile: load, compare, decide, save."""

from __future__ import annotations

import argparse
import sys

from stages.common.files import write_json
from stages.common.labels import load_labels
from stages.monitor.command import guarded, logs, options, save
from stages.monitor.comparison import compare
from stages.monitor.decision import Decision, decide
from stages.monitor.params import load_params
from stages.monitor.report import draw


def monitor(chosen: argparse.Namespace) -> Decision:
    """Judge one window."""
    labels = load_labels()
    params = load_params().watching(labels)
    profile, window = logs(chosen, labels)
    drift = compare(profile, window, params)
    decision = decide(drift, params)
    save(decision, drift, chosen.json)
    if chosen.report and draw(profile, window, drift, chosen.report):
        write_json(chosen.report.with_suffix(".json"), drift.as_json())  # whose picture it is
    return decision


def main(arguments: list[str] | None = None) -> int:
    """Run the stage, or judge the window of ``--log``."""
    chosen = options(arguments)
    return guarded(lambda: monitor(chosen), chosen)


if __name__ == "__main__":
    sys.exit(main())

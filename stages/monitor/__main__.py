"""A window of the serving log against a reference: load, judge, add up, save."""

from __future__ import annotations

import argparse
import sys

from stages.common.files import write_json
from stages.common.labels import QUARANTINED, load_labels, model_columns
from stages.monitor.decision import NOTHING_KNOWN, Decision
from stages.monitor.drift_page import draw_drift
from stages.monitor.invocation import judge_safely, last_windows, logs, parse, save
from stages.monitor.params import load_params
from stages.monitor.slices import judge


def monitor(options: argparse.Namespace) -> Decision:
    """Judge one window, or what windows up to the last one add up to."""
    labels = load_labels()
    params = load_params().watching(labels)
    # watched or not, those of the model say which notes it had not learned from, and one which were set aside
    watched = {*params.columns, *params.slices, *model_columns(()), QUARANTINED}
    learned, served, log = logs(options, labels, watched)
    windows = last_windows(log, options)
    reference = learned if served is None else served
    judged = judge(reference, windows, params, NOTHING_KNOWN, "profile" if served is None else "reference")
    save(judged.decision, judged, options.json, learned=None if served is None else judge(learned, windows, params))
    if options.report and draw_drift(reference, windows[-1], judged.drift, judged.decision, options.report):
        write_json(options.report.with_suffix(".json"), judged.as_json())  # whose picture it is
    return judged.decision


def main(arguments: list[str] | None = None) -> int:
    """Run the stage, or judge the window of ``--log``."""
    options = parse(arguments)
    return judge_safely(lambda: monitor(options), options)


if __name__ == "__main__":
    sys.exit(main())

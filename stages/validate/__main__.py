"""data/prepared (or any incoming batch) -> a verdict: exit 0 passed, 1 failed, 2 could not be computed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from stages.common.command import DONE, REFUSED, run_command
from stages.prepare.options import add_annotates, add_rules
from stages.validate.gate import GateVerdict, check, load_prepared
from stages.validate.incoming import Choices, check_incoming, load_incoming
from stages.validate.params import load_params
from stages.validate.verdict_metrics import BESIDE_DATA_DOCS, save, save_failure, summary_of


def main(arguments: list[str] | None = None) -> int:
    """Run the stage, or the gate on one incoming batch."""
    options = _parse(arguments)
    return run_command("validate", lambda: _judge(options))


def _judge(options: argparse.Namespace) -> int:
    verdict = _stage() if options.path is None else _incoming(options)
    print(summary_of(verdict))
    return DONE if verdict.passed else REFUSED


def _stage() -> GateVerdict:
    save_failure(InterruptedError())  # what stays when this process is killed
    try:
        params = load_params()
        verdict = check(load_prepared(params.prepare), params)
        save(verdict)
        save(verdict, BESIDE_DATA_DOCS)
    except Exception as error:  # nothing may leave the gate open, whatever went wrong
        save_failure(error)
        raise
    return verdict


def _incoming(options: argparse.Namespace) -> GateVerdict:
    choices = Choices(options.labels, options.annotates, options.overlaps, options.discontinuous)
    return check_incoming(*load_incoming(options.path, options.format, choices), load_params())


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m stages.validate", description=__doc__)
    parser.add_argument("path", nargs="?", type=Path, help="an export or a batch folder; without it: data/prepared")
    parser.add_argument("--format", help="format of an export, such as brat or pubtator")
    parser.add_argument("--labels", type=Path, help="CSV of source_label,label; default: data/mapping/labels.csv")
    add_annotates(parser)
    add_rules(parser, default=None)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

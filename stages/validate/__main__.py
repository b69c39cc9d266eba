"""data/prepared (or any incoming batch) -> a verdict: exit 0 passed, 1 failed, 2 could not be computed."""

from __future__ import annotations

import argparse
import sys
import traceback
from pathlib import Path

from stages.common.errors import BeHealthyError
from stages.common.params import load_params
from stages.prepare.options import add_annotates, add_rules
from stages.validate.gate import Verdict, check, load_prepared
from stages.validate.incoming import Choices, check_incoming, load_incoming
from stages.validate.report import BESIDE_DATA_DOCS, save, save_failure, summary_of


def main(arguments: list[str] | None = None) -> int:
    """Run the stage, or the gate on one incoming batch."""
    asked = _parse(arguments)
    try:
        verdict = _stage() if asked.path is None else _incoming(asked)
    except Exception as error:  # nothing may leave the gate open, whatever went wrong
        if asked.path is None:
            save_failure(error)
        _explain(error)
        return 2
    print(summary_of(verdict))
    return 0 if verdict.passed else 1


def _stage() -> Verdict:
    save_failure(InterruptedError())  # what stays when this process is killed
    params = load_params()
    verdict = check(load_prepared(params.prepare), params)
    save(verdict)
    save(verdict, BESIDE_DATA_DOCS)
    return verdict


def _incoming(asked: argparse.Namespace) -> Verdict:
    choices = Choices(asked.labels, asked.annotates, asked.overlaps, asked.discontinuous)
    return check_incoming(*load_incoming(asked.path, asked.format, choices), load_params())


def _explain(error: Exception) -> None:
    """Print what went wrong; of an unforeseen error only its class and place, since its message may quote a note."""
    if isinstance(error, BeHealthyError):
        return print(f"validate: {error}", file=sys.stderr)
    place = traceback.extract_tb(error.__traceback__)[-1]
    print(f"validate: {type(error).__name__} in {Path(place.filename).name}, line {place.lineno}", file=sys.stderr)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m stages.validate", description=__doc__)
    parser.add_argument("path", nargs="?", type=Path, help="an export or a batch folder; without it: data/prepared")
    parser.add_argument("--format", help="format of an export, such as brat or pubtator")
    parser.add_argument("--labels", type=Path, help="CSV of source_label,label")
    add_annotates(parser)
    add_rules(parser, default=None)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

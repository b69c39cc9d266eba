"""Start a workflow: `python -m delivery.dispatch WORKFLOW --ref BRANCH [--input NAME=VALUE …]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence

from delivery.github.client import GitHub, LostAnswerError, connect
from delivery.github.job_summary import exit_code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 dispatched, 1 not."""
    parser = argparse.ArgumentParser(prog="python -m delivery.dispatch", description=__doc__)
    parser.add_argument("workflow", help="its file name, as retrain.yml")
    parser.add_argument("--ref", required=True, help="branch that it runs on")
    parser.add_argument("--input", action="append", default=[], type=_pair, metavar="NAME=VALUE")
    chosen = parser.parse_args(arguments)
    return exit_code("dispatch", lambda: dispatch(chosen.workflow, chosen.ref, dict(chosen.input)))


def dispatch(workflow: str, ref: str, inputs: Mapping[str, str], github: GitHub | None = None) -> None:
    """Start a workflow.

    A lost answer is asked for again: all workflows here may run twice, the second finds nothing to do.
    """
    github = github or connect()
    content = {"ref": ref, "inputs": dict(inputs)}
    github.retrying(LostAnswerError)(github.post, f"actions/workflows/{workflow}/dispatches", content)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text} is not NAME=VALUE")
    return name, value


if __name__ == "__main__":
    sys.exit(main())

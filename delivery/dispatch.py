"""Start a workflow: `python -m delivery.dispatch WORKFLOW --ref BRANCH [--input NAME=VALUE …]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from delivery.github.workflows import dispatch
from delivery.revision.site_cache import private_site_cache
from stages.common.command import run_command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 dispatched, 2 not."""
    parser = argparse.ArgumentParser(prog="python -m delivery.dispatch", description=__doc__)
    parser.add_argument("workflow", help="its file name, as retrain.yml")
    parser.add_argument("--ref", required=True, help="branch that it runs on")
    parser.add_argument("--input", action="append", default=[], type=_pair, metavar="NAME=VALUE")
    options = parser.parse_args(arguments)
    return run_command(
        "dispatch", lambda: dispatch(options.workflow, options.ref, dict(options.input)), within=private_site_cache()
    )


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text} is not NAME=VALUE")
    return name, value


if __name__ == "__main__":
    sys.exit(main())

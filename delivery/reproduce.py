"""Run the graph where only git is at hand, fetching no more than the changed stages need.

`python -m delivery.reproduce [STAGE] [--failure FILE] [--check]`

With a stage it ends with that one: what comes after it is left as it is.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from delivery.errors import DeliveryError, DeliveryRefusedError
from delivery.repair import mend
from delivery.revision.dvc_files import fetch_bundled
from delivery.revision.graph import refuse_stale, stages_of
from delivery.revision.processes import run_shown
from delivery.revision.revision import workspace
from delivery.revision.site_cache import private_site_cache
from delivery.revision.storage_faults import explain
from stages.common.command import run_command
from stages.common.files import write_text

REPRODUCE = ("dvc", "repro", "--pull", "--allow-missing")
"""`--allow-missing`: a stage whose inputs have not changed needs none of them; `--pull`: one that runs gets them."""

_REFUSED = re.compile(r"ERROR: failed to reproduce 'validate': .*, exited with 1$")
"""The gate judged the data, and the answer is no; nothing is gained by asking again."""
_EXPLAINED = ("OSError: ", "EOFError: ")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it: 0 the graph is as `dvc.lock` says, 1 `--check` finds that it is not or the gate refuses, 2 a fault."""
    parser = argparse.ArgumentParser(prog="python -m delivery.reproduce", description=__doc__)
    parser.add_argument("stage", nargs="?", help="the last one that is run (default: the whole graph)")
    parser.add_argument("--failure", type=Path, default=Path("reports/failure.md"), help="says what failed, if it does")
    parser.add_argument("--check", action="store_true", help="run nothing: does dvc.lock hold for this commit?")
    options = parser.parse_args(arguments)
    if options.check and options.stage:
        parser.error("--check is about the whole graph, and takes no stage")
    work = refuse_stale if options.check else lambda: reproduce(options.failure, options.stage)
    return run_command("reproduce", work, within=private_site_cache())


def reproduce(failure: Path, stage: str | None = None, root: Path = Path()) -> None:
    """Run what has changed, up to a stage where one is named.

    Raises
    ------
    DeliveryError
        When a stage fails; `failure` says then which one and why, without any note text.
    DeliveryRefusedError
        When that is the gate, which refuses the data.
    """
    known = list(stages_of(workspace(root), "dvc.yaml"))
    if stage is not None and stage not in known:
        raise DeliveryError(f"the graph has no stage {stage}: it has {', '.join(known)}")
    failure.unlink(missing_ok=True)
    mend(root)
    fetch_bundled(root)
    status, lines = run_shown((*REPRODUCE, *([stage] if stage else [])), root)
    if status:
        write_text(failure, describe(lines, known))
        refused = any(_REFUSED.match(line.rstrip()) for line in lines)
        error = DeliveryRefusedError if refused else DeliveryError
        raise error(f"the graph could not be reproduced ({failure} says why): mend that, and run it again")


def describe(lines: Sequence[str], stages: Sequence[str]) -> str:
    """Return what failed, as Markdown.

    Only what stages say of themselves and what DVC says is quoted: a traceback may hold data. Of the operating
    system's errors only the cause is told.

    >>> print(describe(["validate: failed (2 checks)", "ERROR: failed to reproduce 'validate'"], ["validate"]))
    **The graph could not be reproduced.**
    <BLANKLINE>
    ```text
    validate: failed (2 checks)
    ERROR: failed to reproduce 'validate'
    ```
    <BLANKLINE>
    """
    beginnings = ("ERROR: ", *(f"{stage}: " for stage in stages))
    last = max((number for number, line in enumerate(lines) if line.startswith("Running stage")), default=0)
    told = [line.rstrip() for line in lines[last:] if line.startswith(beginnings)]
    quoted = "\n".join(line.replace("```", "'''")[:1000] for line in told[-20:]) or "no reason given: see the job's log"
    cause = explain("\n".join([*told, *(line for line in lines[last:] if line.startswith(_EXPLAINED))]))
    return "\n\n".join(filter(None, ["**The graph could not be reproduced.**", cause, f"```text\n{quoted}\n```\n"]))


if __name__ == "__main__":
    sys.exit(main())

"""Push the graph's outputs to `storage`, and say clearly when that did not work: `python -m delivery.push`.

Whatever interrupts it, the same command completes it: an object lies in the storage whole or not at all.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from delivery.errors import DeliveryError
from delivery.revision.site_cache import private_site_cache
from delivery.revision.storage_faults import explain
from stages.common.command import run_command

PATIENCE = 1800
"""Seconds for the whole push; a server that vanished would be retried for many minutes."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 when everything is in the storage, 2 when not."""
    parser = argparse.ArgumentParser(prog="python -m delivery.push", description=__doc__)
    parser.add_argument("targets", nargs="*", help="outputs or .dvc files; default: everything")
    parser.add_argument("--timeout", type=float, default=PATIENCE, help="seconds (default: %(default)s)")
    options = parser.parse_args(arguments)
    return run_command("push", lambda: push(options.targets, options.timeout), within=private_site_cache())


def push(targets: Sequence[str] = (), timeout: float = PATIENCE, root: Path = Path()) -> None:
    """Push, in bounded time.

    Raises
    ------
    DeliveryError
        With the cause in one sentence; nothing is lost, and what arrived is not sent again.
    """
    output, status = _run(["dvc", "push", *targets], timeout, root)
    print(output, end="")
    if status is None:
        raise DeliveryError(
            f"not finished within {timeout:g} s. What arrived is whole: the same command sends the rest"
        )
    if status:
        cause = explain(output) or f"dvc push failed ({_last_error(output)}): mend that"
        raise DeliveryError(f"{cause}. What arrived is whole: then the same command sends the rest")


def _last_error(output: str) -> str:
    said = [line for line in output.splitlines() if line.startswith("ERROR")]
    return said[-1][:300] if said else "it said nothing"


def _run(command: Sequence[str], timeout: float, root: Path) -> tuple[str, int | None]:
    """Run a command in a process group of its own; None for its exit code when it had to be ended."""
    with subprocess.Popen(
        command,
        cwd=root,
        env={"AWS_MAX_ATTEMPTS": "3", **os.environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            return process.communicate(timeout=timeout)[0], process.returncode
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            return process.communicate()[0], None
        except BaseException:  # this command was interrupted: what it started ends with it
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise


if __name__ == "__main__":
    sys.exit(main())

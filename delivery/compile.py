"""Compile every kernel ahead, into the folder that all clones, copies and processes of a user share.

    python -m delivery.compile

`make env` does so, on two cores; an image does so when it is built, with BEHEALTHY_KERNELS naming a folder in it.
What is compiled already is loaded; what nothing has loaded for 60 days is removed.

Two processes learn, each a part that needs nothing of the other: attributes from a few invented notes, taggers from
tokens that are made up. Then one model of both is saved, loaded and asked, as in production, which compiles the rest.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence

from stages.common.command import exit_code
from stages.common.errors import BeHealthyError

PARTS = ("attributes_only", "taggers")
_WORKER = "import sys; from delivery import compiling; getattr(compiling, 'learn_' + sys.argv[1])()"


class CompileError(BeHealthyError):
    """The kernels could not be compiled."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 when all kernels are compiled, 2 when they could not be."""
    parser = argparse.ArgumentParser(
        prog="python -m delivery.compile", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args(arguments)
    return exit_code("compile", compile_all)


def compile_all() -> None:
    """Compile what is not compiled yet.

    Raises
    ------
    CompileError
        When a part cannot be learned, or there is no folder to keep it in.
    """
    from stages.common.compiled import SUFFIX, forget_unused, kernels_folder

    if (folder := kernels_folder()) is None:
        raise CompileError("there is no folder for compiled kernels; the line above says why")
    before, start = len([*folder.glob(f"*{SUFFIX}")]), time.monotonic()
    workers = [subprocess.Popen([sys.executable, "-c", _WORKER, part]) for part in PARTS]
    try:
        while any(worker.poll() is None for worker in workers):
            _show(len([*folder.glob(f"*{SUFFIX}")]) - before)
            time.sleep(0.5)
    finally:
        for worker in workers:
            worker.kill()
    if any(worker.returncode for worker in workers):
        raise CompileError("a part could not be learned, see above: `git status` shows what differs from the project")
    from delivery.compiling import learn_and_ask

    learn_and_ask()
    compiled = len([*folder.glob(f"*{SUFFIX}")]) - before
    forget_unused(folder)
    _show(compiled, "\n")
    print(f"kernels: {compiled} compiled in {time.monotonic() - start:.0f} s, kept in {folder}")


def _show(compiled: int, end: str = "\r") -> None:
    """Show how far it is, on a terminal."""
    if sys.stderr.isatty():
        print(f"kernels: {compiled} compiled", end=end, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""How every command of this repository ends: with an exit code that tells, and one line where it did not succeed.

=====  ===================================================================================================
code   meaning
=====  ===================================================================================================
0      done
1      refused: what was asked was judged, and the answer is no (the gate, a promotion, a batch)
2      could not: something prevented it (a missing file, a server that is down, a wrong argument, a fault)
130    interrupted from the keyboard, as shells have it
141    nobody reads the output any longer (`| head`), as shells have it
=====  ===================================================================================================
"""

from __future__ import annotations

import argparse
import gc
import os
import select
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from stages.common.errors import BeHealthyError
from stages.common.variables import TRACEBACK

DONE, REFUSED, COULD_NOT, INTERRUPTED, UNREAD = 0, 1, 2, 130, 141

_NEW_OBJECTS = 50_000
"""After so many garbage in cycles is looked for, where Python looks after 700: a tenth of what a stage takes, whose
libraries make hundreds of thousands of objects that stay."""


def parse_no_arguments(module: str, about: str | None, arguments: Sequence[str] | None = None) -> None:
    """Make sure that a command that takes no arguments was given none.

    ``--help`` prints what it does and ends with 0, any other argument with a line about it and 2: nothing was run.

    Parameters
    ----------
    module : str
        As in ``python -m MODULE``.
    about : str, optional
        The module's docstring.
    arguments : sequence of str, optional
        Those of the process by default.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m {module}", description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args(arguments)


def run_command(
    name: str, work: Callable[[], int | None], *, within: AbstractContextManager[object] | None = None
) -> int:
    """Run a command and return its exit code, after printing what is wrong and the remedy where it did not succeed.

    Errors that were foreseen bring their own code and message. Of any other only the kind and the place are printed:
    its message, or a traceback, may quote a note. Whoever develops on notes that may be shown sets `TRACEBACK`.

    Parameters
    ----------
    name : str
        Begins the line on standard error.
    work : callable
        Returns an exit code; None is `DONE`.
    within : context manager, optional
        Entered before the work, such as one that translates the errors of a server.
    """
    gc.set_threshold(_NEW_OBJECTS, *gc.get_threshold()[1:])
    try:
        with within or nullcontext():
            code = work() or DONE
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        why, code = "interrupted; what was written is whole: run the same command again", INTERRUPTED
    except BeHealthyError as error:
        why, code = str(error), error.exit_code
    except Exception as error:
        if isinstance(error, BrokenPipeError) and is_unread():
            return _end_unread()
        if os.environ.get(TRACEBACK):
            raise
        why, code = _explain(error), COULD_NOT
    print(f"{name}: {why}", file=sys.stderr)
    return code


def fault_of_machine(error: OSError) -> str:
    """Say what the machine refused, and where, without the number of the error."""
    place = f" ({error.filename})" if error.filename else ""
    return f"{error.strerror or type(error).__name__}{place}"


def place_of(error: BaseException) -> str:
    """Name the kind of an error and the line that raised it, and no more: its message may quote a note."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"


def is_unread() -> bool:
    """Tell whether who read what is printed has gone, as `| head` does; a broken pipe may be a server's, too."""
    poll = select.poll()
    poll.register(sys.stdout, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _explain(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{fault_of_machine(error)}: make room, or mend the path or the rights, and run the same again"
    return (
        f"stopped by an unforeseen {place_of(error)}: please report these, without the notes"
        f" ({TRACEBACK}=1 shows all, notes too)"
    )


def _end_unread() -> int:
    """Drop what is still to be printed, so that Python does not complain when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return UNREAD

"""How a stage begins and ends: it says what it does when asked, and takes no argument that it does not know.

When the user has to mend something it ends with one line, no traceback, and an exit code that tells.
"""

from __future__ import annotations

import argparse
import errno
import sys
from collections.abc import Callable, Sequence

from stages.common.errors import BeHealthyError

_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO}
"""Faults of the machine that no code of ours explains: a traceback would hide them."""


def without_arguments(
    module: str, about: str | None, work: Callable[[], object], arguments: Sequence[str] | None = None
) -> int:
    """Run a command that takes no arguments, as `exit_code` does, once it is clear that none were given.

    ``--help`` prints what it does and ends with 0, any other argument with a line about it and 2: nothing was run.

    Parameters
    ----------
    module : str
        As in ``python -m MODULE``; its last part is the name in messages.
    about : str, optional
        The module's docstring.
    work : callable
    arguments : sequence of str, optional
        Those of the process by default.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m {module}", description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args(arguments)
    return exit_code(module.rpartition(".")[2], work)


def exit_code(stage: str, work: Callable[[], object]) -> int:
    """Run a stage; return 0, or after printing what is wrong and the remedy 2, or 130 when it was interrupted."""
    try:
        work()
    except BeHealthyError as error:
        return _ended(stage, str(error), 2)
    except OSError as error:
        if error.errno not in _MACHINE:
            raise
        place = f" ({error.filename})" if error.filename else ""
        return _ended(stage, f"{error.strerror}{place}: make room, or mend the rights, and run the same again", 2)
    except KeyboardInterrupt:
        return _ended(stage, "interrupted; what was written is whole, and the same command starts this stage anew", 130)
    return 0


def _ended(stage: str, why: str, code: int) -> int:
    print(f"{stage}: {why}", file=sys.stderr)
    return code

"""How a stage ends when the user has to mend something: one line, no traceback, an exit code that tells."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable

from stages.common.errors import BeHealthyError

_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO}
"""Faults of the machine that no code of ours explains: a traceback would hide them."""


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

"""How a stage ends when the user has to mend something: one line, exit code 2, no traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable

from stages.common.errors import BeHealthyError


def exit_code(stage: str, work: Callable[[], object]) -> int:
    """Run a stage; return 0, or 2 after printing what is wrong and the remedy."""
    try:
        work()
    except BeHealthyError as error:
        print(f"{stage}: {error}", file=sys.stderr)
        return 2
    return 0

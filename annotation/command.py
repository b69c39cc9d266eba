"""How a command of this room ends when something could not be done: one sentence, exit code 2, no traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable

from stages.common.errors import AnnotationError, BeHealthyError

REFUSED = 2


def exit_code(name: str, work: Callable[[], int]) -> int:
    """Run a command; return what it returns, or `REFUSED` after printing what is wrong and the remedy."""
    try:
        return work()
    except (BeHealthyError, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return REFUSED


def refuse(error: AnnotationError, batch: str) -> int:
    """Print why a batch is refused, with its name; return `REFUSED`."""
    print(f"refused: {error if error.batch else error.within(batch)}", file=sys.stderr)
    return REFUSED

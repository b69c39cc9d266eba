"""How a command of this room ends when something could not be done: one sentence, exit code 2, no traceback."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from stages.common.errors import AnnotationError, BeHealthyError

REFUSED = 2


def exit_code(name: str, work: Callable[[], int]) -> int:
    """Run a command; return what it returns, or `REFUSED` after printing what is wrong and the remedy.

    Of an error that nobody has foreseen only the kind and the place are printed: its message, or a
    traceback, may quote a note.
    """
    try:
        return work()
    except BeHealthyError as error:
        why = str(error)
    except OSError as error:
        why = f"{fault_of_machine(error)}: make room, or mend the path or the rights, and run the same again"
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}, line {place.lineno}"
        why = f"stopped by an unforeseen {type(error).__name__} in {where}: please report these, without the notes"
    print(f"{name}: {why}", file=sys.stderr)
    return REFUSED


def fault_of_machine(error: OSError) -> str:
    """Say what the machine refused, and where, without the number of the error."""
    place = f" ({error.filename})" if error.filename else ""
    return f"{error.strerror or type(error).__name__}{place}"


def refuse(error: AnnotationError, batch: str) -> int:
    """Print why a batch is refused, with its name; return `REFUSED`."""
    print(f"refused: {error if error.batch else error.within(batch)}", file=sys.stderr)
    return REFUSED

"""How a command of this room ends when something could not be done: one sentence, exit code 1, no traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from delivery.site_cache import use
from stages.common.errors import BeHealthyError


def exit_code(name: str, work: Callable[[], int | None]) -> int:
    """Run a command; return what it returns (None is 0), or 1 after printing what is wrong and the remedy.

    130, as shells have it, when it was interrupted from the keyboard. DVC, wherever the command uses it, works in a
    folder that is closed to other users.
    """
    try:
        use()
        return work() or 0
    except BeHealthyError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{name}: interrupted; the same command goes on from here", file=sys.stderr)
        return 130


def summarise(markdown: str) -> None:
    """Append to the job's summary, where there is a job."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(markdown.rstrip("\n") + "\n\n")

"""How a command of this room ends when something could not be done: one sentence, exit code 1, no traceback."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable
from pathlib import Path

from delivery.revision.site_cache import use
from stages.common.errors import BeHealthyError

UNREAD = 141
"""Exit code of a command whose output nobody reads any longer, as shells have it."""


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


def is_unread() -> bool:
    """Tell whether who read what is printed has gone, as `| head` does; a broken pipe may be a server's, too."""
    poll = select.poll()
    poll.register(sys.stdout, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def ends_unread() -> int:
    """Drop what is still to be printed, so that Python does not complain when it ends; return `UNREAD`."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return UNREAD


def summarise(markdown: str) -> None:
    """Append to the job's summary, where there is a job."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(markdown.rstrip("\n") + "\n\n")

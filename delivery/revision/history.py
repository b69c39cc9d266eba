"""What git keeps of a small JSON file: its states, commit by commit."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from delivery.revision.git import local
from delivery.revision.revision import resolve


class State(NamedTuple):
    """A file as a commit left it; `at` is when that was committed, in ISO 8601."""

    commit: str
    at: str
    content: Any


def history_of(path: str, last: int, root: Path = Path()) -> list[State]:
    """Return the newest states of a JSON file, the newest first; none where git is not there or does not know it.

    Parameters
    ----------
    path : str
        From the root of the repository.
    last : int
        How many states at most.
    root : Path

    Raises
    ------
    DeliveryError
        When a commit has it, and it is no JSON.
    """
    listed = local(root, "log", f"--max-count={last}", "--diff-filter=AM", "--format=%H %cI", "--", path)
    pairs = [line.split() for line in listed.stdout.decode().splitlines()]
    return [State(commit, at, resolve(commit, root).json(path)) for commit, at in pairs]

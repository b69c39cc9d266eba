"""Work that must not be waited for without end: what it asks may take the connection and say nothing."""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

from stages.common.errors import BeHealthyError

T = TypeVar("T")


def within(seconds: float, work: Callable[[], T], late: BeHealthyError) -> T:
    """Do something in a thread, and go on without it after so many seconds; it ends when it does.

    Raises
    ------
    BeHealthyError
        `late`, when it is not done by then; what `work` raises is raised here.
    """
    done: SimpleQueue[tuple[T] | Exception] = SimpleQueue()

    def run() -> None:
        try:
            done.put((work(),))
        except Exception as error:  # raised where it is waited for
            done.put(error)

    Thread(target=run, daemon=True).start()
    try:
        end = done.get(timeout=seconds)
    except Empty:
        raise late from None
    if isinstance(end, Exception):
        raise end
    return end[0]

"""How much work a call is, in steps of the interpreter: the same on every machine, however busy it is."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def steps(work: Callable[[], object]) -> int:
    """Count the lines of Python that `work` executes; loops inside of C are one step."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def assert_linear(work: Callable[[int], Callable[[], object]], size: int, slack: float = 1.2) -> None:
    """Assert that twice the size is at most twice the steps, and `slack`; `work` prepares a size uncounted."""
    work(size)()  # what is loaded once is loaded now
    small, large = steps(work(size)), steps(work(2 * size))
    assert large <= 2 * slack * small, f"{small} steps for {size}, {large} for {2 * size}"

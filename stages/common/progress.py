"""Long work says where it is: a line for each step, on a terminal and in a log alike."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def steps(what: str, items: Sequence[T]) -> Iterator[T]:
    """Walk through `items`, saying on standard error which is next."""
    for number, item in enumerate(items, start=1):
        print(f"{what} {number} of {len(items)}", file=sys.stderr, flush=True)
        yield item

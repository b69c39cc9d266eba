"""All the faults of an export at once: what can be read further is, so that one round of corrections mends them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType

from stages.common.errors import AnnotationError

MOST_SHOWN = 20
"""Faults that are told one by one; the rest are counted."""


@dataclass
class SeveralFaultsError(AnnotationError):
    """An export with several faults: the first of them, a line each, and the number of the others."""

    faults: tuple[AnnotationError, ...] = ()
    more: int = 0

    def __str__(self) -> str:
        where = f"batch {self.batch}: " if self.batch else ""
        rest = [f"  and {self.more:,} more."] if self.more else []
        return "\n".join([f"{where}{self.problem}:", *(f"  {fault}" for fault in self.faults), *rest])


class _Noted:
    """What was found wrong so far."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.first: list[AnnotationError] = []
        self.count = 0

    def add(self, fault: AnnotationError) -> None:
        self.count += 1
        if len(self.first) < self.most:
            self.first.append(fault)

    def refusal(self) -> AnnotationError:
        if self.count == 1:
            return self.first[0]
        return refusal_of(self.first, self.count)


_noted: ContextVar[_Noted | None] = ContextVar("noted", default=None)


def refusal_of(first: list[AnnotationError], count: int) -> SeveralFaultsError:
    """Return one error for `count` faults, of which the first are given."""
    more = count - len(first)
    beginning = f", the first {len(first)}" if more else ""
    return SeveralFaultsError(f"{count:,} faults{beginning}", "Correct them", faults=tuple(first), more=more)


@contextmanager
def collected(most: int = MOST_SHOWN) -> Iterator[None]:
    """Collect the faults that the block notes, and refuse it with all of them at its end.

    Parameters
    ----------
    most : int
        Faults that are told one by one.

    Raises
    ------
    AnnotationError
        When there was any: the only one itself, or a `SeveralFaultsError` of several.
    """
    noted = _Noted(most)
    token = _noted.set(noted)
    try:
        yield
    except AnnotationError as error:  # one after which nothing more could be read
        noted.add(error)
    finally:
        _noted.reset(token)
    if noted.count:
        raise noted.refusal() from None


def note(fault: AnnotationError) -> None:
    """Note a fault, inside `collected`; elsewhere raise it. What is built after it is thrown away."""
    noted = _noted.get()
    if noted is None:
        raise fault
    noted.add(fault)


def any_noted() -> bool:
    """Tell whether a fault was noted: what seems to be missing may only have been unreadable."""
    noted = _noted.get()
    return noted is not None and noted.count > 0


class _Noting:
    """Notes the fault that ends its block, and goes on after it; outside of `collected` lets it through."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, AnnotationError) or _noted.get() is None:
            return False
        note(error)
        return True


noting = _Noting()
"""``with noting:`` around one line, mention or document: after a fault in it the next ones are read as well."""

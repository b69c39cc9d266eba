"""Values that stand for few people are not shown where more may read than the notes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

LEAST = 5
"""A value that fewer notes have is hidden: a type of note may carry a doctor's name, a ward one patient."""

RARE = "(rare)"
"""What stands in place of all rare values."""


def without_rare(*columns: Iterable[str | None]) -> list[list[str | None]]:
    """Replace each value that stands fewer than `LEAST` times in all columns together by `RARE`.

    Parameters
    ----------
    *columns : iterable of str or None
        Values of one kind, as of the same column before and after. None is a missing value, and stays.

    Returns
    -------
    list of list
        The columns, each as long as it was.
    """
    held: list[Sequence[str | None]] = [list(column) for column in columns]
    counts = Counter(value for column in held for value in column if value is not None)
    return [[RARE if value is not None and counts[value] < LEAST else value for value in column] for column in held]

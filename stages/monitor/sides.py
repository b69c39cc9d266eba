"""A reference and windows without repeated notes: what both kinds of judgement need of their columns, found once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import pandas as pd

from stages.common.labels import QUARANTINED
from stages.common.wording import agreeing
from stages.monitor.columns import (
    Reference,
    distinct,
    fault_of,
    kind_of,
    rows_of_column,
    served_rows,
    telling_rows,
    values_of,
)
from stages.monitor.deviation import Counts, count_values
from stages.monitor.params import MonitorParams


@dataclass(frozen=True)
class Column:
    """One column of the last window and of the reference.

    Parameters
    ----------
    rows : DataFrame
        Those of the reference that it is compared with.
    fault : str or None
        Why it cannot be compared.
    counts : Counts or None
        Of its values; None where there is a fault.
    """

    rows: pd.DataFrame
    fault: str | None
    counts: Counts | None


@dataclass(frozen=True)
class Sides:
    """What is compared: notes that were served, and beside them those in which the share in quarantine is counted.

    Parameters
    ----------
    reference : DataFrame
    last : DataFrame
        The last window.
    windows : sequence of DataFrame
        All windows, each without the notes of those before it; where there is one, it is `last`.
    called : {"profile", "reference"}
        What faults call the reference.
    telling : Sides or None
        The same with notes that were set aside, and without those that do not tell; None in such sides themselves.
    """

    reference: pd.DataFrame
    last: pd.DataFrame
    windows: Sequence[pd.DataFrame]
    called: Reference = "profile"
    telling: Self | None = None
    _columns: dict[str, Column] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(
        cls,
        reference: pd.DataFrame,
        windows: Sequence[pd.DataFrame],
        columns: Sequence[str],
        called: Reference = "profile",
    ) -> Self:
        """Leave repeated notes out: those that have the same values in `columns`."""
        (reference,), (last,) = distinct([reference], columns), distinct(windows[-1:], columns)
        every = cls(reference, last, distinct(windows, columns) if len(windows) > 1 else [last], called)
        return replace(every._each(served_rows), telling=every._each(telling_rows))

    def where(self, column: str, value: str) -> Self:
        """Return the rows that have a value: without repeated notes as well, since they have it in common."""
        telling = self.telling and self.telling.where(column, value)
        return replace(self._each(lambda frame: _where(frame, column, value)), telling=telling)

    def of_column(self, name: str) -> Self:
        """Return the rows that a column is compared in."""
        return self.telling if name == QUARANTINED and self.telling else self

    @property
    def nothing(self) -> str:
        """Say why the last window has no note that was served."""
        aside = 0 if self.telling is None else len(self.telling.last)
        if aside:
            return f"{agreeing(aside, 'note/notes of the last window is/are in quarantine')}, and none was served"
        return "there is no note in the last window"

    def _each(self, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Self:
        last = change(self.last)
        windows = [last if frame is self.last else change(frame) for frame in self.windows]
        return type(self)(change(self.reference), last, windows, self.called)

    def column(self, name: str, params: MonitorParams) -> Column:
        """Return a column of the last window, counted when it is first asked for."""
        if (other := self.of_column(name)) is not self:
            return other.column(name, params)
        if name not in self._columns:
            rows = rows_of_column(self.reference, name, params)
            fault = fault_of(name, rows, self.last, params.minimum_notes, self.called)
            counts = None if fault else count_values(values_of(rows, name), values_of(self.last, name), kind_of(name))
            self._columns[name] = Column(rows, fault, counts)
        return self._columns[name]


def _where(frame: pd.DataFrame, column: str, value: str) -> pd.DataFrame:
    chosen: pd.DataFrame = frame[frame[column] == value] if column in frame else frame[:0]
    return chosen

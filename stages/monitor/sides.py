"""A reference and windows without repeated notes: what both kinds of judgement need of their columns, found once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import pandas as pd

from stages.monitor.columns import Reference, distinct, fault_of, kind_of, rows_of_column, values_of
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
    """What is compared.

    Parameters
    ----------
    reference : DataFrame
    last : DataFrame
        The last window.
    windows : sequence of DataFrame
        All windows, each without the notes of those before it; where there is one, it is `last`.
    called : {"profile", "reference"}
        What faults call the reference.
    """

    reference: pd.DataFrame
    last: pd.DataFrame
    windows: Sequence[pd.DataFrame]
    called: Reference = "profile"
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
        return cls(reference, last, distinct(windows, columns) if len(windows) > 1 else [last], called)

    def where(self, column: str, value: str) -> Self:
        """Return the rows that have a value: without repeated notes as well, since they have it in common."""
        last = _where(self.last, column, value)
        windows = [last if frame is self.last else _where(frame, column, value) for frame in self.windows]
        return type(self)(_where(self.reference, column, value), last, windows, self.called)

    def column(self, name: str, params: MonitorParams) -> Column:
        """Return a column of the last window, counted when it is first asked for."""
        if name not in self._columns:
            rows = rows_of_column(self.reference, name, params)
            fault = fault_of(name, rows, self.last, params.minimum_notes, self.called)
            counts = None if fault else count_values(values_of(rows, name), values_of(self.last, name), kind_of(name))
            self._columns[name] = Column(rows, fault, counts)
        return self._columns[name]


def _where(frame: pd.DataFrame, column: str, value: str) -> pd.DataFrame:
    chosen: pd.DataFrame = frame[frame[column] == value] if column in frame else frame[:0]
    return chosen

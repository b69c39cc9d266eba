"""What was served in a period, out of the database or out of a folder of the serving log."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
from sqlalchemy import ColumnElement, Engine, and_, func, select

from production.database.engine import reading
from production.database.schema import SERVING_LOG
from production.log.rows import table_of
from production.watch.periods import SETTLED, Period
from stages.monitor.times import as_utc
from stages.monitor.window import Window, equally_likely, read_window


class Served(Protocol):
    """What one version of the model served."""

    def rows(self, period: Period) -> int:
        """Return how many rows of the log a period has."""

    def read(self, period: Period) -> pd.DataFrame:
        """Return them as a sample in which every note is as likely."""


@dataclass(frozen=True)
class InDatabase:
    """The rows that the database has.

    Parameters
    ----------
    engine : Engine
    version : str
        Of the model.
    """

    engine: Engine
    version: str

    def rows(self, period: Period) -> int:
        """Return how many rows of the log a period has."""
        with reading(self.engine) as connection:
            query = select(func.count()).select_from(SERVING_LOG)
            return int(connection.execute(query.where(self._within(period))).scalar_one())

    def read(self, period: Period) -> pd.DataFrame:
        """Return them as a sample in which every note is as likely."""
        query = select(SERVING_LOG).where(self._within(period)).order_by(SERVING_LOG.c.log_id)
        with reading(self.engine) as connection:
            rows = connection.execution_options(yield_per=10_000).execute(query)
            tables = [table_of(list(alike)).to_pandas() for _, alike in groupby(rows, key=_columns)]
        if not tables:
            return pd.DataFrame(columns=["note"])
        return equally_likely(pd.concat(tables, ignore_index=True))

    def counted(self, size: int, start: datetime, now: datetime, after: int = 0) -> Iterator[Period]:
        """Yield windows of so many rows each, in the order in which they were written, that are full and settled."""
        settled = and_(SERVING_LOG.c.served_at >= start, SERVING_LOG.c.served_at < now - SETTLED)
        while True:
            mine = and_(SERVING_LOG.c.model_version == self.version, SERVING_LOG.c.log_id > after, settled)
            within = select(SERVING_LOG.c.log_id, SERVING_LOG.c.served_at).where(mine)
            rows = within.order_by(SERVING_LOG.c.log_id).limit(size).subquery()
            ends = select(func.count(), *(one(rows.c.log_id) for one in (func.min, func.max)))
            times = (one(rows.c.served_at) for one in (func.min, func.max))
            with reading(self.engine) as connection:
                number, first, last, since, until = connection.execute(ends.add_columns(*times)).one()
            if number < size:
                return
            yield Period(f"count-{size} from {first}", as_utc(since), as_utc(until), first, last)
            after = last

    def _within(self, period: Period) -> ColumnElement[bool]:
        mine = SERVING_LOG.c.model_version == self.version
        if period.first is not None:
            since, until = SERVING_LOG.c.served_at >= period.since, SERVING_LOG.c.served_at <= period.until
            return and_(mine, since, until, SERVING_LOG.c.log_id.between(period.first, period.last))
        return and_(mine, SERVING_LOG.c.served_at >= period.since, SERVING_LOG.c.served_at < period.until)


def _columns(row: Any) -> frozenset[str]:
    return frozenset(row.row)


@dataclass(frozen=True)
class InFolder:
    """The rows of a folder of the serving log, into which databases and services are exported.

    Parameters
    ----------
    folder : Path
    version : str
        Of the model.
    watched : collection of str
        Columns that are read.
    """

    folder: Path
    version: str
    watched: Collection[str]

    def rows(self, period: Period) -> int:
        """Return how many rows of the log a period has."""
        return len(self.read(period))

    def read(self, period: Period) -> pd.DataFrame:
        """Return them as a sample in which every note is as likely."""
        return read_window(self.folder, Window(period.since, period.until, self.version), self.watched)

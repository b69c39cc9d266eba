"""What the roll-up is computed from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from sqlalchemy import Engine

from production.database.champion import AtWork, at_work
from production.database.engine import DatabaseError, reading
from production.database.revision import open_database
from production.watch.params import WatchParams
from stages.evaluate.params import EvaluateParams
from stages.monitor.params import MonitorParams

SPAN = timedelta(days=366)
"""So far back windows and weeks are shown."""
KPI = Path("metrics/kpi.json")


@dataclass(frozen=True)
class Place:
    """A database, and the parameters by which it is looked at.

    Parameters
    ----------
    engine : Engine
    watch : WatchParams
    monitor : MonitorParams
    evaluate : EvaluateParams
    weekly_minutes : float
        Of people, for the audit.
    promised : float
        Precision of the accepted mentions.
    kpi : Path
        What the model saved on test documents.
    """

    engine: Engine
    watch: WatchParams
    monitor: MonitorParams
    evaluate: EvaluateParams
    weekly_minutes: float
    promised: float
    kpi: Path = KPI

    @classmethod
    def open(cls, engine: Engine | None = None) -> Self:
        """Open the database of the environment, or look at this one."""
        from production.review.params import load_params as load_review
        from production.watch.params import load_params as load_watch
        from stages.evaluate.params import load_params as load_evaluate
        from stages.monitor.params import load_params as load_monitor
        from stages.train.params import load_params as load_train

        return cls(
            engine or open_database(),
            load_watch(),
            load_monitor(),
            load_evaluate(),
            load_review().weekly_minutes,
            load_train().acceptance.precision,
        )

    @property
    def slices(self) -> Sequence[str]:
        """Columns of metadata whose values are looked at by themselves."""
        return self.monitor.slices

    def champion(self) -> AtWork | None:
        """Return the version at work; None where none was yet."""
        with reading(self.engine) as connection:
            try:
                return at_work(connection)
            except DatabaseError:
                return None


def written(time: datetime | None) -> str | None:
    """Return a moment as the roll-up has it."""
    return None if time is None else time.isoformat(timespec="seconds")

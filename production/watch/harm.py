"""What audits and the model's own confidence say of the quality until a time, as the drift decision weighs it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine

from production.watch.params import WatchParams
from stages.monitor.decision import NOTHING_KNOWN, Harm


def harm_until(engine: Engine, version: str, start: datetime, until: datetime, params: WatchParams) -> Harm:
    """Return what is known."""
    return NOTHING_KNOWN

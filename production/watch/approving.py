"""Whether a person must approve a promotion: what the watch could not tell, or found too much, asks for one."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import select

from production.database.engine import DatabaseError, reading
from production.database.watch_tables import WATCH_WINDOWS
from production.watch.keeping import Champion, champion
from production.watch.params import WatchParams
from production.watch.status import overdue
from stages.common.wording import decision_in_words

if TYPE_CHECKING:
    from sqlalchemy import Engine

BACK_TO_DEVELOPMENT = "redevelop"
UNCLEAR = frozenset({"unknown", "size_uncertain"})


def why_a_person(engine: Engine, params: WatchParams, now: datetime) -> str:
    """Say why a person must approve; empty where nothing that was decided under the champion asks for one.

    `redevelop` asks until another champion is at work, or somebody resets: what came later does not undo it. What
    could not be told asks as long as it is the last that is known.
    """
    try:
        at_work = champion(engine)
    except DatabaseError:
        return "no champion has looked at a note here yet: nothing is known of what it would replace"
    decisions = _decisions(engine, at_work)
    if BACK_TO_DEVELOPMENT in decisions:
        said = decision_in_words(BACK_TO_DEVELOPMENT)
        return f"under version {at_work.version} it was decided: {said}"
    if decisions and decisions[-1] in UNCLEAR:
        return f"the last decision under version {at_work.version} is: {decision_in_words(decisions[-1])}"
    if at_work.is_ahead(now) or overdue(engine, at_work, params, now):
        return "the watch is overdue: `python -m production.watch status` says which window was not judged"
    return ""


def _decisions(engine: Engine, at_work: Champion) -> list[str]:
    """Return what was decided of the windows of a reign, the newest last."""
    columns = WATCH_WINDOWS.c
    mine = columns.model_version == at_work.version, columns.since >= at_work.start
    with reading(engine) as connection:
        return list(connection.scalars(select(columns.decision).where(*mine).order_by(columns.window_id)))

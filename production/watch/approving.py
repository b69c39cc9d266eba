"""Whether a person must approve a promotion: what the watch could not tell, or found too much, asks for one."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import func, select

from production.database.champion import found_at_work
from production.database.engine import reading
from production.database.watch_tables import DECISIONS, WATCH_RESETS, WATCH_WINDOWS
from production.watch.keeping import champion
from production.watch.params import WatchParams
from production.watch.status import overdue
from stages.common.wording import decision_in_words
from stages.monitor.times import as_utc

if TYPE_CHECKING:
    from sqlalchemy import Engine

BACK_TO_DEVELOPMENT = "redevelop"
NO_PERSON = frozenset({"none", "watch", "retrain", "retrain_and_alert"})
"""Decisions under which a pipeline may go on by itself; one that is not known here asks for a person."""
TELLS_NOTHING = "too_few_notes"
NOTHING_KNOWN = "no champion has looked at a note here yet: nothing is known of what it would replace"


class Decided(NamedTuple):
    """What was decided of a window, and when."""

    decision: str
    at: datetime


def why_a_person(
    engine: Engine, params: WatchParams, now: datetime, replaced: str | None = None, approved: datetime | None = None
) -> str:
    """Say why a person must approve; empty where nothing that is known of the champion asks for one.

    `redevelop` asks as long as this version is at work, or is again after a rollback, unless somebody resets: what came
    later does not undo it. What could not be told asks as long as it is the last that is known.

    Parameters
    ----------
    engine : Engine
    params : WatchParams
    now : datetime
    replaced : str, optional
        The champion of the registry, where it may be another than that of the database: nobody followed it yet.
    approved : datetime, optional
        When a person did: only what was decided after it asks again.
    """
    with reading(engine) as connection:
        known = found_at_work(connection) is not None
    if not known:
        return "" if approved else NOTHING_KNOWN
    at_work = champion(engine)
    for version in {at_work.version: None, replaced: None}:
        if version and (why := _why_of_version(_decisions(engine, version), version, approved)):
            return why
    if not approved and (at_work.is_ahead(now) or overdue(engine, at_work, params, now)):
        return "the watch is overdue: `python -m production.watch status` says which window was not judged"
    return ""


def _why_of_version(decisions: list[Decided], version: str, approved: datetime | None) -> str:
    asking = [one for one in decisions if one.decision == BACK_TO_DEVELOPMENT]
    asking += [one for one in decisions[-1:] if one.decision not in NO_PERSON]
    if approved:
        asking = [one for one in asking if one.at > approved]
    if not asking:
        return ""
    said = decision_in_words(asking[0].decision)
    if asking[0].decision == BACK_TO_DEVELOPMENT:
        return f"under version {version} it was decided: {said}"
    return f"the last decision under version {version} is: {said}"


def _decisions(engine: Engine, version: str) -> list[Decided]:
    """Return what was decided of the windows of a version since the last reset, the newest last."""
    columns = WATCH_WINDOWS.c
    query = select(columns.decision, DECISIONS.c.at).join(DECISIONS, DECISIONS.c.number == columns.decided_by)
    mine = columns.model_version == version, columns.decision != TELLS_NOTHING
    with reading(engine) as connection:
        reset = connection.scalar(select(func.max(WATCH_RESETS.c.at)).where(WATCH_RESETS.c.model_version == version))
        since = () if reset is None else (columns.since >= as_utc(reset),)
        rows = connection.execute(query.where(*mine, *since).order_by(columns.window_id)).all()
    return [Decided(decision, as_utc(at)) for decision, at in rows]

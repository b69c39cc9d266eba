"""What was rolled up, as pages read it: one row, how old it is, and which command brings a newer one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import streamlit as st

from dashboard.parts import command_to_copy, missing, plain
from production.database.engine import database_session
from production.database.revision import open_database
from production.rollup.reading import FAULT, Live, RolledUp, live, read
from stages.common.wording import counted

COMMAND = "python -m production.rollup"
OLD = timedelta(days=1)
AHEAD = timedelta(minutes=5)
"""So far clocks of two machines may be apart."""
_UNITS = (("day", 86_400), ("hour", 3600), ("minute", 60))


class Shown(NamedTuple):
    """What a page shows: what was rolled up, and what the database itself says now."""

    content: dict[str, Any]
    live: Live


def rolled_up(name: str, now: datetime | None = None) -> Shown | None:
    """Read a subject, and say how old it is; where there is none, say why, and which command brings it.

    Parameters
    ----------
    name : {"today", "drift", "quality", "shadow", "reviewers"}
    now : datetime, optional
    """
    engine = open_database()
    try:
        with database_session():
            kept, current = read(engine, name), live(engine)
    finally:
        engine.dispose()
    if kept is None:
        missing("Nothing was rolled up yet.", COMMAND)
        return None
    if not kept.is_of_this_code:
        missing("What was rolled up is of another version of the code.", COMMAND)
        return None
    _say_age(kept, current, now or datetime.now(UTC))
    if FAULT in kept.content:
        st.error(f"This could not be computed: {plain(str(kept.content[FAULT]))}. Mend that, then:")
        command_to_copy(COMMAND)
        return None
    return Shown(kept.content, current)


def moment(written: str) -> str:
    """Return a moment of the roll-up as people read it."""
    return f"{datetime.fromisoformat(written):%Y-%m-%d %H:%M} UTC"


def _say_age(kept: RolledUp, current: Live, now: datetime) -> None:
    st.caption(f"As of {kept.written_at:%Y-%m-%d %H:%M} UTC, {_ago(now - kept.written_at)}.")
    if kept.written_at > now + AHEAD:
        st.warning("That is a time that is to come: some clock is wrong, or was. This computes it anew:")
        command_to_copy(COMMAND)
    overtaken = current.decided_at is not None and current.decided_at > kept.written_at
    if overtaken or now - kept.written_at > OLD:
        why = "Something was decided since" if overtaken else "These figures are older than a day"
        st.warning(f"{why}: this page does not show how things stand. This computes it anew:")
        command_to_copy(COMMAND)


def _ago(age: timedelta) -> str:
    seconds = age.total_seconds()
    for unit, length in _UNITS:
        if seconds >= length:
            return f"{counted(int(seconds // length), unit)} ago"
    return "just now"

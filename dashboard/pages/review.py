"""Review: the validation team's desk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from dashboard.desk.browser import DESK
from dashboard.desk.reviewer import NobodyError, header, named_by_proxy
from dashboard.desk.sitting import Sitting
from dashboard.parts import missing
from production.database.engine import database_session
from production.review.setup import Desk
from production.review.status import Done, done_by, status_of
from stages.common.wording import counted

PLAN = "python -m production.review plan"
_SITTING, _DESK = "review-sitting", "review-desk"


def page() -> None:
    """Show the page."""
    st.title("Review")
    sitting = _sitting()
    if sitting and sitting.task:  # first, and without the database: what is decided in the browser outlives its faults
        _show_note(sitting, sitting.turn)
    with database_session(), _opened() as desk:
        if sitting:
            _show_around(desk, sitting)
        else:
            _begin(desk, _proposed())


def _proposed() -> str | None:
    name = header()
    return named_by_proxy(name) if name else None


def _sitting() -> Sitting | None:
    """Return who sits here, unless the proxy names another person now."""
    sitting: Sitting | None = st.session_state.get(_SITTING)
    proposed = _proposed()
    return None if sitting and proposed is not None and sitting.name != proposed else sitting


def _sits_here(sitting: Sitting) -> bool:
    try:
        return _sitting() is sitting
    except NobodyError:
        return False


@contextmanager
def _opened() -> Iterator[Desk]:
    desk = Desk.open()
    try:
        yield desk
    finally:
        desk.engine.dispose()


@st.fragment
def _show_note(sitting: Sitting, turn: int) -> None:
    """Show the desk; a draft makes nothing else of the page anew, and another note all of it."""
    if not _sits_here(sitting):
        st.rerun()  # the proxy names another person now, who must not see the note
    if sitting.task:
        DESK(key=_DESK, data=sitting.shown(), on_sent_change=_receive)
    if sitting.turn != turn or sitting.task is None:
        st.rerun()


def _begin(desk: Desk, proposed: str | None) -> None:
    """Ask who it is, and whether to begin: by that a note is claimed, and is on the screen."""
    _show_waiting(desk)
    with st.form("review-begin", border=False):
        if proposed is None:
            name = st.text_input("Your name", max_chars=200)
            st.caption("It is not stored: a pseudonym stands for it.")
        else:
            name = proposed
            st.text(f"You are {proposed}.")
        begun = st.form_submit_button("Begin", type="primary")
    if begun and not name.strip():
        st.error("Write your name: all who left it out would be one reviewer.")
    elif begun:
        st.session_state[_SITTING] = Sitting.begun(desk, name, datetime.now(UTC))
        st.rerun()


def _show_around(desk: Desk, sitting: Sitting) -> None:
    """Show what stands below the note, or instead of it."""
    if sitting.task is None:
        if sitting.said:
            (st.success if sitting.good else st.error)(sitting.said)
        st.info("No note is waiting that you may have.")
        _show_waiting(desk)
        if st.button("Look again", type="primary"):
            sitting.take_up(desk, datetime.now(UTC))
            st.rerun()
    else:
        _show_waiting(desk)
    today = datetime.now(_zone()).replace(hour=0, minute=0, second=0, microsecond=0)
    done = done_by(desk.engine, sitting.reviewer, today.astimezone(UTC))
    st.markdown(f"You today: {counted(done.notes, 'note')} in {_taken(done)}.")
    if st.button("Leave"):
        del st.session_state[_SITTING]
        st.rerun()


def _taken(done: Done) -> str:
    return "less than a minute" if done.notes and done.minutes < 1 else counted(round(done.minutes), "minute")


def _receive() -> None:
    """Answer what the browser has sent, before the page is shown again."""
    message = st.session_state[_DESK].get("sent")
    try:
        sitting = _sitting()
    except NobodyError:
        return  # the page says it
    if sitting and isinstance(message, Mapping):
        sitting.receive(_opened, message, datetime.now(UTC))


def _show_waiting(desk: Desk) -> None:
    status = status_of(desk.engine, datetime.now(UTC))
    if status.planned_until is None:
        missing("No note is planned for review yet.", PLAN)
        return
    audits, work = (sum(one.open for one in status.counts if one.stream == stream) for stream in ("audit", "work"))
    waiting = f"{counted(audits, 'note')} of the audit, {counted(work, 'note')} to work on"
    st.markdown(f"Waiting: {waiting}. Planned until {status.planned_until:%Y-%m-%d %H:%M} UTC.")
    if not audits + work:
        missing("What came since the last plan is not in it yet.", PLAN)


def _zone() -> ZoneInfo:
    """Return where the person's day begins."""
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")

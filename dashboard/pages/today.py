"""Today: what the extractor saves, what was served, what was decided last and when the next decision is due."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard.figures import estimated, figure, share
from dashboard.parts import missing, plain, table
from dashboard.rolled import Shown, moment, rolled_up
from dashboard.wording import against, decided, followed
from stages.common.wording import counted, decision_in_words

HOURS, ERRORS = "hours_per_1000_notes", "errors_per_1000_mentions"
"""As `stages.evaluate.kpi` calls them, which takes a second to import."""
WATCH, STATUS, SEND = (f"python -m production.watch {name}" for name in ("run", "status", "send"))
INFER = "python -m production.infer"
_STEPS = {
    "entry": "typing the mentions of a note",
    "validation": "reading a note",
    "review": "deciding on a mention",
}


def page() -> None:
    """Show the page."""
    st.title("Today")
    shown = rolled_up("today")
    if shown is None:
        return
    _attention(shown.content)
    _savings(shown.content["kpi"])
    _notes(shown)
    _decision(shown.content)


def _attention(content: Mapping[str, Any]) -> None:
    """Say first what a person has to look at."""
    found = [
        *(f"open alert, {one['topic']}: {decision_in_words(one['decision'])}, since {moment(one['opened_at'])}"
          for one in content["alerts"]),
        *(f"overdue: {name} was not judged" for name in content["overdue"][-3:]),
    ]  # fmt: skip
    if failed := content["undelivered"]["failed"]:
        found.append(f"{counted(failed, 'message')} could not be delivered")
    if content["ahead"]:
        found.append("the champion is at work since a time that is to come: some clock is wrong")
    if found:
        st.warning("\n".join(["To look at:", *(f"- {plain(one)}" for one in found)]))
        st.code(STATUS, language="shell")


def _savings(kpi: Mapping[str, Any]) -> None:
    st.header("What the extractor saves")
    measured, expected = kpi["measured"], kpi["expected"]
    if measured and measured["figures"]:
        since = f"since {measured['since'][:10]}"
        st.markdown(f"**Measured** from {counted(measured['reviewed'], 'note')} that reviewers read {since}.")
        _cards(measured["figures"], measured["difference"])
        _minutes(measured["figures"]["minutes"])
        return
    if not expected:
        missing("Nobody reviewed a note of the champion yet, and there are no figures of test documents.", "dvc repro")
        return
    st.markdown("**Assumed**, not measured: nobody reviewed a note of the champion yet. These are the test documents'.")
    _cards(expected, expected["difference"])
    _minutes(expected["minutes"])


def _cards(figures: Mapping[str, Any], difference: Mapping[str, Any] | None) -> None:
    if not difference or not figures["saved"]:
        st.info("There was no mention in the notes that were read: nothing can be said yet.")
        return
    assumed = [name for name, one in figures["minutes"].items() if one["source"] == "assumed"]
    with_assumed = "; *some minutes are assumed*" if assumed else ""
    hours, errors, left = st.columns(3)
    with hours:
        said = f"{share(figures['saved'], 'hours')} of the work by hand{with_assumed}"
        figure("Hours saved per 1,000 notes", estimated(difference, HOURS), said)
    with errors:
        said = f"{share(figures['saved'], 'errors')} of those by hand; *the rate by hand is assumed*"
        more = "" if difference[ERRORS] >= 0 else "; **below 0: errors are added**"
        figure("Errors saved per 1,000 mentions", estimated(difference, ERRORS), said + more)
    with left:
        figure("Errors left per 1,000 mentions", estimated(figures["after"], ERRORS), "wrong or missing, after people")


def _minutes(steps: Mapping[str, Any]) -> None:
    rows = [
        {
            "step": _STEPS.get(name, name),
            "minutes": one["value"],
            "where from": f"measured in {counted(one['notes'], 'note')}" if one["source"] == "measured" else "ASSUMED",
        }
        for name, one in steps.items()
    ]
    table(rows, "Minutes of a person that these figures rest on")


def _notes(shown: Shown) -> None:
    st.header("Notes")
    notes, champion = shown.content["notes"], shown.content["champion"]
    served, waiting, aside = st.columns(3)
    with served:
        figure("Served", f"{notes['served']:,}", f"of {counted(notes['notes'], 'note')}")
    with waiting:
        figure("Waiting now", f"{shown.live.waiting:,}", "for the champion to look at them")
    with aside:
        steps = ", ".join(f"{plain(step)}: {number:,}" for step, number in notes["quarantine"].items())
        figure("In quarantine", f"{notes['quarantined']:,}", steps or "none was set aside")
    if champion is None:
        missing("No model was champion here yet.", INFER)
    else:
        st.markdown(f"Champion: **version {plain(champion['version'])}**, since {moment(champion['since'])}.")


def _decision(content: Mapping[str, Any]) -> None:
    st.header("The last decision")
    last = content["decision"]
    if last is None:
        missing("No window of the serving log was judged yet.", WATCH)
    else:
        _window(last)
    if content["due"]:
        st.markdown(f"The next decision is due at **{moment(content['due'])}**.")
    elif content["champion"]:
        st.markdown("The next decision is due when there are enough new notes: none is due at a time.")
    if waiting := content["undelivered"]["waiting"]:
        st.info(f"{counted(waiting, 'message')} to be sent; this sends:")
        st.code(SEND, language="shell")


def _window(last: Mapping[str, Any]) -> None:
    about = f"{last['name']}, {counted(last['notes'], 'note')}, against {against(last['reference'])}"
    st.markdown(f"**{plain(decided(last))}** ({plain(about)}; decided at {moment(last['at'])})")
    st.markdown(f"What followed: {plain(followed(last))}.")
    if last["reasons"]:
        with st.expander("Why"):
            st.markdown("\n".join(f"- {plain(reason)}" for reason in last["reasons"]))

"""Today: what the extractor saves, what was served, what was decided last and when the next decision is due."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard.figures import estimated, figure, share
from dashboard.parts import command_to_copy, missing, plain, table
from dashboard.rolled import Shown, moment, rolled_up
from dashboard.wording import (
    NO_CHAMPION,
    STEPS,
    against,
    alerted,
    decided,
    followed,
    from_where,
    in_words,
    lasting,
    not_judged,
)
from stages.common.wording import counted

HOURS, ERRORS = "hours_per_1000_notes", "errors_per_1000_mentions"
"""As `stages.evaluate.kpi` calls them, which takes a second to import."""
WATCH, STATUS, SEND = (f"python -m production.watch {name}" for name in ("run", "status", "send"))


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
        *(f"open alert, {alerted(one)}, since {moment(one['opened_at'])}" for one in content["alerts"]),
        *(f"overdue: {name} was not judged" for name in content["overdue"][-3:]),
    ]  # fmt: skip
    if failed := content["undelivered"]["failed"]:
        found.append(f"{counted(failed, 'message')} could not be delivered")
    if content["ahead"]:
        found.append("the champion is at work since a time that is to come: some clock is wrong")
    if found:
        st.warning("\n".join(["To look at:", *(f"- {plain(one)}" for one in found)]))
        command_to_copy(STATUS)


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
        missing(
            "Nobody reviewed a note of the champion lately, and there are no figures of test documents.", "dvc repro"
        )
        return
    nobody = "nobody reviewed a note of the champion in the last quarter"
    st.markdown(f"**Assumed**, not measured here: {nobody}. What the model does is that of the test documents.")
    _cards(expected, expected["difference"])
    _minutes(expected["minutes"])


def _cards(figures: Mapping[str, Any], difference: Mapping[str, Any] | None) -> None:
    if not difference or not figures["saved"]:
        st.info("There was no mention in the notes that were read: nothing can be said yet.")
        return
    assumed = any(one["source"] == "assumed" for one in figures["minutes"].values())
    st.markdown(_in_words(figures, difference))
    columns = st.columns(3)
    with columns[0]:
        value, interval = estimated(difference, HOURS)
        of = f"{share(figures['saved'], 'hours')} of the work by hand"
        figure("Hours saved per 1,000 notes", value, _about(interval, of, "*some minutes are assumed*" * assumed))
    with columns[1]:
        value, interval = estimated(difference, ERRORS)
        of = f"{share(figures['saved'], 'errors')} of those by hand, *whose rate is assumed*"
        figure("Errors saved per 1,000 mentions", value, _about(interval, of, _sign(difference)))
    with columns[2]:
        value, interval = estimated(figures["after"], ERRORS)
        figure("Errors left per 1,000 mentions", value, _about(interval, "wrong or missing, after people"))


def _in_words(figures: Mapping[str, Any], difference: Mapping[str, Any]) -> str:
    """Say in a sentence what it takes with the extractor, and what by hand."""
    hours, errors = (figures["after"][name] for name in (HOURS, ERRORS))
    by_hand, wrong = (figures["after"][name] + difference[name] for name in (HOURS, ERRORS))
    return (
        f"By hand, 1,000 notes take {by_hand:,.0f} hours; with the extractor {hours:,.0f}."
        f" Of 1,000 mentions, {wrong:,.0f} are wrong or missing by hand (assumed); with the extractor {errors:,.0f}."
    )


def _sign(difference: Mapping[str, Any]) -> str:
    """Say what stands against reading the figure as errors that are saved."""
    low, high = (difference.get(f"{ERRORS}{end}") for end in ("_low", "_high"))
    if low is not None and high is not None and low < 0 < high:
        return "**it cannot be told whether errors are saved or added**"
    return "**below 0: errors are added**" * (difference[ERRORS] < 0)


def _about(*said: str) -> str:
    return "; ".join(filter(None, said))


def _minutes(steps: Mapping[str, Any]) -> None:
    rows = [
        {
            "step": STEPS.get(name, name),
            "time": lasting(one["value"]),
            "where from": f"measured in {counted(one['notes'], 'note')}" if one["source"] == "measured" else "ASSUMED",
        }
        for name, one in steps.items()
    ]
    table(rows, "A person's time that these figures rest on")
    st.caption(
        "Ranges are intervals of 95%: what was assumed counts as certain in them. Assumed times and the errors made by"
        " hand stand in params.yaml, under evaluate.kpi: put your own there."
    )


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
        missing(*NO_CHAMPION)
    else:
        version = champion["version"]
        where = from_where(version)
        st.markdown(f"Champion: **version {plain(version)}**{where}, since {moment(champion['since'])}.")


def _decision(content: Mapping[str, Any]) -> None:
    st.header("The last decision")
    last = content["decision"]
    if last is None:
        missing(not_judged(moment(content["due"]) if content["due"] else None), WATCH)
    else:
        _window(last)
        st.markdown(_due(content["due"]))
    if waiting := content["undelivered"]["waiting"]:
        st.info(f"{counted(waiting, 'message')} to be sent; this sends:")
        command_to_copy(SEND)


def _due(at: str | None) -> str:
    if at is None:
        return "The next decision is due when there are enough new notes: none is due at a time."
    return f"The next decision is due at **{moment(at)}**."


def _window(last: Mapping[str, Any]) -> None:
    about = f"{last['name']}, {counted(last['notes'], 'note')}, against {against(last['reference'])}"
    st.markdown(f"**{plain(decided(last))}** ({plain(about)}; decided at {moment(last['at'])})")
    st.markdown(f"What followed: {plain(followed(last))}.")
    if last["reasons"]:
        with st.expander("Why"):
            st.markdown("\n".join(f"- {plain(in_words(reason))}" for reason in last["reasons"]))

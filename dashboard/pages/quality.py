"""Quality: how right the champion is by what people reviewed, against its promise; and what reviewing took."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from dashboard.colours import GREY, coloured, marks_of
from dashboard.figures import audited, figure
from dashboard.parts import Picture, chart, missing, plain, section, table
from dashboard.rolled import moment, rolled_up
from dashboard.wording import NO_CHAMPION, STRATA, listed
from stages.common.wording import counted

PLAN = "python -m production.review plan"
DRAWN = 30
"""Kinds of notes in a picture."""
FIGURES = {"accepted": "Precision of accepted mentions", "f1": "Strict F1", "recall": "Recall"}


def page() -> None:
    """Show the page."""
    st.title("Quality")
    shown = rolled_up("quality")
    if shown is None:
        return
    content = shown.content
    champion, known, whole = content["champion"], content["known"], content["all_labels"]
    if champion is None:
        missing(*NO_CHAMPION)
        return
    with section("Since the champion"):
        _since(champion, known, whole, content["reviews"]["status"])
    if known["reviewed"]:
        labels = [whole, *champion["labels"]]
        with section("Over time"):
            _over_time(content["months"], labels, known["promised"])
        with section("By label"):
            _by_label(known["estimates"], labels)
        with section("By kind of note"):
            _by_slice(known["slices"], whole)
    with section("Reviews"):
        _reviews(content["reviews"])


def _unread(what: str, status: Mapping[str, Any]) -> None:
    """Say what comes first: reading what waits, or a plan."""
    if waiting := sum(one["open"] + one["claimed"] for one in status["counts"] if one["stream"] == "audit"):
        st.info(f"{what} To be read on the page Review: {counted(waiting, 'note')} of the audit.")
    else:
        missing(what, PLAN)


def _since(champion: Mapping[str, Any], known: Mapping[str, Any], whole: str, status: Mapping[str, Any]) -> None:
    st.markdown(f"Version {plain(champion['version'])}, champion since {moment(champion['since'])}.")
    if not known["reviewed"]:
        _unread("No audited note was handed in yet, so nothing is known of the quality.", status)
        return
    said = f"The promise that {known['promised']:.0%} of the accepted mentions are right {known['promise']}."
    broken, holds = known["quality"]["promise"]["broken"], known["quality"]["verdict"] == "holds"
    (st.error if broken else st.success if holds else st.info)(said)
    st.caption(
        f"{counted(known['reviewed'], 'audited note')} with {counted(known['accepted'], 'accepted mention')} stand for"
        f" {counted(known['notes'], 'note')}. Intervals are of 95%."
    )
    for column, (name, title) in zip(st.columns(3), FIGURES.items(), strict=True):
        with column:
            one = known["estimates"][name][whole]
            figure(title, _value(one), _interval(one))


def _value(one: Mapping[str, Any]) -> str:
    return "not known" if one["value"] is None else f"{one['value']:.1%}"


def _interval(one: Mapping[str, Any]) -> str:
    said = "" if one["low"] is None else f"{one['low']:.1%} to {one['high']:.1%}"
    return plain("; ".join(filter(None, [said, one["reason"]]))) or "no interval"


def _over_time(months: Sequence[Mapping[str, Any]], labels: Sequence[str], promised: float) -> None:
    for name, title in FIGURES.items():
        frame = _frame(name, months, labels)
        if frame.empty:
            st.info(f"{title}: too little was reviewed in any month.")
            continue
        promise = promised if name == "accepted" else None
        chart(
            title,
            _picture(frame, labels, promise),
            _figures(frame),
            description=_described(title, frame, labels[0], promise),
        )


def _frame(name: str, months: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> pd.DataFrame:
    rows = [
        {"month": month["month"], "label": label, **month["estimates"][name][label]}
        for month in months
        for label in labels
        if month["estimates"][name][label]["value"] is not None
    ]
    return pd.DataFrame(rows, columns=["month", "label", "value", "low", "high", "notes"])


def _picture(frame: pd.DataFrame, labels: Sequence[str], promised: float | None) -> Picture:
    bottom = min([*frame["low"].dropna(), *frame["value"], promised or 1.0])
    base = alt.Chart(frame).encode(
        x=alt.X("month:O", title=None, axis=alt.Axis(labelAngle=-45)), xOffset=alt.XOffset("label:N", sort=list(labels))
    )
    looks, axis = coloured("label", marks_of(labels)), _percent(bottom)
    intervals = base.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q", **axis), y2="high:Q", color=looks["color"])
    points = _points(base, "month", "label").encode(y=alt.Y("value:Q", **axis), **looks)
    return alt.layer(intervals, *_promise(promised, axis), points).properties(height=380)


def _points(base: alt.Chart, *names: str) -> alt.Chart:
    """Return points that tell their figures to whoever stays on one."""
    shares = [alt.Tooltip(f"{name}:Q", format=".1%") for name in ("value", "low", "high")]
    return base.mark_point(filled=True, size=80, opacity=1).encode(tooltip=[*names, *shares, "notes"])


def _percent(bottom: float) -> dict[str, Any]:
    """Return how shares are drawn: from a little below the lowest one to all."""
    scale = alt.Scale(domain=[max(0.0, bottom - 0.02), 1.0], zero=False, nice=False)
    return {"title": None, "axis": alt.Axis(format="%", tickCount=6), "scale": scale}


def _promise(promised: float | None, axis: Mapping[str, Any]) -> Iterator[alt.Chart]:
    if promised is None:
        return
    line = alt.Chart(pd.DataFrame({"value": [promised], "said": ["promised"]})).encode(y=alt.Y("value:Q", **axis))
    yield line.mark_rule(strokeDash=[5, 4], color=GREY)
    yield line.mark_text(align="left", dx=3, dy=-6, color=GREY).encode(x=alt.value(0), text="said:N")


def _figures(frame: pd.DataFrame) -> pd.DataFrame:
    names = {"low": "from", "high": "to", "notes": "reviewed notes"}
    return frame.iloc[::-1].round(3).rename(columns=names)


def _described(title: str, frame: pd.DataFrame, over_all: str, promised: float | None) -> str:
    """Say what the chart shows: each label in the newest month, and the lowest month of all."""
    months = frame["month"].unique()
    newest = frame[frame["month"] == months[-1]]
    said = listed([f"{row.label} {_of(row)}" for row in newest.itertuples()])
    whole = frame[frame["label"] == over_all]
    lowest = whole.iloc[int(whole["value"].argmin())] if len(whole) else None
    worst = "" if lowest is None else f" Lowest over {over_all}: {lowest['value']:.1%} in {lowest['month']}."
    against = f" Promised: {promised:.0%}." if promised is not None else ""
    return f"{title} in {counted(len(months), 'month')}. In {months[-1]}: {said}.{worst}{against}"


def _of(row: Any) -> str:
    return f"{row.value:.1%} ({row.low:.1%} to {row.high:.1%})"


def _by_label(estimates: Mapping[str, Any], labels: Sequence[str]) -> None:
    rows = [
        {
            "label": label,
            "precision, accepted": audited(estimates["accepted"][label]),
            "precision, all": audited(estimates["precision"][label]),
            "recall": audited(estimates["recall"][label]),
            "strict F1": audited(estimates["f1"][label]),
            "accepted, by confidence alone": audited(estimates["accepted_unlabelled"][label]),
        }
        for label in labels
    ]
    table(rows, "Since the champion, with intervals of 95%; in the last column nobody looked")


def _by_slice(slices: Mapping[str, Any], whole: str) -> None:
    if not slices:
        st.info("The notes say nothing of their kind.")
        return
    names = sorted({name.partition("=")[0] for name in slices})
    name = st.selectbox("By", names, format_func=lambda one: one.replace("_", " "))
    kinds = {key.partition("=")[2]: one for key, one in sorted(slices.items()) if key.partition("=")[0] == name}
    frame = pd.DataFrame(
        [
            {"kind": kind, "figure": FIGURES[of], **one[of][whole]}
            for kind, one in kinds.items()
            for of in ("accepted", "f1")
            if one[of][whole]["value"] is not None
        ]
    )
    if frame.empty:
        st.info("Too little was reviewed of any of them.")
        return
    title = f"By {name.replace('_', ' ')}"
    drawn = _lowest(frame)
    shown = frame[["kind", "figure", "value", "low", "high", "notes"]]
    chart(title, _kinds(drawn), _figures(shown), description=_kinds_in_words(title, drawn))
    if left := frame["kind"].nunique() - drawn["kind"].nunique():
        st.caption(f"{counted(left, 'kind')} more, which are better, are among the figures alone.")


def _lowest(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the kinds with the lowest figures: a picture of thousands would be no picture."""
    lowest = frame.groupby("kind")["value"].min().nsmallest(DRAWN).index
    return frame[frame["kind"].isin(lowest)]


def _kinds(frame: pd.DataFrame) -> Picture:
    names = [FIGURES["accepted"], FIGURES["f1"]]
    looks = coloured("figure", marks_of(names))
    base = alt.Chart(frame).encode(y=alt.Y("kind:N", title=None), yOffset=alt.YOffset("figure:N", sort=names))
    axis = _percent(float(frame[["low", "value"]].min().min()))
    intervals = base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", **axis), x2="high:Q", color=looks["color"])
    points = _points(base, "kind", "figure").encode(x=alt.X("value:Q", **axis), **looks)
    return alt.layer(intervals, points).properties(height=120 + 60 * frame["kind"].nunique())


def _kinds_in_words(title: str, frame: pd.DataFrame) -> str:
    accepted = frame[frame["figure"] == FIGURES["accepted"]]
    rows = (accepted if len(accepted) else frame).sort_values("value")
    said = listed([f"{row.kind} {_of(row)}" for row in rows.itertuples()])
    return f"{title}, {rows.iloc[0]['figure']}, the lowest first: {said}."


def _reviews(reviews: Mapping[str, Any]) -> None:
    status, weekly = reviews["status"], reviews["weekly_minutes"]
    st.markdown(
        f"The audit took {status['minutes']:,.0f} of {weekly:,.0f} minutes in the last week;"
        f" {status['waiting']:,.0f} more minutes are waiting."
    )
    if status["counts"]:
        table(status["counts"], "Notes to review, by stream and by what the model found in them")
        st.caption(STRATA)
    if not reviews["weeks"]:
        _unread("Nobody reviewed a note yet.", status)
        return
    frame = pd.DataFrame(reviews["weeks"]).assign(week=lambda rows: pd.to_datetime(rows["monday"], utc=True))
    table_of = frame[["monday", "stream", "notes", "minutes"]].iloc[::-1].round(1)
    chart("Minutes of review by week", _minutes(frame, weekly), table_of, description=_minutes_in_words(frame))


def _minutes(frame: pd.DataFrame, weekly: float) -> Picture:
    looks = coloured("stream", marks_of(["audit", "work"]))
    x = alt.X("week:T", title="week from", axis=alt.Axis(format="%Y-%m-%d", labelAngle=-45, labelOverlap=True))
    base = alt.Chart(frame).encode(x=x, y=alt.Y("minutes:Q", title="minutes", scale=alt.Scale(zero=True)))
    line = base.mark_line(strokeWidth=1).encode(color=looks["color"])
    points = base.mark_point(filled=True, size=60, opacity=1).encode(
        **looks, tooltip=["monday", "stream", "notes", alt.Tooltip("minutes:Q", format=".0f")]
    )
    budget = alt.Chart(pd.DataFrame({"minutes": [weekly], "said": ["minutes of the audit that there are"]}))
    rule = budget.mark_rule(strokeDash=[5, 4], color=GREY).encode(y="minutes:Q")
    name = budget.mark_text(align="left", dx=3, dy=-6, color=GREY).encode(y="minutes:Q", x=alt.value(0), text="said:N")
    return alt.layer(rule, name, line, points).properties(height=360)


def _minutes_in_words(frame: pd.DataFrame) -> str:
    last = frame[frame["monday"] == frame["monday"].max()]
    said = listed([f"{row.stream} {counted(int(row.notes), 'note')}, {row.minutes:,.0f} minutes"
                   for row in last.itertuples()])  # fmt: skip
    weeks = counted(frame["monday"].nunique(), "week")
    return f"Minutes that reviews took in {weeks}. In the week from {last['monday'].iloc[0]}: {said}."

"""Drift: how far what is served is from the reference, what was decided of it, and what that started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from dashboard.colours import DECISIONS, GREY, coloured
from dashboard.parts import Picture, chart, missing, plain, section, table
from dashboard.rolled import moment, rolled_up
from dashboard.wording import against, column_named, decided, followed, in_words, not_judged
from stages.common.wording import counted

RUN = "python -m production.watch run"
LAST = 15
"""Windows whose decisions are in the table of the page; the others are below it."""

BESIDE = 55
"""Pixels from the name of a band to the next: four are on a telephone, too."""

SHORT = ("window", "decision", "what followed", "why", "notes")

Windows = Sequence[Mapping[str, Any]]


def page() -> None:
    """Show the page."""
    st.title("Drift")
    shown = rolled_up("drift")
    if shown is None:
        return
    content = shown.content
    windows, bands = content["windows"], content["bands"]
    if not windows:
        missing(not_judged(moment(content["due"]) if content["due"] else None), RUN)
        return
    with section("The newest window"):
        _newest(windows, content["columns"])
    with section("Over time"):
        _columns(windows, content["columns"], bands)
    with section("By kind of note"):
        _slices(windows, content["slices"], bands)
    with section("Decisions"):
        _decisions(windows)


def _newest(windows: Windows, columns: Mapping[str, Any]) -> None:
    last = windows[-1]
    st.markdown(
        f"**{plain(last['name'])}: {plain(decided(last))}** ({counted(last['notes'], 'note')}, against"
        f" {against(last['reference'])}). What followed: {plain(followed(last))}."
    )
    if rows := _measured(len(windows) - 1, columns):
        table(rows, "Each watched column: deviation in percent, with an interval of 80%, and what chance alone makes")


def _measured(number: int, columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for name, series in columns.items():
        if series["window"][-1] == number:
            one = {key: values[-1] for key, values in series.items()}
            rows.append((one["deviation"] or 0.0, _row(name, one)))
    return [row for _, row in sorted(rows, key=lambda pair: -pair[0])]


def _row(name: str, one: Mapping[str, Any]) -> dict[str, Any]:
    measured = one["deviation"] is not None
    return {
        "column": column_named(name),
        "deviation": f"{one['deviation']:.1f}%" if measured else one["fault"],
        "interval": f"{one['low']:.1f} to {one['high']:.1f}%" if measured else None,
        "noise": f"{one['noise']:.1f}%" if measured else None,
        "band": in_words(one["band"]) if one["band"] else None,
    }


def _columns(windows: Windows, columns: Mapping[str, Any], bands: Mapping[str, float]) -> None:
    if not columns:
        st.info("No column could be compared yet.")
        return
    names = sorted(columns, key=lambda name: -_size(columns[name]))
    name = st.selectbox("Column", names, format_func=column_named, help="The largest deviation stands first.")
    frame = _frame(columns[name], windows, [one["decision"] for one in windows])
    if frame.empty:
        st.info(f"It could not be measured in any window: {plain(columns[name]['fault'][-1] or 'no reason is kept')}.")
        return
    title = f"Deviation of {column_named(name)}"
    chart(title, _picture(frame, bands), _figures(frame), description=_description(title, frame, bands))


def _size(series: Mapping[str, Any]) -> float:
    """Return the newest deviation; a column that was not compared stands behind."""
    return next((value for value in reversed(series["deviation"]) if value is not None), -1.0)


def _slices(windows: Windows, slices: Mapping[str, Any], bands: Mapping[str, float]) -> None:
    if not slices:
        st.info("No kind of note was frequent enough to be judged by itself.")
        return
    names = sorted(slices, key=lambda one: (-_size(slices[one]), one))
    name = st.selectbox("Kind of note", names, format_func=column_named)
    series = slices[name]
    decisions = dict(zip(series["window"], series["decision"], strict=True))
    frame = _frame(series, windows, [decisions.get(number, "unknown") for number in range(len(windows))])
    if frame.empty:
        st.info("Nothing in this kind of note deviates by more than chance: " + _decided(series["decision"]) + ".")
        return
    title = f"Largest deviation in {column_named(name)}"
    chart(title, _picture(frame, bands), _figures(frame), description=_description(title, frame, bands))


def _decided(decisions: Sequence[str]) -> str:
    counts = pd.Series([in_words(one) for one in decisions]).value_counts()
    return ", ".join(f"{decision} in {counted(int(number), 'window')}" for decision, number in counts.items())


def _frame(series: Mapping[str, Any], windows: Windows, decisions: Sequence[str]) -> pd.DataFrame:
    """Return the windows in which something was measured, with what was decided of them."""
    of = [windows[number] for number in series["window"]]
    frame = pd.DataFrame(
        {
            "window": [one["name"] for one in of],
            "until": pd.to_datetime([one["until"] for one in of], utc=True),
            **{name: series[name] for name in ("deviation", "low", "high")},
            "column": [column_named(one) if one else None for one in series.get("column", [None] * len(of))],
            "decision": [in_words(decisions[number]) for number in series["window"]],
            "acts": [one["acts"] for one in of],
        }
    )
    return frame.dropna(subset=["deviation"]).reset_index(drop=True)


def _picture(frame: pd.DataFrame, bands: Mapping[str, float]) -> Picture:
    top = max([*frame["high"], bands["redevelop"] * 1.1])
    x = alt.X("until:T", title="end of the window", axis=alt.Axis(format="%Y-%m-%d", labelAngle=-45, labelOverlap=True))
    axis: dict[str, Any] = {"title": "deviation in percent", "scale": alt.Scale(domain=[0, top], nice=False)}
    over_time = alt.Chart(frame).encode(x=x)
    interval = over_time.mark_area(opacity=0.25, color=GREY).encode(y=alt.Y("low:Q", **axis), y2="high:Q")
    line = over_time.mark_line(color=GREY, strokeWidth=1).encode(y=alt.Y("deviation:Q", **axis))
    present = {name: mark for name, mark in DECISIONS.items() if (frame["decision"] == name).any()}
    tooltip = ["window", "deviation", "low", "high", "decision"]
    points = over_time.mark_point(filled=True, size=70, opacity=1).encode(
        y=alt.Y("deviation:Q", **axis), **coloured("decision", present), tooltip=tooltip
    )
    return alt.layer(interval, line, *_bands(bands, axis), points).properties(height=440)


def _bands(bands: Mapping[str, float], axis: Mapping[str, Any]) -> list[alt.Chart]:
    """Return a line for each band with its name, the names beside each other: lines may be close."""
    lines = alt.Chart(pd.DataFrame({"from": list(bands.values())})).encode(y=alt.Y("from:Q", **axis))
    rules = lines.mark_rule(strokeDash=[5, 4], color=GREY)
    names = [_name(band, value, BESIDE * place, axis) for place, (band, value) in enumerate(bands.items())]
    return [rules, *names]


def _name(band: str, value: float, x: int, axis: Mapping[str, Any]) -> alt.Chart:
    said = alt.Chart(pd.DataFrame({"from": [value], "band": [band]}))
    said = said.mark_text(align="left", dx=3, dy=-6, color=GREY)
    return said.encode(y=alt.Y("from:Q", **axis), x=alt.value(x), text="band:N")


def _figures(frame: pd.DataFrame) -> pd.DataFrame:
    shown = frame.drop(columns="until") if frame["column"].any() else frame.drop(columns=["until", "column"])
    return shown.iloc[::-1].rename(columns={"low": "from", "high": "to"})


def _description(title: str, frame: pd.DataFrame, bands: Mapping[str, float]) -> str:
    """Say what the chart shows: the newest window, the largest one, and what they are held against."""
    last, largest = frame.iloc[-1], frame.iloc[int(frame["deviation"].argmax())]
    limits = ", ".join(f"{name} from {value:g}%" for name, value in bands.items())
    newest = f"{_point(last)} in the newest, {last['window']} ({last['decision']})"
    most = f"{_point(largest)} at most, in {largest['window']}"
    return f"{title} in {counted(len(frame), 'window')}: {newest}; {most}. Bands: {limits}."


def _point(row: pd.Series[Any]) -> str:
    return f"{row['deviation']:.1f}% ({row['low']:.1f} to {row['high']:.1f}%)"


def _decisions(windows: Windows) -> None:
    rows = [
        {
            "window": one["name"],
            "decision": in_words(one["decision"]),
            "what followed": followed(one),
            "why": "; ".join(map(in_words, one["reasons"][:2])) or None,
            "notes": one["notes"],
            "against": against(one["reference"]),
            "version": one["version"],
            "decided": moment(one["at"]),
        }
        for one in reversed(windows)
    ]
    short = [{name: row[name] for name in SHORT} for row in rows[:LAST]]
    table(short, "The last decisions, the newest first")
    if len(rows) > LAST:
        with st.expander(f"All {counted(len(rows), 'window')} of a year"):
            st.dataframe(pd.DataFrame(rows), hide_index=True, alt="All decisions of a year")

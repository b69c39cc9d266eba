"""Colours and shapes of the charts: told apart by a colour-blind reader, in print, and on a light or a dark page.

Those of Okabe and Ito (2008) that have a contrast of 3 to 1 with white and with the dark theme; never a colour alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import altair as alt

_LONG = 18
"""Characters of a name; of longer ones, two do not stand side by side on a telephone."""

BLUE, VERMILLION, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#767676"


class Mark(NamedTuple):
    """How a thing looks: colour, shape of its points, dashes of its line."""

    colour: str
    shape: str
    dash: list[int]


MARKS = (
    Mark(BLUE, "circle", [1, 0]),
    Mark(VERMILLION, "triangle-up", [6, 3]),
    Mark(GREEN, "square", [2, 2]),
    Mark(PURPLE, "diamond", [8, 3, 2, 3]),
    Mark(GREY, "cross", [4, 4]),
)
"""In the order of labels; of more, the sixth looks like the first again, and the legend and the table tell."""

DECISIONS = {
    "none": Mark(GREY, "circle", []),
    "too few notes to tell": Mark(GREY, "triangle-right", []),
    "watch": Mark(BLUE, "circle", []),
    "retrain": Mark(GREEN, "square", []),
    "retrain and alert": Mark(PURPLE, "diamond", []),
    "drift, size uncertain": Mark(PURPLE, "triangle-down", []),
    "unknown": Mark(VERMILLION, "cross", []),
    "redevelop": Mark(VERMILLION, "triangle-up", []),
}
"""By decision in words, mildest first."""


def marks_of(names: Sequence[str]) -> dict[str, Mark]:
    """Return how each of some names looks."""
    return {name: MARKS[number % len(MARKS)] for number, name in enumerate(names)}


def coloured(field: str, marks: dict[str, Mark]) -> dict[str, Any]:
    """Return the encodings of a field by colour and by shape, which share a legend."""
    names = list(marks)
    columns = 1 if max(map(len, names), default=0) > _LONG else 2
    legend = alt.Legend(
        title=None,
        orient="bottom",
        columns=columns,
        labelLimit=300,
        symbolSize=90,
        symbolOpacity=1,
        symbolStrokeWidth=0,
    )
    colours = alt.Scale(domain=names, range=[mark.colour for mark in marks.values()])
    shapes = alt.Scale(domain=names, range=[mark.shape for mark in marks.values()])
    return {
        "color": alt.Color(f"{field}:N", scale=colours, legend=legend),
        "shape": alt.Shape(f"{field}:N", scale=shapes, legend=legend),
    }

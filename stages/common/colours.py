"""A colour for each label, in the order of the list: in the terminal, on pages and in annotation tools."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import cycle
from typing import NamedTuple


class Colour(NamedTuple):
    """One hue: a style of the terminal, behind text on a page, and strong or pale in an annotation tool."""

    terminal: str
    page: str
    strong: str
    pale: str


PALETTE = (
    Colour("bold red", "#ffd5d0", "#c92a2a", "#ffa8a8"),
    Colour("bold blue", "#d3e4ff", "#1864ab", "#a5d8ff"),
    Colour("bold green", "#d3f9d8", "#2b8a3e", "#8ce99a"),
    Colour("bold magenta", "#f3d9fa", "#862e9c", "#e599f7"),
    Colour("bold yellow", "#ffe8cc", "#d9480f", "#ffc078"),
    Colour("bold cyan", "#c5f6fa", "#0b7285", "#66d9e8"),
    Colour("bold bright_green", "#e9fac8", "#5c940d", "#c0eb75"),
    Colour("bold bright_magenta", "#ffdeeb", "#a61e4d", "#faa2c1"),
)
"""Of more labels, the ninth has the colour of the first again."""


def colours_of(labels: Iterable[str]) -> dict[str, Colour]:
    """Return the colour of each label."""
    return dict(zip(labels, cycle(PALETTE), strict=False))

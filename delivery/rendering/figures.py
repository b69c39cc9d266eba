"""Pictures of a change: differences with their intervals, and curves of both revisions over each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from delivery.changes.bootstrap import Difference, Judgement
from delivery.revision.dvc_files import DvcFiles, NotReadableError
from stages.common.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS: Mapping[Judgement, str] = {"better": "#1a7f37", "worse": "#cf222e", "within noise": "#6e7781"}
_OLD, _NEW = "#6e7781", "#0969da"
_CELLS = 41  # of the drawing in text, an odd number: zero has a cell of its own


@dataclass(frozen=True)
class Bar:
    """A difference to draw, with what it means."""

    name: str
    difference: Difference
    judgement: Judgement


@dataclass(frozen=True)
class Curve:
    """A table of `plots/` to draw for both revisions."""

    name: str
    title: str
    x: str
    y: str
    diagonal: bool = False

    @property
    def path(self) -> str:
        """Where the graph writes it."""
        return f"plots/{self.name}.csv"


CURVES = (
    Curve("precision_coverage", "Accepted without a person: precision by share", "coverage", "precision"),
    Curve("calibration", "Calibration: share right by confidence", "confidence", "observed", diagonal=True),
    Curve("learning_curve", "Learning curve: strict F1 by documents", "documents", "f1"),
)


def bars_as_text(bars: Sequence[Bar]) -> str:
    """Draw the differences with characters, for where there is no place for an image.

    >>> print(bars_as_text([Bar("micro", Difference(0.02, 0.01, 0.04), "better")]))
    new - old  -0.04               0               +0.04
    micro      ····················│····├────●─────────┤  +0.0200  better
    """
    reach = max([abs(bound) for bar in bars for bound in (bar.difference.low, bar.difference.high)] + [0.001])
    width = max(len(bar.name) for bar in [*bars, Bar("new - old", Difference(0, 0, 0), "within noise")])
    ends = f"-{reach:.2g}", f"+{reach:.2g}"
    half = _CELLS // 2
    axis = f"{ends[0]:<{half}}0{ends[1]:>{half}}"
    lines = [f"{'new - old':<{width}}  {axis}"]
    for bar in bars:
        low, middle, high = (
            half + round(value / reach * half)
            for value in (bar.difference.low, bar.difference.difference, bar.difference.high)
        )
        cells = ["·"] * _CELLS
        cells[low : high + 1] = "─" * (high + 1 - low)
        cells[half] = "┼" if low <= half <= high else "│"
        cells[low], cells[high] = "├", "┤"
        cells[middle] = "●"
        lines.append(f"{bar.name:<{width}}  {''.join(cells)}  {bar.difference.difference:+.4f}  {bar.judgement}")
    return "\n".join(lines)


def draw_change(folder: Path, bars: Sequence[Bar], old: DvcFiles, new: DvcFiles) -> tuple[dict[str, str], str]:
    """Write the pictures that can be drawn here as PNG.

    Returns
    -------
    dict of str to str
        Title by file name.
    str
        Why curves are missing; empty when none is.
    """
    titles: dict[str, str] = {}
    if bars:
        _draw_bars(folder / "differences.png", bars)
        titles["differences.png"] = "Differences with 95% intervals"
    missing = ""
    for curve in CURVES:
        try:
            tables = [side.table(curve.path) for side in (old, new)]
        except NotReadableError as error:
            missing = missing or str(error)
            continue
        _draw_curve(folder / f"{curve.name}.png", curve, tables)
        titles[f"{curve.name}.png"] = curve.title
    return titles, missing


def _draw_bars(path: Path, bars: Sequence[Bar]) -> None:
    def paint(axes: Axes) -> None:
        for place, bar in enumerate(reversed(bars)):
            colour = _COLOURS[bar.judgement]
            axes.plot([bar.difference.low, bar.difference.high], [place, place], color=colour, linewidth=2)
            axes.plot(bar.difference.difference, place, "o", color=colour)
        axes.axvline(0, color="#24292f", linewidth=0.8)
        axes.set_yticks(range(len(bars)), [bar.name for bar in reversed(bars)])
        axes.set_ylim(-0.6, len(bars) - 0.4)
        axes.set_title("New minus old, 95% interval", fontsize=10)

    _save(path, paint, height=0.9 + 0.3 * len(bars))


def _draw_curve(path: Path, curve: Curve, tables: Sequence[pd.DataFrame]) -> None:
    def paint(axes: Axes) -> None:
        for table, colour, name in zip(tables, (_OLD, _NEW), ("old", "new"), strict=True):
            marker = "o" if len(table) <= 20 else None
            axes.plot(table[curve.x], table[curve.y], color=colour, marker=marker, markersize=3, label=name)
        if curve.diagonal:
            axes.plot([0, 1], [0, 1], color="#d0d7de", linewidth=0.8, zorder=0)
        axes.set(xlabel=curve.x, ylabel=curve.y)
        axes.set_title(curve.title, fontsize=10)
        axes.legend(frameon=False)

    _save(path, paint, height=3.0)


def _save(path: Path, paint: Callable[[Axes], None], height: float) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, height), dpi=110, layout="constrained")
    axes = FigureCanvasAgg(figure).figure.add_subplot()
    paint(axes)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    with replacing(path) as file:
        figure.savefig(file, format="png", metadata={"Software": None})

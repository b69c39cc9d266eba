"""The plots of `dvc.yaml` as pictures, for where no browser draws them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from stages.common.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BLUE, _GREY = "#0969da", "#8c959f"
_MOST = 25  # rows of a bar chart


@dataclass(frozen=True)
class Plot:
    """One plot of `dvc.yaml`: a CSV, its axes, and the template that DVC draws it with."""

    path: str
    template: str
    x: str
    y: Sequence[str]
    title: str = ""
    x_label: str = ""
    y_label: str = ""


def plots_of(graph: Mapping[str, Any]) -> list[Plot]:
    """Read the plots from the content of `dvc.yaml`; what is not described there by x and y is left out."""
    plots = []
    for entry in graph.get("plots", []):
        for about in entry.values() if isinstance(entry, Mapping) else []:
            if about and isinstance(about.get("y"), Mapping) and isinstance(about.get("x"), str):
                for path, columns in about["y"].items():
                    names = [columns] if isinstance(columns, str) else list(columns)
                    words = {key: about[key] for key in ("title", "x_label", "y_label") if key in about}
                    plots.append(Plot(path, about.get("template", "linear"), about["x"], names, **words))
    return plots


def draw_plot(plot: Plot, table: pd.DataFrame, path: Path) -> bool:
    """Write a plot as PNG.

    Returns
    -------
    bool
        False where there is nothing to draw, or the template is not one of this project's.
    """
    painter = _PAINTERS.get(plot.template)
    if painter is None or table.empty or not {plot.x, *plot.y} <= set(table):
        return False
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), dpi=110, layout="constrained")
    axes = FigureCanvasAgg(figure).figure.add_subplot()
    painter(axes, plot, table)
    axes.set_title(plot.title, fontsize=9)
    axes.set(xlabel=plot.x_label or plot.x, ylabel=plot.y_label or plot.y[0])
    with replacing(path) as file:
        figure.savefig(file, format="png", metadata={"Software": None})
    return True


def _lines(axes: Axes, plot: Plot, table: pd.DataFrame) -> None:
    marker = "o" if len(table) <= 30 else None
    for name, colour in zip(plot.y, [_BLUE, _GREY, *["#bf3989"] * len(plot.y)], strict=False):
        axes.plot(table[plot.x], table[name], color=colour, marker=marker, markersize=3, label=name)
    axes.grid(alpha=0.25)
    if len(plot.y) > 1:
        axes.legend(frameon=False)


def _bars(axes: Axes, plot: Plot, table: pd.DataFrame) -> None:
    largest = table.nlargest(_MOST, plot.x)[::-1]
    axes.barh(largest[plot.y[0]].astype(str), largest[plot.x], color=_BLUE)


def _confusion(axes: Axes, plot: Plot, table: pd.DataFrame) -> None:
    counts = pd.crosstab(table[plot.y[0]].fillna("none"), table[plot.x].fillna("none"))
    axes.imshow(counts.to_numpy(), cmap="Blues", aspect="auto")
    axes.set_xticks(range(counts.shape[1]), counts.columns)
    axes.set_yticks(range(counts.shape[0]), counts.index)
    middle = counts.to_numpy().max() / 2
    for row, values in enumerate(counts.to_numpy()):
        for column, count in enumerate(values):
            axes.text(column, row, str(count), ha="center", color="white" if count > middle else "black")


def _intervals(axes: Axes, plot: Plot, table: pd.DataFrame) -> None:
    rows = range(len(table))
    axes.hlines(rows, table[f"{plot.x}_low"], table[f"{plot.x}_high"], color=_BLUE)
    axes.plot(table[plot.x], rows, "o", color=_BLUE)
    axes.set_yticks(rows, table[plot.y[0]].astype(str))
    axes.set_xlim(0, 1)


def _saved(axes: Axes, plot: Plot, table: pd.DataFrame) -> None:
    _intervals(axes, plot, table[::-1])
    axes.axvline(0, color=_GREY, linewidth=0.8)
    axes.tick_params(axis="y", labelsize=6)
    axes.set_xlim(auto=True)
    axes.autoscale(axis="x")


_PAINTERS: Mapping[str, Callable[[Axes, Plot, pd.DataFrame], None]] = {
    "linear": _lines,
    "bar_horizontal_sorted": _bars,
    "confusion": _confusion,
    "intervals": _intervals,
    "saved": _saved,
}

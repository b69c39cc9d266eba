"""What an order of annotation saves against a random one, from the curves of `benchmarks.active_learning`.

python -m benchmarks.savings NCBI=ncbi.csv BC5CDR=bc5cdr.csv --plot curves.png
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.active_learning import COLUMNS, QUEUE, RANDOM
from stages.common.command import run_command
from stages.common.errors import BeHealthyError
from stages.common.files import replacing

LEVELS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
"""Shares of the pool, annotated in random order, whose F1 is to be reached."""

COSTS = ("documents", "tokens", "mentions")
_NOT_REACHED = "not reached"
_OTHERS = ["tab:blue", "tab:orange", "tab:green", "tab:purple", "tab:brown", "tab:gray"]


def curve_of(table: pd.DataFrame, cost: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Average the runs of one strategy: cost and F1 at each size, F1 never falling."""
    mean = table.groupby("documents", sort=True)[[*COSTS[1:], "f1"]].mean().reset_index()
    return mean[cost].to_numpy(np.float64), np.maximum.accumulate(mean["f1"].to_numpy(np.float64))


def saving(table: pd.DataFrame, other: pd.DataFrame, level: float, cost: str) -> float:
    """Return the share of the cost of random order that another order saves for the same F1.

    Parameters
    ----------
    table, other : DataFrame
        Runs in random order, and in the other one.
    level : float
        Share of the documents, in random order, whose F1 is asked for.
    cost : str
        One of `COSTS`.

    Returns
    -------
    float
        1 minus the ratio of the costs, between the sizes by straight lines; NaN where the other
        order was not followed far enough to reach that F1.
    """
    documents, f1 = curve_of(table, "documents")
    size = level * documents[-1]
    target = np.interp(size, documents, f1)
    costs, reached = curve_of(other, cost)
    if reached[-1] < target:
        return float("nan")
    first = int(np.argmax(reached >= target))
    if first == 0:
        needed = costs[0]
    else:
        part = (target - reached[first - 1]) / (reached[first] - reached[first - 1])
        needed = costs[first - 1] + part * (costs[first] - costs[first - 1])
    return float(1 - needed / np.interp(size, documents, curve_of(table, cost)[0]))


def spread(table: pd.DataFrame, other: pd.DataFrame, level: float, cost: str) -> tuple[float, float]:
    """Return the least and the largest saving of one seed, both orders begun with the same notes.

    NaN where with any seed that F1 was not reached.
    """
    ours, theirs = (dict(list(side.groupby("seed"))) for side in (table, other))
    savings = [saving(ours[seed], theirs[seed], level, cost) for seed in ours if seed in theirs]
    return (min(savings), max(savings)) if not np.isnan(savings).any() else (float("nan"), float("nan"))


def summary(table: pd.DataFrame) -> list[str]:
    """Return what each strategy saves, a line for each."""
    of = dict(list(table.groupby("strategy", sort=False)))
    title = "".join(f"{f'{level:.0%} random':>14}" for level in LEVELS)
    lines = [f"{'saved':22}{'seeds':>6}{title}"]
    for name in (str(name) for name in of if name != RANDOM):
        base = of[RANDOM][of[RANDOM]["seed"].isin(of[name]["seed"])]
        for cost in COSTS:
            row = [saving(base, of[name], level, cost) for level in LEVELS]
            cells = "".join(f"{_NOT_REACHED if np.isnan(value) else f'{value:.0%}':>14}" for value in row)
            seeds = of[name]["seed"].nunique() if cost == COSTS[0] else ""
            lines.append(f"{name if cost == COSTS[0] else '  of ' + cost:22}{seeds:>6}{cells}")
            if name == QUEUE and cost == COSTS[0]:
                bounds = [spread(base, of[name], level, cost) for level in LEVELS]
                ranges = (_NOT_REACHED if np.isnan(low) else f"{low:.0%} to {high:.0%}" for low, high in bounds)
                lines.append(f"{'  single seeds':28}" + "".join(f"{cell:>14}" for cell in ranges))
    return lines


def draw_savings(tables: dict[str, pd.DataFrame], path: Path) -> None:
    """Draw F1 against annotated notes and against annotated tokens, a row for each corpus; bands: all seeds."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(len(tables), 2, figsize=(9, 3.3 * len(tables)), squeeze=False, constrained_layout=True)
    for row, (corpus, table) in zip(axes, tables.items(), strict=True):
        for axis, cost in zip(row, ("documents", "tokens"), strict=True):
            axis.set_prop_cycle(color=_OTHERS)
            for name, part in table.groupby("strategy", sort=False):
                _curve(axis, str(name), part, cost)
            axis.set(
                xlabel=f"annotated {cost}" + (", thousands" if cost == "tokens" else ""),
                ylabel="strict F1",
                title=corpus,
            )
            axis.grid(alpha=0.3)
            axis.spines[["top", "right"]].set_visible(False)
    axes[0][0].legend(frameon=False, fontsize=8, loc="lower right")
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=100, metadata={"Software": None})
    plt.close(figure)


def _curve(axis, name: str, table: pd.DataFrame, cost: str) -> None:  # type: ignore[no-untyped-def]
    sizes = table.groupby("documents", sort=True).agg({"tokens": "mean", "f1": ["mean", "min", "max"]})
    x = sizes.index if cost == "documents" else sizes[("tokens", "mean")] / 1000
    main = {QUEUE: "tab:red", RANDOM: "black"}.get(name)
    style = {"color": main, "linewidth": 1.8} if main else {"linewidth": 0.8, "linestyle": "--"}
    axis.plot(x, sizes[("f1", "mean")], label=name, **style)
    if main:
        axis.fill_between(x, sizes[("f1", "min")], sizes[("f1", "max")], color=main, alpha=0.15, linewidth=0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table and draw the curves."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.savings", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("curves", nargs="+", metavar="NAME=CSV", help="of a corpus, from benchmarks.active_learning")
    parser.add_argument("--plot", type=Path, help="a PNG")
    options = parser.parse_args(arguments)
    return run_command("benchmarks.savings", lambda: _show(options))


def _show(options: argparse.Namespace) -> None:
    tables = dict(_read(argument) for argument in options.curves)
    for corpus, table in tables.items():
        print("\n".join([f"{corpus}: {table['documents'].max()} notes", *summary(table), ""]))
    if options.plot:
        draw_savings(tables, options.plot)


def _read(argument: str) -> tuple[str, pd.DataFrame]:
    name, _, path = argument.rpartition("=")
    table = pd.read_csv(Path(path))
    if list(table.columns) != COLUMNS or RANDOM not in set(table["strategy"]):
        raise BeHealthyError(f"{path} does not hold curves: write them with python -m benchmarks.active_learning")
    return name or Path(path).stem, table


if __name__ == "__main__":
    sys.exit(main())

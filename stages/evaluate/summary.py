"""The result in a dozen lines for the person at the terminal."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from stages.common.command import parse_no_arguments, run_command
from stages.common.files import read_json
from stages.common.wording import counted, decision_in_words


def show(scores: Mapping[str, Any], console: Console | None = None) -> None:
    """Print what `stages.evaluate.scores.evaluation` returned; plain text when not at a terminal."""
    console = console or Console(highlight=False)
    table = Table("test", "precision", "recall", "F1", "95% interval", box=None, header_style="bold")
    for column in table.columns[1:]:
        column.justify = "right"
    for name in scores["strict"]:
        row = scores["strict"][name]
        table.add_row(name, *_ratios(row), f"{row['f1_low']:.4f}-{row['f1_high']:.4f}")
    table.add_row("lenient", *_ratios(scores["lenient"]["micro"]))
    for kind in ("seen", "unseen"):
        table.add_row(f"{kind} ({scores[kind]['mentions']})", "", f"{scores[kind]['recall']:.4f}")
    console.print(table)
    errors = ", ".join(f"{count} {kind}" for kind, count in scores["errors"].items())
    size = ", ".join(counted(scores[f"{noun}s"], noun) for noun in ("document", "mention"))
    console.print(f"evaluate: {size}; errors: {errors}", soft_wrap=True)
    suggestions = scores["suggestions"]
    console.print(
        f"evaluate: {counted(suggestions['number'], 'suggestion')} beside the mentions:"
        f" {suggestions['precision']:.0%} touch a gold one,"
        f" {suggestions['missed_shown']:.0%} of the missed are among them",
        soft_wrap=True,
    )
    accepted = scores["acceptance"]
    precision = "none" if accepted["precision"] is None else f"precision {accepted['precision']:.4f}"
    console.print(
        f"evaluate: promised precision {accepted['promised']:.2f}: accepted without a person "
        f"{accepted['mentions']:.1%} of the mentions ({precision}) and {accepted['notes']:.1%} of the notes",
        soft_wrap=True,
    )


def show_all(metrics: Path, console: Console | None = None) -> None:
    """Print the metrics of the whole graph, as they lie in a folder."""
    console = console or Console(highlight=False)
    gate, decision = (read_json(metrics / f"{name}.json") for name in ("validation", "decision"))
    kpi = read_json(metrics / "kpi.json")
    console.print(
        f"validate: {'passed' if gate['passed'] else 'FAILED'},"
        f" {counted(gate['errors'], 'error')}, {counted(gate['warnings'], 'warning')}"
    )
    show(read_json(metrics / "evaluation.json"), console)
    if kpi["after"]:
        hours, errors = "hours_per_1000_notes", "errors_per_1000_mentions"
        console.print(
            f"kpi: {kpi['before'][hours]:.0f} -> {kpi['after'][hours]:.0f} manual hours per 1,000 notes, "
            f"{kpi['before'][errors]:.0f} -> {kpi['after'][errors]:.0f} errors per 1,000 mentions "
            f"({kpi['minutes']['source']} {kpi['minutes']['entry']:.1f} minutes to enter a note)",
            soft_wrap=True,
        )
    said = decision_in_words(decision["decision"])
    console.print(f"monitor: {said}; {next(iter(decision['reasons']), 'no reason')}", soft_wrap=True)


def _ratios(row: Mapping[str, float]) -> list[str]:
    return [f"{row[name]:.4f}" for name in ("precision", "recall", "f1")]


if __name__ == "__main__":
    parse_no_arguments("stages.evaluate.summary", __doc__)
    sys.exit(run_command("summary", lambda: show_all(Path("metrics"))))

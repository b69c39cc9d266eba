"""The result in a dozen lines for the person at the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
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
    for line in lines_of_acceptance(scores["acceptance"]):
        console.print(f"evaluate: {line}", soft_wrap=True)


def lines_of_acceptance(accepted: Mapping[str, Any]) -> Iterator[str]:
    """Say what is accepted without a person, and aloud of what nothing is."""
    yield (
        f"promised precision {accepted['promised']:.2f} of each label: accepted without a person "
        f"{accepted['mentions']:.1%} of the mentions ({_precision(accepted)})"
    )
    for label, row in accepted["labels"].items():
        if row["accepts_nothing"]:
            yield f"WARNING: nothing of {label} is accepted: no threshold was shown to keep the promise"
        else:
            yield f"{label} from {row['threshold']:.4f}: {row['mentions']:.1%} accepted ({_precision(row)})"
    whole = accepted["whole"]
    if whole["threshold"] is None:
        yield f"no note is accepted whole: none was shown to hold no error in {whole['promised']:.0%} of such notes"
    else:
        yield (
            f"accepted whole: {accepted['notes']:.1%} of the notes, {whole['faultless']} of {whole['number']}"
            f" without any error (promised: {whole['promised']:.0%})"
        )


def _precision(row: Mapping[str, Any]) -> str:
    if row["precision"] is None:
        return "none"
    return f"precision {row['precision']:.4f}, {row['precision_low']:.4f}-{row['precision_high']:.4f}"


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
        console.print(f"kpi: {_saved(kpi)}", soft_wrap=True)
        console.print(f"kpi: {_minutes(kpi['minutes'])}: see plots/kpi_sensitivity.csv", soft_wrap=True)
    said = decision_in_words(decision["decision"])
    console.print(f"monitor: {said}; {next(iter(decision['reasons']), 'no reason')}", soft_wrap=True)


def _saved(kpi: Mapping[str, Any]) -> str:
    old, new = kpi["before"], kpi["after"]
    return ", ".join(
        f"{old[name]:.0f} -> {new[name]:.0f} ({new[f'{name}_low']:.0f}-{new[f'{name}_high']:.0f}) {words}"
        for name, words in (
            ("hours_per_1000_notes", "manual hours per 1,000 notes"),
            ("errors_per_1000_mentions", "errors per 1,000 mentions"),
        )
    )


def _minutes(steps: Mapping[str, Mapping[str, Any]]) -> str:
    """Say what each step takes and where that comes from."""
    words = {"entry": "to enter a note", "validation": "to validate one", "review": "to decide on a mention"}
    return ", ".join(f"{_time(steps[name]['value'])} {said} ({_source(steps[name])})" for name, said in words.items())


def _time(minutes: float) -> str:
    return f"{minutes:.1f} min" if minutes >= 1 else f"{60 * minutes:.0f} s"


def _source(step: Mapping[str, Any]) -> str:
    return f"measured on {counted(step['notes'], 'note')}" if step["source"] == "measured" else step["source"]


def _ratios(row: Mapping[str, float]) -> list[str]:
    return [f"{row[name]:.4f}" for name in ("precision", "recall", "f1")]


if __name__ == "__main__":
    parse_no_arguments("stages.evaluate.summary", __doc__)
    sys.exit(run_command("summary", lambda: show_all(Path("metrics"))))

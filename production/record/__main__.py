"""The record of diseases and their treatments: build it from notes, ask it.

    python -m production.record build data/incoming/notes.jsonl --to record.parquet
    python -m production.record ask "what treats rheumatoid arthritis?"
    python -m production.record ask "what is methotrexate used for?" --json

Exit codes: 0 answered or built; 1 no answer: the record does not know the name, or nothing beside it past
chance; 2 something is missing or wrong, a question among it that no record can answer.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from production.record.notes import FORMATS, read_notes
from production.record.pairs import DISEASE, SIDES, TREATMENT, Sides
from production.record.params import load_params
from production.record.question import EXACT, Answer, answer
from production.record.table import PAST_CHANCE, RECORD, build_record, places_of, read_record
from production.record.work_tree import refuse_shared
from stages.common.command import run_command
from stages.common.errors import BeHealthyError
from stages.common.files import rounded, write_table
from stages.common.wording import counted

MODELS = Path("models")
FILE = Path("record.parquet")
_EVIDENCE_SHOWN = 3
_PLAIN_WIDTH = 160


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m production.record", description=(__doc__ or "").split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="tag notes and gather their pairs of disease and treatment")
    build.add_argument("notes", nargs="+", type=Path, help="files of notes, folders of them, annotation batches")
    build.add_argument("--format", choices=list(FORMATS), help="of the files; without it their suffix tells")
    build.add_argument("--to", type=Path, default=FILE, help=f"the record (Parquet; default: {FILE})")
    build.add_argument("--examples", type=int, default=5, help="pieces of evidence kept per pair (default: 5)")
    build.add_argument("--with-text", action="store_true", help="keep the sentences of the evidence: clinical text")
    build.set_defaults(run=run_build)
    ask = commands.add_parser("ask", help="what treats a disease, what a treatment is used for")
    ask.add_argument("question")
    ask.add_argument("--record", type=Path, default=FILE, help=f"the record (default: {FILE})")
    ask.add_argument("--top", type=int, default=10, help="rows (default: 10)")
    ask.add_argument("--all", action="store_true", help="show pairs that may stand together by chance, too")
    ask.add_argument("--json", action="store_true", help="print JSON")
    ask.set_defaults(run=run_ask)
    for command in (build, ask):
        command.add_argument("--models", type=Path, default=MODELS, help=f"model folder (default: {MODELS})")
    options = parser.parse_args(arguments)
    for name in ("examples", "top"):
        if getattr(options, name, 1) < 1:
            parser.error(f"--{name} must be at least 1")
    return options


def sides_of(labels: Sequence[str]) -> Sides:
    """Return the sides that `record` in ``params.yaml`` names.

    Raises
    ------
    BeHealthyError
        When a side is no label of the model: no record can be built of it.
    """
    named = load_params()
    for side, label in (("disease", named.disease), ("treatment", named.treatment)):
        if label not in labels:
            raise BeHealthyError(
                f"record.{side} of params.yaml is {label}, which is no label of the model ({', '.join(labels)}):"
                " a record pairs two labels, so name two that the model finds"
            )
    return Sides(named.disease, named.treatment)


def run_build(options: argparse.Namespace) -> int:
    """Build a record."""
    from stages.train.extractor import load_extractor

    refuse_shared(options.to)
    notes = read_notes(options.notes, options.format)
    extractor = load_extractor(options.models)
    sides = sides_of(extractor.labels)
    record = build_record(notes, extractor, examples=options.examples, with_text=options.with_text, sides=sides)
    write_table(options.to, record, RECORD)
    rows = record[record["notes"] > 0]
    print(
        f"record: {counted(len(notes), 'note')}, {counted(rows['disease_id'].nunique(), 'disease')} beside"
        f" {counted(rows['treatment_id'].nunique(), 'treatment')} in {counted(len(rows), 'pair')}"
        f" ({len(record) - len(rows):,} more only negated or of relatives): {options.to}"
    )
    return 0


def run_ask(options: argparse.Namespace) -> int:
    """Answer a question."""
    from stages.train.extractor import MODEL_FILE, load_extractor

    record = read_record(options.record)
    extractor = load_extractor(options.models) if (options.models / MODEL_FILE).is_file() else None
    sides = sides_of(extractor.labels) if extractor else SIDES
    reply = answer(options.question, record, extractor, sides)
    rows = reply.rows if options.all else reply.past_chance()
    if options.json:
        print(json.dumps(rounded(as_json(options.question, reply, rows, options.top)), ensure_ascii=False, indent=2))
    else:
        show(reply, rows, options.top, Console(highlight=False, markup=False))
    return 0 if len(rows) else 1


def show(reply: Answer, rows: pd.DataFrame, top: int, console: Console) -> None:
    """Print the chosen rows of an answer as a table; plain where the console is no terminal."""
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    if not reply.how:
        closest = f"; closest: {', '.join(reply.closest)}" if reply.closest else ""
        console.print(Text(f"the record does not know “{reply.term}”{closest}"), soft_wrap=True)
        return
    taken = ", ".join(f"{name.display} ({name.label.lower()}, {counted(name.notes, 'note')})" for name in reply.names)
    console.print(Text(f"{reply.term}: {taken}" + ("" if reply.how == EXACT else f"; {reply.how}")), soft_wrap=True)
    if len(rows):
        console.print(_table(reply, rows, top))
        rest = f"{counted(len(rows) - top, 'pair')} more with a larger --top. " if len(rows) > top else ""
        strength = f"Strength: log-likelihood ratio over notes, {PAST_CHANCE} is past chance at 0.1%."
        console.print(f"{rest}{strength}", style="dim")
        console.print("Standing together in notes is no proof that a treatment works.", style="dim")
    if hidden := len(reply.rows) - len(rows):
        weak = f"{counted(hidden, 'pair')} hidden: not past chance (strength below {PAST_CHANCE}); --all shows them"
        console.print(weak, style="dim")
    if reply.flagged:
        console.print(f"{counted(reply.flagged, 'pair')} only negated or of relatives, and not shown", style="dim")
    elif not len(reply.rows):
        console.print("nothing stands beside it in any note")


def _table(reply: Answer, shown: pd.DataFrame, top: int) -> Table:
    labels = {name.label for name in reply.names}
    sides = [s for s, label in (("disease", DISEASE), ("treatment", TREATMENT)) if labels != {label} or not _one(reply)]
    table = Table(*sides, box=None, header_style="bold")
    for name in ("notes", "strength", "closeness", "confidence"):
        table.add_column(name, justify="right")
    table.add_column("evidence (note:sentence)")
    for row in shown.head(top).to_dict("records"):
        figures = [str(row["notes"]), *(f"{row[name]:.{d}f}" for name, d in _FIGURES)]
        table.add_row(
            *(Text(row[side]) for side in sides),
            *figures,
            Text(", ".join(places_of(row["evidence"])[:_EVIDENCE_SHOWN])),
        )
    return table


_FIGURES = (("strength", 1), ("closeness", 2), ("confidence", 2))


def _one(reply: Answer) -> bool:
    return len(reply.names) == 1


def as_json(question: str, reply: Answer, shown: pd.DataFrame, top: int) -> dict[str, Any]:
    """Return the chosen rows of an answer as JSON types."""
    keys = ("disease", "treatment", "notes", "sentences", "closeness", "strength", "confidence", "negated", "family")
    rows = shown.head(top).to_dict("records")
    return {
        "question": question,
        "asked": reply.term,
        "match": reply.how or None,
        "names": [{"label": name.label, "name": name.display, "notes": name.notes} for name in reply.names],
        "rows": [{**{key: row[key] for key in keys}, "evidence": list(row["evidence"])} for row in rows],
        "hidden_pairs": len(reply.rows) - len(shown),
        "flagged_pairs": reply.flagged,
        "closest": list(reply.closest),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    options = parse(arguments)
    return run_command("record", lambda: int(options.run(options)))


if __name__ == "__main__":
    sys.exit(main())

"""Write the notes that are worth annotating next, pre-annotated by the model.

    python -m annotation.queue data/incoming/notes.jsonl --count 20 --tool label-studio --to tasks.json

Exit codes: 0 written; 1 nothing is left to annotate, or the notes were refused; 2 something is missing or wrong.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from rich.console import Console
from rich.progress import track

from annotation.writers import WRITERS, write
from stages.common.command import DONE, REFUSED, run_command
from stages.common.documents import Document, Mention
from stages.common.errors import BeHealthyError
from stages.common.files import write_csv
from stages.common.wording import counted
from stages.prepare.params import load_params

if TYPE_CHECKING:
    from annotation.queue.notes import Sifted
    from annotation.queue.profiles import Profile
    from annotation.queue.selection import Choice
    from stages.train.extractor import Extractor

_SHOWN = 20
_EVERY = 1000


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m annotation.queue", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("notes", type=Path, help="JSON lines without annotations, or a folder of .txt files")
    parser.add_argument("--models", type=Path, default=Path("models"), help="model folder (default: models)")
    parser.add_argument("--count", type=int, required=True, help="how many notes")
    parser.add_argument("--tool", choices=sorted(WRITERS), default="jsonl", help="whose format (default: jsonl)")
    parser.add_argument("--to", type=Path, required=True, help="the tasks; must not exist yet")
    parser.add_argument("--why", type=Path, help="a CSV of why each note was chosen, without text")
    parser.add_argument("--annotations", type=Path, default=Path("data/annotations"), help="batches to leave out")
    options = parser.parse_args(arguments)
    if options.count < 1:
        parser.error("--count must be at least 1")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    options = parse(arguments)
    return run_command("queue", lambda: run(options))


def run(options: argparse.Namespace) -> int:
    """Read, sift, choose and write."""
    from annotation.queue.notes import read_annotated, read_notes, sift
    from annotation.queue.profiles import profile_of
    from annotation.queue.selection import choose
    from stages.train.extractor import load_extractor

    if options.to.exists():
        raise BeHealthyError(f"{options.to} exists, and someone may be annotating it: choose another name")
    params = load_params()
    extractor = load_extractor(options.models)
    notes = read_notes(options.notes)
    sifted = sift(notes, read_annotated(options.annotations, params.sentences_per_document), params.near_duplicate)
    print(
        f"queue: {counted(len(notes), 'note')}, {sifted.annotated} annotated before, {sifted.repeated} repeat another,"
        f" {sifted.empty} without a word"
    )
    if not sifted.notes:
        print("queue: nothing is left to annotate", file=sys.stderr)
        return REFUSED
    profiles = [profile_of(extractor, note.text) for note in _watched(sifted.notes)]
    picked = choose(profiles, options.count)
    table = why(picked, sifted, profiles)
    if options.why:
        write_csv(options.why, table)
    _write(picked, sifted, extractor, options)
    _show(table, len(sifted.notes), options.to)
    return DONE


def _watched(notes: Sequence[Document]) -> Iterator[Document]:
    """Show how far it is: a bar on a terminal, a line for every thousand notes elsewhere."""
    console = Console(stderr=True)
    if console.is_terminal:
        yield from track(notes, description="queue: reading", console=console, transient=True)
        return
    for number, note in enumerate(notes):
        if number and number % _EVERY == 0:
            print(f"queue: {number} of {len(notes)} notes read", file=sys.stderr, flush=True)
        yield note


def _write(picked: Sequence[Choice], sifted: Sifted, extractor: Extractor, options: argparse.Namespace) -> None:
    tasks, confidences = [], []
    for choice in picked:
        note = sifted.notes[choice.note]
        mentions = extractor.extract(note.text).mentions
        marked = tuple(Mention(mention.start, mention.end, mention.label) for mention in mentions)
        tasks.append(Document(note.id, note.text, marked, metadata=note.metadata))
        confidences.append([round(mention.confidence, 4) for mention in mentions])
    write(tasks, options.to, options.tool, predictions=True, confidences=confidences)


def why(picked: Sequence[Choice], sifted: Sifted, profiles: Sequence[Profile]) -> pd.DataFrame:
    """Say why each note was chosen, without its text.

    Returns
    -------
    DataFrame
        Columns ``note``, ``tokens``, ``wrong`` and ``missed`` (expected mentions marked wrongly and
        not found), ``novelty`` (share of its doubts that no note above it has); best first.
    """
    rows = [
        (sifted.notes[choice.note].id, *profiles[choice.note][2:], choice.novelty)
        for choice in picked
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["note", "tokens", "wrong", "missed", "novelty"])


def _show(table: pd.DataFrame, left: int, to: Path) -> None:
    print(f"{'note':32}{'tokens':>8}{'wrong':>8}{'missed':>8}{'novelty':>9}")
    for note, tokens, wrong, missed, novelty in table.head(_SHOWN).itertuples(index=False):
        print(f"{note[:31]:32}{tokens:8}{wrong:8.2f}{missed:8.2f}{novelty:9.2f}")
    if len(table) > _SHOWN:
        print(f"… and {len(table) - _SHOWN} more")
    errors = table["wrong"].sum() + table["missed"].sum()
    print(f"queue: {len(table)} of {counted(left, 'note')}, {errors:.1f} errors expected in them: {to}")


if __name__ == "__main__":
    sys.exit(main())

"""Agreement between annotators of the same notes, and the way from their disputes to one batch.

    python -m annotation.agreement EXPORT [EXPORT …] --format F               # how far they agree, and where not
    python -m annotation.agreement … --adjudicate tasks.json --tool label-studio
    python -m annotation.agreement … --resolve adjudicated.json --to batch.jsonl
    python -m annotation.add batch.jsonl --format jsonl --name NAME

Exit codes: 0 done; 1 agreement below --least, an export refused or still disputed; 2 something is missing or wrong.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from annotation.agreement.adjudication import disagreements, resolve, tasks_of
from annotation.agreement.disputes import Stretch, is_open, stretches_of
from annotation.agreement.output import as_json, lines_of
from annotation.agreement.panel import Panel, read_panel
from annotation.agreement.scores import ALL, agreement
from annotation.writers import WRITERS, write
from stages.common.command import DONE, REFUSED, run_command
from stages.common.errors import BeHealthyError
from stages.common.files import write_csv, write_json
from stages.common.wording import counted
from stages.params import load_params
from stages.prepare.formats import READERS, read
from stages.prepare.mapping import DEFAULT_MAPPING, read_mapping


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m annotation.agreement", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("exports", nargs="+", type=Path, help="exports that name annotators, or one for each annotator")
    parser.add_argument("--format", required=True, choices=sorted(READERS), help="of the exports")
    parser.add_argument(
        "--labels", type=Path, default=DEFAULT_MAPPING, help=f"CSV of source_label,label; default: {DEFAULT_MAPPING}"
    )
    parser.add_argument(
        "--majority", action="store_true", help="what most of three or more marked needs no adjudicator"
    )
    parser.add_argument("--least", type=float, help="exit with 1 when the mean strict F1 is below this")
    parser.add_argument("--json", type=Path, help="the figures, without text")
    parser.add_argument("--disagreements", type=Path, help="a CSV of the disputes with their text: clinical text")
    parser.add_argument("--adjudicate", type=Path, help="tasks for the adjudicator: clinical text")
    parser.add_argument("--tool", choices=sorted(WRITERS), default="jsonl", help="format of the tasks (default: jsonl)")
    parser.add_argument("--resolve", type=Path, help="export of the adjudicated tasks")
    parser.add_argument("--resolve-format", choices=sorted(READERS), help="of that export (default: --format)")
    parser.add_argument("--to", type=Path, help="the one annotation that results, as jsonl for annotation.add")
    parser.add_argument("--show", type=int, default=20, help="disputes to list on the screen (default: 20)")
    options = parser.parse_args(arguments)
    if options.resolve and not options.to:
        parser.error("--resolve needs --to: where the result goes")
    if options.least is not None and not 0 <= options.least <= 1:
        parser.error("--least is between 0 and 1")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    options = parse(arguments)
    return run_command("agreement", lambda: run(options))


def run(options: argparse.Namespace) -> int:
    """Read, score, and write what was asked for."""
    params = load_params()
    mapping = read_mapping(options.labels)
    panel = read_panel(
        options.exports, options.format, mapping, sentences_per_document=params.prepare.sentences_per_document
    )
    stretches = [stretch for versions in panel.shared.values() for stretch in stretches_of(versions)]
    disputes = [stretch for stretch in stretches if is_open(stretch, majority=options.majority)]
    scores = agreement(panel, resamples=params.evaluate.resamples, seed=params.evaluate.seed)
    print("\n".join(lines_of(panel, scores, stretches, disputes, options.show)))
    if options.json:
        write_json(options.json, as_json(panel, scores, stretches, disputes))
    _write_work(options, panel, disputes)
    if options.to:
        _write_result(options, panel, mapping)
    return _verdict(scores, options.least)


def _write_work(options: argparse.Namespace, panel: Panel, disputes: Sequence[Stretch]) -> None:
    """Write the disputes and the tasks, both readable by their owner only."""
    if options.disagreements:
        write_csv(options.disagreements, disagreements(panel, disputes), private=True)
        print(f"agreement: {counted(len(disputes), 'dispute')} with their text: {options.disagreements}")
    if not options.adjudicate:
        return
    if options.adjudicate.exists():
        raise BeHealthyError(f"{options.adjudicate} exists, and someone may be adjudicating it: choose another name")
    tasks = tasks_of(panel, majority=options.majority)
    if not tasks:
        print("agreement: nothing to adjudicate: --to alone writes the result")
        return
    documents, confidences = [task.document for task in tasks], [task.confidences for task in tasks]
    write(documents, options.adjudicate, options.tool, predictions=True, confidences=confidences, private=True)
    print(f"agreement: {counted(len(tasks), 'note')} to adjudicate: {options.adjudicate}")


def _write_result(options: argparse.Namespace, panel: Panel, mapping: dict[str, str]) -> None:
    adjudicated = read(options.resolve, options.resolve_format or options.format) if options.resolve else []
    documents = resolve(panel, adjudicated, mapping, majority=options.majority)
    write(documents, options.to, "jsonl")
    notes, alone = counted(len(documents), "note"), len(panel.documents) - len(panel.shared)
    print(f"agreement: {notes}, {len(adjudicated)} adjudicated, {alone} of one annotator: {options.to}")
    print(f"next:\n  python -m annotation.add {options.to} --format jsonl --name NAME")


def _verdict(scores: dict[str, Any], least: float | None) -> int:
    if least is None:
        return DONE
    value = scores[ALL]["strict"]["mean"].value
    if value is None or value < least:
        print(f"agreement: strict F1 {'cannot be computed' if value is None else f'{value:.4f}'}, below {least}")
        return REFUSED
    return DONE


if __name__ == "__main__":
    sys.exit(main())

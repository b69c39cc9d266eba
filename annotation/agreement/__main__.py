"""Agreement between annotators of the same notes, and the way from their disputes to one batch.

    python -m annotation.agreement EXPORT [EXPORT …] --format F               # how far they agree, and where not
    python -m annotation.agreement … --adjudicate tasks.json --tool label-studio
    python -m annotation.agreement … --resolve adjudicated.json --to batch.jsonl
    python -m annotation.add batch.jsonl --format jsonl --name NAME

Exit codes: 0 done, 1 agreement below --least, 2 something is missing, wrong or still disputed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from annotation.agreement.adjudication import disagreements, resolve, tasks_of
from annotation.agreement.disputes import Stretch, is_open, stretches_of
from annotation.agreement.panel import Panel, read_panel
from annotation.agreement.report import as_json, lines_of
from annotation.agreement.scores import ALL, agreement
from annotation.command import exit_code
from annotation.writers import WRITERS, write
from stages.common.errors import BeHealthyError
from stages.common.files import write_csv, write_json
from stages.params import load_params
from stages.prepare.batches import DEFAULT_MAPPING, read_mapping
from stages.prepare.formats import READERS, read

DONE, BELOW = 0, 1


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m annotation.agreement", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("exports", nargs="+", type=Path, help="exports that name annotators, or one for each annotator")
    parser.add_argument("--format", required=True, choices=sorted(READERS), help="of the exports")
    parser.add_argument("--labels", type=Path, default=DEFAULT_MAPPING, help="CSV of source_label,label")
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
    chosen = parser.parse_args(arguments)
    if chosen.resolve and not chosen.to:
        parser.error("--resolve needs --to: where the result goes")
    if chosen.least is not None and not 0 <= chosen.least <= 1:
        parser.error("--least is between 0 and 1")
    return chosen


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    chosen = options(arguments)
    return exit_code("agreement", lambda: run(chosen))


def run(chosen: argparse.Namespace) -> int:
    """Read, score, and write what was asked for."""
    params = load_params()
    mapping = read_mapping(chosen.labels)
    panel = read_panel(
        chosen.exports, chosen.format, mapping, sentences_per_document=params.prepare.sentences_per_document
    )
    stretches = [stretch for versions in panel.shared.values() for stretch in stretches_of(versions)]
    disputes = [stretch for stretch in stretches if is_open(stretch, majority=chosen.majority)]
    scores = agreement(panel, resamples=params.evaluate.resamples, seed=params.evaluate.seed)
    print("\n".join(lines_of(panel, scores, stretches, disputes, chosen.show)))
    if chosen.json:
        write_json(chosen.json, as_json(panel, scores, stretches, disputes))
    _write_work(chosen, panel, disputes)
    if chosen.to:
        _write_result(chosen, panel, mapping)
    return _verdict(scores, chosen.least)


def _write_work(chosen: argparse.Namespace, panel: Panel, disputes: Sequence[Stretch]) -> None:
    """Write the disputes and the tasks, both readable by their owner only."""
    if chosen.disagreements:
        write_csv(chosen.disagreements, disagreements(panel, disputes), private=True)
        print(f"agreement: {len(disputes)} disputes with their text: {chosen.disagreements}")
    if not chosen.adjudicate:
        return
    if chosen.adjudicate.exists():
        raise BeHealthyError(f"{chosen.adjudicate} exists, and someone may be adjudicating it: choose another name")
    tasks = tasks_of(panel, majority=chosen.majority)
    if not tasks:
        print("agreement: nothing to adjudicate: --to alone writes the result")
        return
    documents, confidences = [task.document for task in tasks], [task.confidences for task in tasks]
    write(documents, chosen.adjudicate, chosen.tool, predictions=True, confidences=confidences, private=True)
    print(f"agreement: {len(tasks)} notes to adjudicate: {chosen.adjudicate}")


def _write_result(chosen: argparse.Namespace, panel: Panel, mapping: dict[str, str]) -> None:
    adjudicated = read(chosen.resolve, chosen.resolve_format or chosen.format) if chosen.resolve else []
    documents = resolve(panel, adjudicated, mapping, majority=chosen.majority)
    write(documents, chosen.to, "jsonl")
    alone = len(panel.documents) - len(panel.shared)
    print(f"agreement: {len(documents)} notes, {len(adjudicated)} adjudicated, {alone} of one annotator: {chosen.to}")
    print(f"next:\n  python -m annotation.add {chosen.to} --format jsonl --name NAME")


def _verdict(scores: dict[str, Any], least: float | None) -> int:
    if least is None:
        return DONE
    value = scores[ALL]["strict"]["mean"].value
    if value is None or value < least:
        print(f"agreement: strict F1 {'cannot be computed' if value is None else f'{value:.4f}'}, below {least}")
        return BELOW
    return DONE


if __name__ == "__main__":
    sys.exit(main())

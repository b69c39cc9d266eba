"""Speed and memory of this tagger and its peers on the same text, in one run.

Every contestant trains on the same notes and tags the same text on one core, in processes of its
own. The tagger's answers are checked against a plain decoder's on every sentence.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import scale
from benchmarks.contest import RATES, run, say, with_clusters
from benchmarks.contestants import CONTESTANTS, OURS
from benchmarks.corpora import Corpus, project_corpus, read_corpus, read_texts
from benchmarks.environment import peers_python, run_module
from benchmarks.task import Task, token_count
from stages.common.command import DONE, REFUSED, run_command
from stages.common.errors import BeHealthyError
from stages.common.files import write_csv, write_json
from stages.params import Params, load_params
from stages.prepare.formats import READERS
from stages.prepare.formats.rules import Rules
from stages.prepare.mapping import DEFAULT_MAPPING, read_mapping

ANNOTATIONS = Path("data/annotations")
_KEPT = ("load_seconds", "train_cpu_seconds", *RATES, "tagging_memory_mb", "peak_memory_mb", "version")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; exit code 1 when the fast decoder and the plain one disagree."""
    options = _parser().parse_args(arguments)
    return run_command("benchmarks.throughput", lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    result = benchmark(options)
    write_json(options.json, result)
    print(table_of(result))
    return DONE if result["agreement"] is None or result["agreement"]["holds"] else REFUSED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__)
    parser.add_argument("--format", choices=READERS, default="iob", help="format of --train and --test")
    parser.add_argument("--train", nargs="+", type=Path, help="corpora to learn from; default: the project's own")
    parser.add_argument("--test", nargs="+", type=Path, help="corpora whose text is tagged")
    parser.add_argument("--text", nargs="+", type=Path, help="raw text files or folders, tagged instead of --test")
    parser.add_argument("--json", type=Path, default=Path("reports/throughput.json"), help="where the result goes")
    parser.add_argument("--labels", type=Path, default=DEFAULT_MAPPING, help="CSV of source_label,label")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="parameters of the stages")
    parser.add_argument("--contestants", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS), help="who runs")
    parser.add_argument("--notes", type=int, default=200, help="training notes of each peer: enough to measure speed")
    parser.add_argument("--epochs", type=int, default=1, help="passes of spaCy; more do not change its speed")
    parser.add_argument("--scale", type=int, metavar="TOKENS", help="also cost against size up to TOKENS (20000000)")
    return parser


def benchmark(options: argparse.Namespace) -> dict[str, Any]:
    """Train everyone, measure everyone, compare the decoders.

    Raises
    ------
    BeHealthyError
        When anything given cannot be used.
    """
    if options.json.is_dir():
        raise BeHealthyError(f"{options.json} is a folder: give the name of a file")
    peers = [name for name in options.contestants if name != OURS]
    if peers:
        peers_python()
    params = load_params(options.params)
    corpus = _corpus(options, params)
    with tempfile.TemporaryDirectory(prefix="behealthy-throughput-") as name:
        work = Path(name)
        corpus.write(work / "prepared")
        test = read_texts(options.text) if options.text else corpus.notes("test")
        places = str(work / "prepared"), str(options.params.resolve())
        task = Task(corpus.notes("train"), test, *places, options.epochs)
        result: dict[str, Any] = {"tokens": token_count(test), "notes": len(test)}
        contestants = {OURS: _kept(run(OURS, task, work / OURS))}
        model = work / OURS / "model"
        small = with_clusters(Task(task.train[: options.notes], test, *places, options.epochs), model)
        contestants |= {peer: _kept(run(peer, small, work / peer)) for peer in peers}
        result["contestants"] = contestants
        result["ratios"] = _ratios(contestants)
        result["agreement"] = _agreement(model, task)
        if options.scale:
            result["scale"] = _scale(options, model, task, work)
    return result


def _corpus(options: argparse.Namespace, params: Params) -> Corpus:
    if options.test and not options.train:
        raise BeHealthyError("--test needs --train beside it: give both, or neither for the project's own notes")
    if options.train and not (options.test or options.text):
        raise BeHealthyError("--train needs a text to tag beside it: give --test or --text")
    if not options.train:
        return project_corpus(ANNOTATIONS, params.prepare)
    rules = Rules(read_mapping(options.labels, params.labels))
    return read_corpus(options.train, options.test or [], options.format, rules, params.prepare)


def _kept(measured: dict[str, Any]) -> dict[str, Any]:
    return {name: measured[name] for name in _KEPT}


def _ratios(contestants: dict[str, dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return how many times as fast this tagger is as each peer."""
    ours = contestants[OURS]
    return {name: {rate: ours[rate] / one[rate] for rate in RATES} for name, one in contestants.items() if name != OURS}


def _agreement(model: Path, task: Task) -> dict[str, Any] | None:
    """Compare what the linear chain decodes with the plain decoder."""
    from benchmarks import plain
    from stages.train.extractor import Extractor

    extractor = Extractor.load(model)
    if extractor.tagger.chain is None:
        say(f"not compared with the plain decoder: the family is {type(extractor.tagger).__name__}")
        return None
    say("comparing with the plain decoder")
    agreement = plain.compare_decoders(extractor, [note.sentences for note in task.test])
    return {**vars(agreement), "holds": agreement.holds}


def _scale(options: argparse.Namespace, model: Path, task: Task, work: Path) -> dict[str, float]:
    notes, table_file = work / "notes.json", work / "scale.csv"
    notes.write_text(json.dumps([note.sentences for note in task.test]), encoding="utf-8")
    arguments = ["benchmarks.scale", str(model), str(notes), str(options.scale), str(table_file)]
    run_module(sys.executable, arguments, niced=False)
    table = pd.read_csv(table_file)
    write_csv(options.json.with_suffix(".scale.csv"), table)
    scale.draw_scale(table, options.json.with_suffix(".scale.png"))
    return scale.summary(table)


def table_of(result: dict[str, Any]) -> str:
    """Return what was measured as a table."""
    ours = result["contestants"][OURS]
    lines = [f"{result['tokens']:,} tokens in {result['notes']:,} notes, tokens per CPU second on one core"]
    lines.append(f"{'':18}{'warm':>9}{'cold':>9}{'from text':>11}{'slower by':>11}{'load s':>8}{'MB':>6}")
    for name, one in result["contestants"].items():
        rates = f"{one[RATES[0]]:9,.0f}{one[RATES[1]]:9,.0f}{one[RATES[2]]:11,.0f}"
        slower = f"{ours[RATES[0]] / one[RATES[0]]:10.1f}x"
        lines.append(f"{name:18}{rates}{slower}{one['load_seconds']:8.2f}{one['tagging_memory_mb']:6.0f}")
    agreement = result["agreement"]
    if agreement is not None:
        same = f"{agreement['identical']} of {agreement['sentences']} sentences ({agreement['ties']} ties)"
        lines.append(f"same answers as the plain decoder on {same}")
    if "scale" in result:
        it = result["scale"]
        cost = f"{it['tokens']:,} tokens in {it['cpu_seconds']:.1f} CPU s"
        line = f"{100 * it['worst_from_line']:.1f}% from a straight line"
        lines.append(
            f"{cost}, {line}; peak {it['peak_memory_mb']:.0f} MB, {it['memory_growth_mb']:+.0f} in the second half"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())

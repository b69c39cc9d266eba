"""Train on some corpora and score on others, with the code of the stages."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.contest import RATES, run, say
from benchmarks.contestants import OURS
from benchmarks.environment import peers_python
from benchmarks.task import Task, token_count
from stages.common.command import run_command
from stages.common.errors import BeHealthyError
from stages.common.files import write_json
from stages.evaluate.summary import lines_of_acceptance
from stages.params import Params, load_params
from stages.prepare.annotated import told
from stages.prepare.formats import READERS
from stages.prepare.formats.rules import Rules
from stages.prepare.mapping import DEFAULT_MAPPING, read_mapping
from stages.prepare.options import add_rules

if TYPE_CHECKING:
    from benchmarks.corpora import Corpus

PEERS = ("sklearn-crfsuite", "spacy")
_COSTS = ("train_cpu_seconds", *RATES, "peak_memory_mb", "tagging_memory_mb", "load_seconds")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    options = _parser().parse_args(arguments)
    return run_command("benchmarks.accuracy", lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    result = benchmark(options)
    write_json(options.json, result)
    print(table_of(result))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--format", required=True, choices=READERS, help="format of all the corpora")
    parser.add_argument("--train", required=True, nargs="+", type=Path, help="files or folders to learn from")
    parser.add_argument("--test", required=True, nargs="+", type=Path, help="files or folders to score on")
    parser.add_argument("--json", required=True, type=Path, help="where the result goes")
    parser.add_argument("--labels", type=Path, default=DEFAULT_MAPPING, help="CSV of source_label,label")
    add_rules(parser)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="parameters of the stages")
    parser.add_argument(
        "--resample-documents", type=int, default=0, metavar="N", help="also train N times on parts of the documents"
    )
    parser.add_argument("--document-share", type=_share, default=1.0, help="share of the documents of such a part")
    parser.add_argument("--peers", action="store_true", help="train and score the peers too (.venv-benchmarks)")
    parser.add_argument("--hardships", action="store_true", help="also score changed texts: all capitals, typos, …")
    parser.add_argument("--epochs", type=int, default=10, help="most epochs of spaCy")
    return parser


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise ValueError
    return value


def benchmark(options: argparse.Namespace) -> dict[str, Any]:
    """Read, train, tag and score.

    Raises
    ------
    BeHealthyError
        When anything given cannot be used.
    """
    from benchmarks.corpora import read_corpus
    from benchmarks.hardships import scores_of_changed
    from benchmarks.promises import promises_of, resampled
    from stages.train.extractor import Extractor

    if options.json.is_dir():
        raise BeHealthyError(f"{options.json} is a folder: give the name of a file")
    if options.peers:
        peers_python()  # before the hours of work, not after them
    params = load_params(options.params)
    mapping = read_mapping(options.labels, params.labels)
    rules = Rules(mapping, options.overlaps, options.discontinuous, tuple(params.labels))
    say("reading the corpora")
    corpus = read_corpus(options.train, options.test, options.format, rules, params.prepare)
    _warn_of_repeats(corpus, params)
    for line in told(corpus.tables.left_out):
        say(f"left out: {line}")
    with tempfile.TemporaryDirectory(prefix="behealthy-accuracy-") as name:
        work = Path(name)
        corpus.write(work / "prepared")
        places = str(work / "prepared"), str(options.params.resolve())
        task = Task(corpus.notes("train"), corpus.notes("test"), *places, options.epochs)
        result = _result(run(OURS, task, work / OURS), corpus, params)
        result |= {"tokens": token_count(task.test), "documents": len(task.test)}
        result["source_labels"] = corpus.source_labels()
        if corpus.tables.left_out:
            result["left_out"] = corpus.tables.left_out
        result["params"] = params.model_dump(include={"prepare", "featurize", "train"})
        extractor = Extractor.load(work / OURS / "model")
        result |= promises_of(work / "prepared", corpus, extractor, params)
        if options.resample_documents:
            trainings = resampled(corpus, params, options.resample_documents, options.document_share)
            result["resampled"] = {"share": options.document_share, "trainings": list(trainings)}
        if options.hardships:
            say("reading the test texts again, changed")
            texts = {note.name: note.text for note in task.test}
            result["hardships"] = scores_of_changed(extractor, texts, corpus.gold("test"), params.evaluate.seed)
        if options.peers:
            result["peers"] = {peer: _result(run(peer, task, work / peer), corpus, params) for peer in PEERS}
    return result


def _warn_of_repeats(corpus: Corpus, params: Params) -> None:
    repeated = corpus.repeated(params.prepare.near_duplicate)
    if repeated:
        say(f"WARNING: {repeated} test documents nearly repeat a training document; none was dropped")


def _result(measured: dict[str, Any], corpus: Corpus, params: Params) -> dict[str, Any]:
    from benchmarks.scores import scored

    scores = scored(corpus.gold("test"), measured["mentions"], params.evaluate)
    costs = {name: measured[name] for name in _COSTS}
    version = {"version": measured["version"]} if measured["version"] else {}
    return {**scores, **costs, **version}


def table_of(result: dict[str, Any]) -> str:
    """Return a small table of what matters."""
    scores = f"{'precision':>10}{'recall':>8}{'F1':>8}  {'95% interval':16}{'lenient F1':>10}"
    lines = [f"{'':18}{scores}{'tokens/s':>10}{'MB':>6}"]
    contestants = {OURS: result, **result.get("peers", {})}
    for name, one in contestants.items():
        rows = {name: "micro", **{f"  {label}": label for label in one["strict"]["labels"]}}
        for title, key in rows.items():
            strict, lenient = (_row(one[kind], key) for kind in ("strict", "lenient"))
            low, high = strict["f1_interval"]
            line = f"{title:18}{strict['precision']:10.4f}{strict['recall']:8.4f}{strict['f1']:8.4f}"
            line += f"  {low:.4f}-{high:.4f}   {lenient['f1']:10.4f}"
            if key == "micro":
                line += f"{one['tokens_per_cpu_second']:10,.0f}{one['peak_memory_mb']:6.0f}"
            lines.append(line)
    hardships = result.get("hardships", {})
    lines += ["strict F1 from raw text"] * bool(hardships)
    lines += [f"  {name:40}{f1:8.4f}" for name, f1 in hardships.items()]
    lines += lines_of_acceptance(result["acceptance"])
    return "\n".join(lines)


def _row(scores: dict[str, Any], key: str) -> dict[str, Any]:
    return scores["micro"] if key == "micro" else scores["labels"][key]


if __name__ == "__main__":
    sys.exit(main())

"""How much of a score is luck: train the same families with many seeds, keep the counts of every test document.

`python -m benchmarks.seeds --csv counts.csv` scores the project's own test split; `--format`, `--train`
and `--test` name other corpora, as in `benchmarks.accuracy`. The counts have names under a key, and no text.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from benchmarks.contest import say
from benchmarks.corpora import Corpus, project_corpus, read_corpus
from stages.common.command import run_command
from stages.common.files import write_csv
from stages.params import Params, load_params
from stages.prepare.formats import READERS
from stages.prepare.formats.rules import Rules
from stages.prepare.mapping import DEFAULT_MAPPING, read_mapping
from stages.train.params import TrainParams


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if len({option is None for option in (options.format, options.train, options.test)}) > 1:
        parser.error("--format, --train and --test go together")
    return run_command("benchmarks.seeds", lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    params = load_params(options.params)
    tables: list[pd.DataFrame] = []
    for counts in counts_by_seed(_corpus(options, params), params, options):
        tables.append(counts)
        write_csv(options.csv, pd.concat(tables))  # hours of work: what is done is kept


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.seeds", description=__doc__)
    parser.add_argument("--csv", required=True, type=Path, help="family, seed, document, label, tp, fp, fn")
    parser.add_argument(
        "--seeds", nargs="+", type=int, default=list(range(1, 11)), help="train.seed: of the runs and the trees"
    )
    parser.add_argument("--families", nargs="+", default=["crf", "stacked"])
    parser.add_argument("--format", choices=READERS, help="format of the corpora")
    parser.add_argument("--train", nargs="+", type=Path, help="files or folders to learn from")
    parser.add_argument("--test", nargs="+", type=Path, help="files or folders to score on")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="parameters of the stages")
    return parser


def _corpus(options: argparse.Namespace, params: Params) -> Corpus:
    if options.train:
        rules = Rules(read_mapping(DEFAULT_MAPPING, params.labels))
        return read_corpus(options.train, options.test, options.format, rules, params.prepare)
    return project_corpus(Path("data/annotations"), params.prepare)


def counts_by_seed(corpus: Corpus, params: Params, options: argparse.Namespace) -> Iterator[pd.DataFrame]:
    """Yield the counts of the test documents for each seed and family."""
    from benchmarks.contestants.ours import FEATURES, learned_attributes
    from stages.evaluate.predictions import predict
    from stages.featurize.store import read_features
    from stages.train.held_out import held_out_of
    from stages.train.learning import learn_extractor

    with tempfile.TemporaryDirectory(prefix="behealthy-seeds-") as name:
        prepared = Path(name) / "prepared"
        corpus.write(prepared)
        features = Path(name) / FEATURES
        attributes = learned_attributes(prepared, features, params)
        train, dev = (read_features(features / f"{split}.parquet") for split in ("train", "dev"))
        for seed in options.seeds:
            for family in options.families:
                settings = _settings(params, seed, family)
                learned = learn_extractor(train, *held_out_of(train, dev, seed), attributes, settings)
                predicted = predict(prepared, ["test"], learned.extractor).mentions
                counts = _counts(corpus, predicted)
                totals = counts[["tp", "fp", "fn"]].sum()
                say(f"{family}, seed {seed}: F1 {2 * totals.tp / (2 * totals.tp + totals.fp + totals.fn):.4f}")
                yield counts.assign(family=family, seed=seed)[["family", "seed", *counts.columns]]


def _settings(params: Params, seed: int, family: str) -> TrainParams:
    """Leave out the comparison of reviewers: it may change the confidence of mentions, never the mentions."""
    acceptance = params.train.acceptance.model_copy(update={"models": []})
    return params.train.model_copy(update={"seed": seed, "family": family, "acceptance": acceptance})


def _counts(corpus: Corpus, predicted: pd.DataFrame) -> pd.DataFrame:
    from stages.evaluate.matching import match_documents
    from stages.evaluate.scores import document_counts

    documents = corpus.tables.documents
    test = documents[documents["split"] == "test"]
    labels = sorted(set(corpus.tables.mentions["label"]))
    return document_counts(match_documents(test, corpus.tables.mentions, predicted), test["public_name"], labels)


if __name__ == "__main__":
    sys.exit(main())

"""A simulated year of annotation: what order of the notes teaches the tagger most, at what cost.

    python -m benchmarks.active_learning --format pubtator --train train.txt --test devel.txt --csv ncbi.csv
    python -m benchmarks.savings ncbi=ncbi.csv --plot curves.png

The training notes are the pool; what the corpus says of a note becomes known when it is chosen. All
orders begin with the same random notes. The tagger is the chain alone, one run of five passes, so
that hundreds can be trained; word clusters come from the whole pool, which needs no annotation.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.contest import say
from benchmarks.corpora import Corpus, read_corpus
from stages.common.command import run_command
from stages.common.files import write_csv
from stages.common.scoring import Counts, strict_counts
from stages.params import Params, load_params
from stages.prepare.formats import READERS
from stages.prepare.formats.rules import Rules
from stages.prepare.mapping import DEFAULT_MAPPING, read_mapping
from stages.train.params import TrainParams

if TYPE_CHECKING:
    from annotation.queue.doubts import Doubts
    from annotation.queue.profiles import Profile
    from stages.featurize.attributes.tokens import SparseTokens
    from stages.featurize.store import FeatureTable
    from stages.train.taggers.tagger import Tagger

RANDOM, QUEUE = "random", "queue"
COLUMNS = ["strategy", "seed", "documents", "tokens", "mentions", "f1"]
SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
RANDOM_SHARES = (*SHARES, 0.6, 0.8, 1.0)
_EPOCHS, _RUNS, _ITERATIONS = 5, 1, 5
_RELEVANCE = 0.7  # of maximal marginal relevance; the rest is for what the note resembles


@dataclass(frozen=True)
class Pool:
    """Notes that may be annotated, and those that the tagger is scored on.

    Parameters
    ----------
    train, test : FeatureTable
    gold : int
        Mentions of the test notes, those off token boundaries too.
    n_rows : int
    names : list of str
        Notes of the pool.
    texts : list of str
    notes : int64 array of shape (sentences,)
        Place in `names` of each training sentence.
    """

    train: FeatureTable
    test: FeatureTable
    gold: int
    n_rows: int
    names: list[str]
    texts: list[str]
    notes: NDArray[np.int64]

    @property
    def tokens(self) -> NDArray[np.int64]:
        """Tokens of each note."""
        return np.bincount(self.notes, weights=np.diff(self.train.tokens.sentence_starts)).astype(np.int64)

    @property
    def mentions(self) -> NDArray[np.int64]:
        """Mentions of each note."""
        return np.bincount(self.notes, weights=list(map(len, self.train.spans))).astype(np.int64)


@dataclass(frozen=True)
class Views:
    """What a strategy may look at of the notes that are left, one row each; `words` are doubts by word."""

    profiles: list[Profile]
    words: list[Profile]
    confidence: NDArray[np.float64]
    texts: list[str]

    @property
    def errors(self) -> NDArray[np.float64]:
        """Expected errors of each note."""
        return np.array([profile.wrong + profile.missed for profile in self.profiles])

    @property
    def tokens(self) -> NDArray[np.float64]:
        """Tokens of each note."""
        return np.array([max(1.0, profile.tokens) for profile in self.profiles])


Strategy = Callable[[Views, int], Sequence[int]]


def _best(scores: NDArray[np.float64], count: int) -> list[int]:
    return np.argsort(-scores, kind="stable")[:count].tolist()


def _queued(profiles: list[Profile], count: int) -> list[int]:
    from annotation.queue.selection import choose

    return [choice.note for choice in choose(profiles, count)]


def _diverse(views: Views, count: int) -> list[int]:
    """Weigh expected errors against the likeness to what was chosen (Carbonell & Goldstein 1998), tf-idf."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectors = TfidfVectorizer(sublinear_tf=True, stop_words="english").fit_transform(views.texts).tocsr()
    relevance = views.errors / max(views.errors.max(), 1e-9)
    likeness, picked = np.zeros(len(relevance)), list[int]()
    for _ in range(min(count, len(relevance))):
        scores = _RELEVANCE * relevance - (1 - _RELEVANCE) * likeness
        scores[picked] = -np.inf
        picked.append(int(scores.argmax()))
        likeness = np.maximum(likeness, (vectors @ vectors[picked[-1]].T).toarray().ravel())
    return picked


STRATEGIES: dict[str, Strategy] = {
    QUEUE: lambda views, count: _queued(views.profiles, count),
    "queue, by words": lambda views, count: _queued(views.words, count),
    "expected errors": lambda views, count: _best(views.errors, count),
    "errors per token": lambda views, count: _best(views.errors / views.tokens, count),
    "errors, tf-idf MMR": _diverse,
    "least confidence": lambda views, count: _best(-views.confidence, count),
    "longest": lambda views, count: _best(views.tokens, count),
}
"""Orders of annotation beside the random one."""


def read_pool(corpus: Corpus, params: Params, work: Path) -> Pool:
    """Learn attributes from the text of the pool, and turn both sides into them."""
    from stages.featurize.learning import learn_attributes
    from stages.featurize.store import read_contexts, read_features, write_features

    corpus.write(work)
    contexts = [context.sentences for context in read_contexts(work, "train")]
    attributes = learn_attributes(contexts, params.featurize.model_copy(update={"epochs": _EPOCHS}))
    for split in ("train", "test"):
        write_features(work / f"{split}-features.parquet", read_contexts(work, split), attributes)
    train, test = (read_features(work / f"{split}-features.parquet") for split in ("train", "test"))
    numbers = {name: place for place, name in enumerate(dict.fromkeys(train.documents))}
    documents = corpus.tables.documents.set_index("document")["text"]
    gold = sum(map(len, corpus.gold("test").values()))
    places = np.array([numbers[name] for name in train.documents], dtype=np.int64)
    return Pool(train, test, gold, attributes.n_rows, list(numbers), [documents[name] for name in numbers], places)


def simulate(pool: Pool, strategy: str, seed: int, params: TrainParams) -> list[tuple]:
    """Annotate in the order of a strategy; score the tagger at each size.

    Returns
    -------
    list of tuples
        `COLUMNS`.
    """
    from stages.train.held_out import held_out_of
    from stages.train.learning import calibrated, fit

    order = np.random.default_rng(seed).permutation(len(pool.names)).tolist()
    sizes = [round(share * len(order)) for share in (RANDOM_SHARES if strategy == RANDOM else SHARES)]
    known, rows = order[: sizes[0]], []
    for size, larger in zip(sizes, [*sizes[1:], 0], strict=True):
        part = pool.train.of_documents([pool.names[note] for note in known])
        if strategy == RANDOM:
            tagger = fit(part, pool.n_rows, params)
        else:
            seen, held_out = held_out_of(part, pool.train.of_documents([]), params.seed)
            tagger = calibrated(part, seen, held_out, pool.n_rows, params)[0]
        f1 = _strict_f1(pool, tagger)
        rows.append((strategy, seed, size, int(pool.tokens[known].sum()), int(pool.mentions[known].sum()), f1))
        if strategy == RANDOM:
            known = order[:larger]
        elif larger:
            left = sorted(set(order) - set(known))
            known = known + [left[place] for place in STRATEGIES[strategy](_views(pool, tagger, left), larger - size)]
    return rows


def _strict_f1(pool: Pool, tagger: Tagger) -> float:
    pairs = zip(pool.test.spans, tagger.spans(pool.test.tokens), strict=True)
    counts = sum((strict_counts(gold, predicted) for gold, predicted in pairs), Counts())
    return 2 * counts.tp / max(1, counts.tp + counts.fp + pool.gold)


def _views(pool: Pool, tagger: Tagger, left: list[int]) -> Views:
    from annotation.queue.doubts import find_doubts
    from annotation.queue.profiles import summed

    sentences = np.flatnonzero(np.isin(pool.notes, left))
    tokens = pool.train.tokens.take(sentences)
    doubts = find_doubts(tagger, tokens)
    places = pool.notes[sentences]
    parts = _parts(doubts, places, left)
    confidence = [1 - part.errors[part.taken].mean() if part.taken.any() else 1.0 for part in parts]
    lengths = pool.tokens[left].tolist()
    return Views(
        [summed(part, length) for part, length in zip(parts, lengths, strict=True)],
        [summed(part, n) for part, n in zip(_parts(_by_word(doubts, tokens), places, left), lengths, strict=True)],
        np.array(confidence),
        [pool.texts[note] for note in left],
    )


def _parts(doubts: Doubts, places: NDArray[np.int64], left: list[int]) -> list[Doubts]:
    """Return the doubts of each note."""
    bounds = np.searchsorted(places[doubts.sentences], [*left, left[-1] + 1])
    return [doubts.part(first, end) for first, end in pairwise(bounds.tolist())]


def _by_word(doubts: Doubts, tokens: SparseTokens) -> Doubts:
    """Share the errors of each span out to its words."""
    from annotation.queue.doubts import Doubts

    assert tokens.surface is not None
    lengths = doubts.spans[:, 1] - doubts.spans[:, 0]
    span = np.repeat(np.arange(len(lengths)), lengths)
    word = np.arange(len(span)) - np.repeat(np.cumsum(lengths) - lengths, lengths) + doubts.spans[span, 0]
    return Doubts(
        doubts.sentences[span],
        np.stack([word, word + 1], axis=1),
        (doubts.errors / lengths)[span],
        doubts.taken[span],
        tokens.surface.stems[word],
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the simulation."""
    options = _parser().parse_args(arguments)
    return run_command("benchmarks.active_learning", lambda: run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.active_learning", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--format", required=True, choices=READERS, help="format of both")
    parser.add_argument("--train", required=True, nargs="+", type=Path, help="the pool")
    parser.add_argument("--test", required=True, nargs="+", type=Path, help="what the tagger is scored on")
    parser.add_argument("--csv", required=True, type=Path, help="where the curves go")
    parser.add_argument("--labels", type=Path, default=DEFAULT_MAPPING, help="CSV of source_label,label")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="parameters of the stages")
    parser.add_argument("--seeds", type=int, default=5, help="first notes, of random order and the queue")
    parser.add_argument("--other-seeds", type=int, default=2, help="of the other strategies; 0 leaves them out")
    return parser


def run(options: argparse.Namespace) -> None:
    """Simulate every strategy; what is known so far is written after each, the weightiest first."""
    params = load_params(options.params)
    crf = params.train.crf.model_copy(update={"runs": _RUNS, "iterations": _ITERATIONS})
    train = params.train.model_copy(update={"family": "crf", "crf": crf})
    rules = Rules(read_mapping(options.labels, params.labels))
    corpus = read_corpus(options.train, options.test, options.format, rules, params.prepare)
    with tempfile.TemporaryDirectory(prefix="behealthy-active-") as name:
        pool = read_pool(corpus, params, Path(name))
    say(f"{len(pool.names)} notes in the pool, {pool.gold} mentions to find")
    rows = []
    for strategy in (RANDOM, *STRATEGIES):
        for seed in range(options.seeds if strategy in (RANDOM, QUEUE) else options.other_seeds):
            rows += simulate(pool, strategy, seed, train)
            write_csv(options.csv, pd.DataFrame(rows, columns=COLUMNS))
            say(f"{strategy}, seed {seed}: F1 {rows[-1][-1]:.3f} from {rows[-1][2]} notes")


if __name__ == "__main__":
    sys.exit(main())

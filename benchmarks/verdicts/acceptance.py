"""How often the promises of acceptance are broken, and how often nothing is accepted, over resampled documents.

A tagger is trained once on each corpus. What it found out of fold, while it cross-validated itself, is drawn
anew by what errs together, as if other documents had been annotated; the thresholds chosen from each draw are
judged by all that was found out of fold (the promise itself), and by documents that were never learned from.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.contest import say
from benchmarks.corpora import Corpus, project_corpus, read_corpus
from benchmarks.verdicts.few import few_documents
from stages.featurize.store import FeatureTable
from stages.params import Params, load_params
from stages.prepare.formats.rules import Rules
from stages.prepare.mapping import DEFAULT_MAPPING, read_mapping
from stages.train.acceptance import Acceptance
from stages.train.clustered import PARTS
from stages.train.params import AcceptanceParams
from stages.train.promises import HeldOut, choose_acceptance

CORPORA = Path(os.environ.get("BEHEALTHY_CORPORA", "../shared/data"))
"""Where the public corpora lie; those that are absent are left out."""

SHARES = (0.4, 1.0)
_UNSEEN, _PRECISION, _BELOW = "accepted of unseen documents", "their precision", "below the promise there"


class Found(NamedTuple):
    """What a tagger found out of fold, and in documents that it never saw."""

    learned: HeldOut
    following: HeldOut


def tables(repetitions: int) -> dict[str, pd.DataFrame]:
    """Return the error rates of the rule, and of weaker ones beside it.

    Parameters
    ----------
    repetitions : int
        Draws of each corpus and share.
    """
    params = load_params()
    promise = params.train.acceptance
    rows, notes = [], []
    for name, corpus in _corpora(params):
        found = found_in(corpus, params)
        for share in SHARES:
            say(f"{name}: {repetitions} draws of {share:.0%} of the documents")
            for rule, weakened in RULES.items():
                rows += [{"corpus": name, "share": share, "rule": rule, **row} for row in
                         rates_of(found, weakened, promise, share, repetitions)]  # fmt: skip
            notes.append({"corpus": name, "share": share, **notes_of(found, promise, share, repetitions)})
    mentions = pd.DataFrame(rows)
    as_it_is = mentions["rule"] == next(iter(RULES))
    weaker = mentions[~as_it_is].drop(columns=[_UNSEEN, _PRECISION, _BELOW])
    return {
        "promise": mentions[as_it_is].drop(columns="rule"),
        "weaker": weaker,
        "notes": pd.DataFrame(notes),
        "few-documents": few_documents(promise, repetitions),
    }


def _corpora(params: Params) -> Iterator[tuple[str, Corpus]]:
    rules = Rules(read_mapping(DEFAULT_MAPPING, params.labels))
    for name in ("ncbi-disease", "bc5cdr"):
        files = [CORPORA / name / f"{split}.tsv" for split in ("train", "devel")]
        if all(file.is_file() for file in files):
            yield name, read_corpus(files[:1], files[1:], "iob", rules, params.prepare)
    yield "seed", project_corpus(Path("data/annotations"), params.prepare)


def found_in(corpus: Corpus, params: Params) -> Found:
    """Train once; no judge takes the place of the span model, as that only changes the confidence."""
    return found_elsewhere(corpus, [], params)[0]


def found_elsewhere(corpus: Corpus, others: Sequence[Corpus], params: Params) -> tuple[Found, list[HeldOut]]:
    """Train once, and look at the training documents of other corpora, too."""
    from benchmarks.contestants.ours import FEATURES, learned_attributes
    from stages.featurize.store import read_contexts, read_features, write_features
    from stages.train.learning import fit, found_out_of_fold, found_unseen

    with tempfile.TemporaryDirectory(prefix="behealthy-verdicts-") as folder:
        prepared = Path(folder)
        corpus.write(prepared)
        attributes = learned_attributes(prepared, prepared / FEATURES, params)

        def features_of(read_from: Path, split: str, name: str) -> FeatureTable:
            write_features(prepared / FEATURES / f"{name}.parquet", read_contexts(read_from, split), attributes)
            return read_features(prepared / FEATURES / f"{name}.parquet")

        train = read_features(prepared / FEATURES / "train.parquet")
        tagger = fit(train, attributes.n_rows, params.train)
        assert tagger.out_of_fold is not None
        tables = [features_of(prepared, "test", "test")]
        for number, other in enumerate(others):
            other.write(prepared / f"other-{number}")
            tables.append(features_of(prepared / f"other-{number}", "train", f"other-{number}"))
        following, *elsewhere = (found_unseen(tagger, table, params.train.acceptance.suggestion) for table in tables)
        return Found(found_out_of_fold(tagger.out_of_fold, train), following), elsewhere


Rule = Callable[[HeldOut, AcceptanceParams], tuple[HeldOut, AcceptanceParams]]

RULES: dict[str, Rule] = {
    "as it is": lambda found, params: (found, params),
    "from the surest hundred": lambda found, params: (found, params.model_copy(update={"start": 0.0})),
    "no shift": lambda found, params: (replace(found, parts=np.zeros_like(found.parts)), params),
    "each document alone, no shift": lambda found, params: (
        replace(found, clusters=np.arange(len(found.clusters)), parts=np.zeros_like(found.parts)), params,
    ),
    "each mention alone, no shift": lambda found, params: (mentions_apart(found), params),
}  # fmt: skip
"""The rule, and what it would be without one of its parts."""


def mentions_apart(found: HeldOut) -> HeldOut:
    """Let every mention be a note of its own, as if none had anything to do with another."""
    count = len(found.confidence)
    nothing = np.zeros(count, dtype=np.int64)
    return replace(
        found, notes=np.arange(count), missed=nothing, suggestions=nothing, clusters=np.arange(count), parts=nothing
    )


def drawn(found: HeldOut, share: float, generator: np.random.Generator) -> HeldOut:
    """Draw clusters with replacement, each copy a cluster of its own, within their parts' order."""
    clusters = np.unique(found.clusters)
    size = max(PARTS, round(share * len(clusters)))
    chosen = np.sort(generator.choice(clusters, size))
    by_cluster = {cluster: np.flatnonzero(found.clusters == cluster) for cluster in clusters.tolist()}
    places = [by_cluster[cluster] for cluster in chosen.tolist()]
    notes = np.concatenate(places)
    numbers = np.repeat(np.arange(size), list(map(len, places)))
    first = np.searchsorted(found.notes, np.arange(len(found.missed) + 1))
    mentions = [np.arange(first[note], first[note + 1]) for note in notes.tolist()]
    taken = np.concatenate(mentions)
    return HeldOut(
        found.confidence[taken],
        found.right[taken],
        found.labels[taken],
        np.repeat(np.arange(len(notes)), list(map(len, mentions))),
        found.missed[notes],
        found.suggestions[notes],
        numbers,
        numbers * PARTS // size,
    )


def rates_of(
    found: Found, rule: Rule, params: AcceptanceParams, share: float, repetitions: int
) -> list[dict[str, object]]:
    """Return, label by label, how often nothing is accepted and the promise is broken."""
    generator = np.random.default_rng(1)
    labels = sorted(set(found.learned.labels.tolist()))
    outcomes: dict[str, list[tuple[float, ...]]] = {label: [] for label in [*labels, "all labels"]}
    for _ in range(repetitions):
        acceptance = choose_acceptance(*_with_labels(rule(drawn(found.learned, share, generator), params), labels))
        nothing = True
        for label in labels:
            outcomes[label].append(_outcome(found, acceptance, [label], params.precision))
            nothing &= acceptance.thresholds[label] is None
        outcomes["all labels"].append((float(nothing), *_outcome(found, acceptance, labels, params.precision)[1:]))
    return [{"label": label, **_summary(np.array(values))} for label, values in outcomes.items()]


def _with_labels(
    weakened: tuple[HeldOut, AcceptanceParams], labels: list[str]
) -> tuple[HeldOut, list[str], AcceptanceParams]:
    return weakened[0], labels, weakened[1]


def _outcome(found: Found, acceptance: Acceptance, labels: list[str], promised: float) -> tuple[float, ...]:
    """Return whether nothing is accepted, what is among all, whether the promise is broken, and both of the next."""
    values: list[float] = [float(all(acceptance.thresholds[label] is None for label in labels))]
    for population in found:
        here = np.isin(population.labels, labels)
        taken = here & _accepted(population, acceptance)
        precision = float(population.right[taken].mean()) if taken.any() else float("nan")
        values += [float(taken.sum() / max(1, here.sum())), float(precision < promised), precision]
    return tuple(values)


def _accepted(found: HeldOut, acceptance: Acceptance) -> NDArray[np.bool_]:
    thresholds = {label: np.inf if value is None else value for label, value in acceptance.thresholds.items()}
    return found.confidence >= np.array([thresholds.get(label, np.inf) for label in found.labels.tolist()])


def _summary(values: NDArray[np.float64]) -> dict[str, object]:
    nothing, share, broken, _, next_share, next_broken, next_precision = values.T
    return {
        "nothing accepted": _rate(nothing),
        "promise broken": _rate(broken),
        "accepted": f"{share.mean():.3f}",
        _UNSEEN: f"{next_share.mean():.3f}",
        _PRECISION: "none" if np.isnan(next_precision).all() else f"{np.nanmean(next_precision):.3f}",
        _BELOW: _rate(next_broken),
    }


def notes_of(found: Found, params: AcceptanceParams, share: float, repetitions: int) -> dict[str, object]:
    """Return how often notes are accepted whole, and how often fewer than promised of these hold no error."""
    generator = np.random.default_rng(1)
    labels = sorted(set(found.learned.labels.tolist()))
    given, broken, held, notes = 0, 0, 0, 0
    for _ in range(repetitions):
        acceptance = choose_acceptance(drawn(found.learned, share, generator), labels, params)
        given += acceptance.whole is not None
        right = _whole(found.learned, acceptance)
        broken += len(right) > 0 and bool(right.mean() < params.whole)
        following = _whole(found.following, acceptance)
        held, notes = held + int(following.sum()), notes + len(following)
    pool = _whole(found.following, replace(_all_whole(found, params, labels), whole=0.0))
    return {
        "notes accepted whole in": f"{given / repetitions:.3f} of draws",
        "promise broken": _rate(np.r_[np.ones(broken), np.zeros(repetitions - broken)]),
        "unseen notes without any error": f"{held} of {notes}" if notes else "none accepted",
        "if all with every mention accepted were": f"{int(pool.sum())} of {len(pool)} without any error",
    }


def _all_whole(found: Found, params: AcceptanceParams, labels: list[str]) -> Acceptance:
    return choose_acceptance(found.learned, labels, params)


def _whole(found: HeldOut, acceptance: Acceptance) -> NDArray[np.bool_]:
    """Return of each note that is accepted whole whether it holds no error."""
    if acceptance.whole is None:
        return np.empty(0, dtype=np.bool_)
    notes = found.of_notes(_accepted(found, acceptance))
    return notes.right[notes.confidence >= acceptance.whole]


def _rate(cases: NDArray[np.float64]) -> str:
    """Return a share with its standard error."""
    share = float(cases.mean())
    return f"{share:.3f} ± {np.sqrt(share * (1 - share) / len(cases)):.3f}"

"""Fitting, calibrating, and how much more annotation would bring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.common.progress import steps
from stages.common.scoring import Counts, strict_counts
from stages.featurize.attributes.extractor import AttributeExtractor
from stages.featurize.store import FeatureTable
from stages.train.clustered import clusters_of, parts_of
from stages.train.extractor import Extractor
from stages.train.held_out import by_hash
from stages.train.leaderboard import compare_classifiers
from stages.train.params import TrainParams
from stages.train.promises import HeldOut, choose_acceptance
from stages.train.reviewer import COLUMNS, review_mentions
from stages.train.taggers.judged import OutOfFoldMentions
from stages.train.taggers.tagger import Tagger, family


class Learned(NamedTuple):
    """An extractor, and who might say which of its mentions need no person.

    Parameters
    ----------
    extractor : Extractor
    reviewers : DataFrame
        As `stages.train.reviewer.Review.leaderboard`; no rows where nothing was compared.
    """

    extractor: Extractor
    reviewers: pd.DataFrame


def fit(train: FeatureTable, n_rows: int, params: TrainParams) -> Tagger:
    """Fit a tagger of the chosen family."""
    kind = family(params.family)
    return kind.fit(
        train.tokens, train.spans, documents=train.documents, n_rows=n_rows, params=params, compare=compare_classifiers
    )


def learn_extractor(
    train: FeatureTable,
    seen: FeatureTable,
    held_out: FeatureTable,
    attributes: AttributeExtractor,
    params: TrainParams,
) -> Learned:
    """Fit and calibrate a tagger, and choose from which confidence on a mention needs no person.

    Parameters
    ----------
    train : FeatureTable
        What the tagger learns from.
    seen, held_out : FeatureTable
        From `stages.train.held_out.held_out_of`.
    attributes : AttributeExtractor
    params : TrainParams
    """
    tagger, found = calibrated(train, seen, held_out, attributes.n_rows, params)
    promise, reviewers = params.acceptance, pd.DataFrame(columns=COLUMNS)
    if tagger.out_of_fold is not None:
        review = review_mentions(tagger.out_of_fold, train.documents, promise, params.seed)
        reviewers, found = review.leaderboard, replace(found, confidence=review.confidence)
        tagger = tagger if review.judge is None else tagger.judged_by(review.judge)
    labels = sorted({label for spans in train.spans for _, _, label in spans})
    return Learned(Extractor(attributes, tagger, choose_acceptance(found, labels, promise)), reviewers)


def calibrated(
    train: FeatureTable, seen: FeatureTable, held_out: FeatureTable, n_rows: int, params: TrainParams
) -> tuple[Tagger, HeldOut]:
    """Fit on `train`, calibrate, and judge what is found in documents that were not learned from.

    A tagger that cross-validates itself is calibrated and judged by that. Any other is by the
    held-out documents, through a second model that saw only `seen` where these are part of `train`.
    """
    tagger = fit(train, n_rows, params)
    if tagger.out_of_fold is not None:
        return tagger, found_out_of_fold(tagger.out_of_fold, train)
    witness = tagger if seen is train else fit(seen, n_rows, params)
    witness = witness.calibrated(held_out.tokens, held_out.spans)
    return tagger.like(witness), found_unseen(witness, held_out, params.acceptance.suggestion)


def found_out_of_fold(mentions: OutOfFoldMentions, train: FeatureTable) -> HeldOut:
    """Return what a tagger found in its training sentences while it cross-validated itself."""
    return _held_out(
        train, mentions.sentences, mentions.confidence, mentions.right, mentions.labels, mentions.suggestions
    )


def found_unseen(tagger: Tagger, table: FeatureTable, suggestion: float) -> HeldOut:
    """Tag sentences that were not learned from."""
    tagged, suggested = tagger.tag_and_suggest(table.tokens, suggestion)
    rows = [
        (sentence, span.confidence, tuple(span[:3]) in set(gold), span.label)
        for sentence, (spans, gold) in enumerate(zip(tagged, table.spans, strict=True))
        for span in spans
    ]
    sentences, confidence, right, labels = zip(*rows, strict=True) if rows else ((), (), (), ())
    return _held_out(
        table,
        np.array(sentences, dtype=np.int32),
        np.array(confidence, dtype=np.float64),
        np.array(right, dtype=np.bool_),
        np.array(labels, dtype=np.str_),
        np.repeat(np.arange(len(suggested), dtype=np.int32), list(map(len, suggested))),
    )


def _held_out(
    table: FeatureTable,
    sentences: NDArray[np.int32],
    confidence: NDArray[np.float64],
    right: NDArray[np.bool_],
    labels: NDArray[np.str_],
    suggestions: NDArray[np.int32],
) -> HeldOut:
    """Bring mentions and suggestions by sentence to their notes, and these to what errs together."""
    numbers = {name: number for number, name in enumerate(dict.fromkeys(table.documents))}
    notes = np.array([numbers[name] for name in table.documents], dtype=np.int64)
    gold = np.bincount(notes, weights=list(map(len, table.spans)), minlength=len(numbers)).astype(np.int64)
    hits = np.bincount(notes[sentences[right]], minlength=len(numbers))
    clusters = clusters_of(_contexts(table))
    return HeldOut(
        confidence,
        right,
        labels,
        notes[sentences],
        gold - hits,
        np.bincount(notes[suggestions], minlength=len(numbers)),
        clusters,
        parts_of(list(numbers), clusters),
    )


def _contexts(table: FeatureTable) -> Sequence[str] | NDArray[np.int32]:
    """Return the context of each document; without any, each stands for itself."""
    surface = table.tokens.surface
    firsts = {name: place for place, name in reversed(list(enumerate(table.documents)))}
    documents = list(dict.fromkeys(table.documents))
    return documents if surface is None else surface.contexts[[firsts[name] for name in documents]]


def learning_curve(
    seen: FeatureTable, held_out: FeatureTable, n_rows: int, params: TrainParams, whole: Tagger | None = None
) -> pd.DataFrame:
    """Score models trained on growing shares of the documents.

    `whole` is the model of all documents in `seen`, where there is one already.

    Returns
    -------
    DataFrame
        Columns ``documents``, ``mentions``, ``f1`` (strict, on the held-out documents).
    """
    ordered = by_hash(seen.documents, params.seed)
    rows = []
    for share in steps("train: learning curve, point", (*params.learning_curve, 1.0)):
        part = seen.of_documents(ordered[: max(1, round(share * len(ordered)))])
        if not any(part.spans):
            continue
        tagger = whole if whole and share == 1.0 else fit(part, n_rows, params)
        pairs = zip(held_out.spans, tagger.spans(held_out.tokens), strict=True)
        counts = sum((strict_counts(gold, predicted) for gold, predicted in pairs), Counts())
        rows.append((len(set(part.documents)), sum(map(len, part.spans)), counts.f1))
    return pd.DataFrame(rows, columns=["documents", "mentions", "f1"])

"""Fitting, calibrating, and how much more annotation would bring."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.common.progress import steps
from stages.common.scoring import Counts, strict_counts
from stages.featurize.attributes.extractor import AttributeExtractor
from stages.featurize.store import FeatureTable
from stages.train.acceptance import HeldOutPredictions, choose_threshold
from stages.train.extractor import Extractor
from stages.train.held_out import by_hash
from stages.train.leaderboard import compare_classifiers
from stages.train.params import TrainParams
from stages.train.reviewer import COLUMNS, review_mentions
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
    tagger, predictions = calibrated(train, seen, held_out, attributes.n_rows, params)
    promise, reviewers = params.acceptance, pd.DataFrame(columns=COLUMNS)
    if tagger.out_of_fold is not None:
        review = review_mentions(tagger.out_of_fold, train.documents, promise, params.seed)
        reviewers, predictions = review.leaderboard, replace(predictions, confidence=review.confidence)
        tagger = tagger if review.judge is None else tagger.judged_by(review.judge)
    acceptance = choose_threshold(predictions, promised=promise.precision, risk=promise.risk)
    return Learned(Extractor(attributes, tagger, replace(acceptance, suggestion=promise.suggestion)), reviewers)


def calibrated(
    train: FeatureTable, seen: FeatureTable, held_out: FeatureTable, n_rows: int, params: TrainParams
) -> tuple[Tagger, HeldOutPredictions]:
    """Fit on `train`, calibrate, and judge what is found in documents that were not learned from.

    A tagger that cross-validates itself is calibrated and judged by that. Any other is by the
    held-out documents, through a second model that saw only `seen` where these are part of `train`.
    """
    tagger = fit(train, n_rows, params)
    mentions = tagger.out_of_fold
    if mentions is not None:
        numbers = _numbered(train.documents)[mentions.sentences]
        return tagger, HeldOutPredictions(mentions.confidence, mentions.right, numbers)
    witness = tagger if seen is train else fit(seen, n_rows, params)
    witness = witness.calibrated(held_out.tokens, held_out.spans)
    return tagger.like(witness), _predictions(witness, held_out)


def _predictions(tagger: Tagger, held_out: FeatureTable) -> HeldOutPredictions:
    numbers = _numbered(held_out.documents).tolist()
    rows = [
        (span.confidence, tuple(span[:3]) in set(gold), number)
        for spans, gold, number in zip(tagger.tag(held_out.tokens), held_out.spans, numbers, strict=True)
        for span in spans
    ]
    confidence, right, documents = zip(*rows, strict=True) if rows else ((), (), ())
    return HeldOutPredictions(
        np.array(confidence, dtype=np.float64), np.array(right, dtype=np.bool_), np.array(documents, dtype=np.int64)
    )


def _numbered(documents: list[str]) -> NDArray[np.int64]:
    numbers = {name: number for number, name in enumerate(dict.fromkeys(documents))}
    return np.array([numbers[name] for name in documents], dtype=np.int64)


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

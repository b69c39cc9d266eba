"""Fitting, calibrating, and how much more annotation would bring."""

from __future__ import annotations

import pandas as pd

from stages.common.params import TrainParams
from stages.common.scoring import Counts, strict_counts
from stages.featurize.store import FeatureTable
from stages.train.held_out import by_hash
from stages.train.tagger import Tagger, family


def fit(train: FeatureTable, n_rows: int, params: TrainParams) -> Tagger:
    """Fit a tagger of the chosen family."""
    return family(params.family).fit(train.tokens, train.spans, documents=train.documents, n_rows=n_rows, params=params)


def calibrated(
    train: FeatureTable, seen: FeatureTable, held_out: FeatureTable, n_rows: int, params: TrainParams
) -> Tagger:
    """Fit on `train`; take the calibration from a model that saw only `seen`."""
    tagger = fit(train, n_rows, params)
    if seen is train:
        return tagger.calibrated(held_out.tokens, held_out.spans)
    return tagger.like(fit(seen, n_rows, params).calibrated(held_out.tokens, held_out.spans))


def learning_curve(seen: FeatureTable, held_out: FeatureTable, n_rows: int, params: TrainParams) -> pd.DataFrame:
    """Score models trained on growing shares of the documents.

    Returns
    -------
    DataFrame
        Columns ``documents``, ``mentions``, ``f1`` (strict, on the held-out documents).
    """
    ordered = by_hash(seen.documents, params.seed)
    rows = []
    for share in (*params.learning_curve, 1.0):
        part = seen.of_documents(ordered[: max(1, round(share * len(ordered)))])
        if not any(part.spans):
            continue
        tagger = fit(part, n_rows, params)
        pairs = zip(held_out.spans, tagger.spans(held_out.tokens), strict=True)
        counts = sum((strict_counts(gold, found) for gold, found in pairs), Counts())
        rows.append((len(set(part.documents)), sum(map(len, part.spans)), counts.f1))
    return pd.DataFrame(rows, columns=["documents", "mentions", "f1"])

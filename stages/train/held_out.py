"""Documents the model is not trained on, for calibration and the learning curve."""

from __future__ import annotations

from hashlib import sha256

from stages.featurize.store import FeatureTable

_ENOUGH_MENTIONS = 100
_SHARE = 5  # every fifth document, where there is no dev split


def by_hash(documents: list[str], seed: int) -> list[str]:
    """Return the distinct documents in an order that only their names and the seed decide."""
    return sorted(set(documents), key=lambda name: sha256(f"{seed}/{name}".encode()).hexdigest())


def held_out_of(train: FeatureTable, dev: FeatureTable, seed: int) -> tuple[FeatureTable, FeatureTable]:
    """Return (what to learn from, what to hold out) for calibration.

    The dev split is held out when it has at least 100 mentions. Corpora that come with train and
    test only have none; then a fifth of the training documents is held out of a second, otherwise
    equal model, so that the first one still learns from everything.
    """
    if sum(map(len, dev.spans)) >= _ENOUGH_MENTIONS:
        return train, dev
    ordered = by_hash(train.documents, seed)
    part = max(1, len(ordered) // _SHARE)
    return train.of_documents(ordered[part:]), train.of_documents(ordered[:part])

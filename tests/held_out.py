"""Mentions and notes that were judged without being learned from, made for tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from stages.train.promises import HeldOut, Judged


def judged(
    confidence: ArrayLike, right: ArrayLike, clusters: ArrayLike | None = None, parts: ArrayLike | None = None
) -> Judged:
    """Return mentions; without numbers each is a cluster of its own, and all are of one part."""
    count = len(np.asarray(confidence))
    return Judged(
        np.asarray(confidence, dtype=np.float64),
        np.asarray(right, dtype=np.bool_),
        np.arange(count) if clusters is None else np.asarray(clusters, dtype=np.int64),
        np.zeros(count, dtype=np.int64) if parts is None else np.asarray(parts, dtype=np.int64),
    )


def held_out(
    notes: list[list[tuple[str, float, bool]]], missed: list[int] | None = None, suggestions: list[int] | None = None
) -> HeldOut:
    """Return notes with the label, confidence and truth of each mention; each note is a cluster, all are one part."""
    rows = [(note, *mention) for note, mentions in enumerate(notes) for mention in mentions]
    numbers, labels, confidence, right = zip(*rows, strict=True)
    nothing = np.zeros(len(notes), dtype=np.int64)
    return HeldOut(
        np.array(confidence, dtype=np.float64),
        np.array(right, dtype=np.bool_),
        np.array(labels),
        np.array(numbers, dtype=np.int64),
        nothing if missed is None else np.array(missed, dtype=np.int64),
        nothing if suggestions is None else np.array(suggestions, dtype=np.int64),
        np.arange(len(notes)),
        nothing,
    )

"""What the model may get wrong in one note, phrase by phrase."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from annotation.queue.doubts import Doubts, find_doubts
from stages.prepare.segmentation import segment
from stages.train.extractor import Extractor


class Profile(NamedTuple):
    """Expected errors of one note.

    Parameters
    ----------
    phrases : uint64 array of shape (phrases,)
        Distinct, ascending.
    errors : float64 array of shape (phrases,)
        Expected errors on each.
    tokens : int
    wrong, missed : float
        Expected number of mentions that are marked wrongly, and of those that are not found.
    """

    phrases: NDArray[np.uint64]
    errors: NDArray[np.float64]
    tokens: int
    wrong: float
    missed: float


def profile_of(extractor: Extractor, text: str) -> Profile:
    """Read a note as production does, and sum up what the model may get wrong in it."""
    sentences = segment(text)
    if not sentences:
        return Profile(np.empty(0, dtype=np.uint64), np.empty(0), 0, 0.0, 0.0)
    words = [[text[token.start : token.end] for token in sentence] for sentence in sentences]
    doubts = find_doubts(extractor.tagger, extractor.read(words))
    return summed(doubts, sum(map(len, words)))


def summed(doubts: Doubts, tokens: int) -> Profile:
    """Sum the doubts of one note by phrase."""
    phrases, place = np.unique(doubts.phrases, return_inverse=True)
    errors = np.bincount(place, weights=doubts.errors, minlength=len(phrases)).astype(np.float64)
    wrong, missed = (float(doubts.errors[part].sum()) for part in (doubts.taken, ~doubts.taken))
    return Profile(phrases, errors, tokens, wrong, missed)

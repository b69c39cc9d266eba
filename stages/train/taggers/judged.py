"""What a tagger says of spans beyond its mentions: how likely each is, and what spoke for and against it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

LEADERBOARD_COLUMNS = ["model", "mention_f1", "macro_f1", "accuracy"]
"""Of the table of classifiers that a family chose among; by tokens: micro F1 of all tags but O, macro F1, accuracy."""


@dataclass(frozen=True)
class JudgedSpans:
    """The spans that a tagger holds possible.

    Parameters
    ----------
    spans : int32 array of shape (spans, 4)
        Sentence, first token, token after the last (of the whole text), label; sorted.
    labels : tuple of str
        Names of the labels.
    confidence : float64 array of shape (spans,)
        Calibrated probability that the span is a mention.
    mentions : bool array of shape (spans,)
        Whether the tagger makes it one.
    unlikely : bool array of shape (spans,)
        Whether it falls short of the tagger's threshold, whatever stands beside it.
    evidence : float32 array of shape (spans, columns), optional
        What the tagger weighed; None for a family that has no evidence of spans.
    """

    spans: NDArray[np.int32]
    labels: tuple[str, ...]
    confidence: NDArray[np.float64]
    mentions: NDArray[np.bool_]
    unlikely: NDArray[np.bool_]
    evidence: NDArray[np.float32] | None = None


class LogOdds(NamedTuple):
    """Log odds of a span, shared out: `base`, before anything is known of it, and what each piece of evidence adds."""

    base: float
    shares: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class OutOfFoldMentions:
    """Mentions that were found in documents which no part of the tagger had learned from.

    Parameters
    ----------
    sentences : int32 array of shape (mentions,)
        Number of the training sentence.
    evidence : float32 array of shape (mentions, columns)
        As in `JudgedSpans`.
    confidence : float64 array of shape (mentions,)
        Calibrated.
    right : bool array of shape (mentions,)
        Whether the mention is exactly a gold one: what a reviewer would accept.
    labels : array of str of shape (mentions,)
    suggestions : int32 array of shape (suggestions,)
        Number of the training sentence of each span that would be suggested beside the mentions.
    """

    sentences: NDArray[np.int32]
    evidence: NDArray[np.float32]
    confidence: NDArray[np.float64]
    right: NDArray[np.bool_]
    labels: NDArray[np.str_]
    suggestions: NDArray[np.int32]


def no_leaderboard() -> pd.DataFrame:
    """Return the leaderboard of a family that compares nothing: no rows."""
    import pandas as pd

    return pd.DataFrame(columns=LEADERBOARD_COLUMNS)

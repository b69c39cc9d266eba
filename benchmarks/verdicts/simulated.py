"""Corpora that are drawn, and models of a known F1 on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

LABELS = ("Disease", "Treatment")
_MENTIONS = 4.3  # of a label in a document, as in the seed's test notes
_UNEVEN = 4.0  # of the negative binomial that draws them
_ALIKE = 9.0  # of the beta distribution of what is right in a document: correlation 1 / (1 + 9)
_SPREAD = 0.07  # standard deviation of a document's own F1


@dataclass(frozen=True)
class Corpus:
    """Documents with mentions that are hard or easy to find.

    Parameters
    ----------
    mentions : int64 array of shape (documents, labels)
    ease : float64 array of shape (documents,)
        What the F1 of any model is higher in a document.
    hardness : float64 array of shape (2, mentions)
        From 0 to 1, of each mention to be found, and of as many places where none is.
    """

    mentions: NDArray[np.int64]
    ease: NDArray[np.float64]
    hardness: NDArray[np.float64]

    @classmethod
    def drawn(cls, documents: int, generator: np.random.Generator) -> Self:
        """Draw a corpus."""
        chance = _UNEVEN / (_UNEVEN + _MENTIONS)
        mentions = generator.negative_binomial(_UNEVEN, chance, size=(documents, len(LABELS)))
        return cls(mentions, generator.normal(0, _SPREAD, documents), generator.random((2, int(mentions.sum()))))

    def counts(self, score: float, chance: float, generator: np.random.Generator) -> NDArray[np.int64]:
        """Return what a model of that F1 finds: tp, fp and fn of each document and label.

        Parameters
        ----------
        score : float
            Precision and recall.
        chance : float
            Share of the decisions that the model takes by luck of its own; the others go by hardness, so that two
            models of one score take them alike.
        generator : Generator
        """
        size = len(LABELS) * len(self.mentions)
        place = np.repeat(np.arange(size), self.mentions.ravel())
        level = np.clip(score + self.ease[place // len(LABELS)], 0, 1)
        decided = np.where(
            generator.random(self.hardness.shape) < chance, generator.random(self.hardness.shape), self.hardness
        )
        found, alarm = decided[0] < level, decided[1] < 1 - level
        tp, fp = (np.bincount(place[kind], minlength=size) for kind in (found, alarm))
        return np.stack([tp, fp, self.mentions.ravel() - tp], axis=-1).reshape(-1, len(LABELS), 3)


def counts_table(counts: NDArray[np.int64]) -> pd.DataFrame:
    """Return counts as `metrics/documents.csv` has them."""
    documents, labels, _ = counts.shape
    table = pd.DataFrame(counts.reshape(-1, 3), columns=["tp", "fp", "fn"])
    table.insert(0, "document", np.repeat([f"{number:05}" for number in range(documents)], labels))
    table.insert(1, "label", np.tile(LABELS, documents))
    return table


def accepted_of(documents: int, precision: float, generator: np.random.Generator) -> tuple[NDArray, NDArray]:
    """Return how many mentions of a label are accepted in each document, and how many of these are right.

    They are right and wrong together: the precision of a document is drawn from a beta distribution whose mean is
    `precision`, so that the correlation within documents is .1.
    """
    taken = generator.negative_binomial(_UNEVEN, _UNEVEN / (_UNEVEN + 0.65 * _MENTIONS), size=documents)
    own = generator.beta(precision * _ALIKE, (1 - precision) * _ALIKE, size=documents)
    return taken, generator.binomial(taken, own)

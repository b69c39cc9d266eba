"""How often so few documents are taken for a promise: what the floor under the number of documents is for."""

from __future__ import annotations

from collections.abc import Callable
from unittest.mock import patch

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.verdicts.rates import rate
from stages.train import promises
from stages.train.clustered import PARTS
from stages.train.params import AcceptanceParams
from stages.train.promises import FEWEST_CLUSTERS, Judged, choose_threshold

MENTIONS = 12
"""Of a document, so that ten are more than what is tested at all."""

DOCUMENTS = (10, 15, 20, 25, 30, 45, 60, 120)
_Right = Callable[[np.random.Generator, int], NDArray[np.bool_]]

POPULATIONS: dict[str, _Right] = {
    "one document in ten wrong throughout": lambda generator, size: np.repeat(generator.random(size) >= 0.1, MENTIONS),
    "one mention in a hundred wrong": lambda generator, size: generator.random(size * MENTIONS) >= 0.01,
}
"""The first breaks a promise of .95 from every confidence on, the second keeps it."""


def few_documents(params: AcceptanceParams, repetitions: int) -> pd.DataFrame:
    """Return how often a threshold is found, with the floor and without it.

    Parameters
    ----------
    params : AcceptanceParams
    repetitions : int
        Draws of each cell.
    """
    rows = [
        {
            "documents": size,
            "population": name,
            "a threshold is found": rate(_found(right, size, params, repetitions, FEWEST_CLUSTERS)),
            f"without the floor of {FEWEST_CLUSTERS}": rate(_found(right, size, params, repetitions, 2)),
        }
        for name, right in POPULATIONS.items()
        for size in DOCUMENTS
    ]
    return pd.DataFrame(rows)


def _found(right: _Right, size: int, params: AcceptanceParams, repetitions: int, floor: int) -> list[bool]:
    generator = np.random.default_rng(1)
    clusters = np.repeat(np.arange(size), MENTIONS)
    parts = clusters * PARTS // size
    with patch.object(promises, "FEWEST_CLUSTERS", floor):
        return [
            choose_threshold(
                Judged(np.sort(generator.random(len(clusters)))[::-1], right(generator, size), clusters, parts),
                params.precision, params.risk, params.start,
            ) is not None
            for _ in range(repetitions)
        ]  # fmt: skip

"""The bootstrap in plain Python: every document of every resample drawn by itself."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.common.scoring import Counts


def unpaired_interval(old: pd.DataFrame, new: pd.DataFrame, metric: str, resamples: int) -> NDArray[np.float64]:
    """Return the 95% interval of a difference between two sides whose documents are drawn apart."""
    generator = np.random.default_rng(3)
    sides = [frame.groupby("document")[["tp", "fp", "fn"]].sum().to_numpy() for frame in (old, new)]
    drawn = []
    for _ in range(resamples):
        before, after = (
            getattr(Counts(*side[generator.integers(len(side), size=len(side))].sum(0).tolist()), metric)
            for side in sides
        )
        drawn.append(after - before)
    return np.quantile(drawn, [0.025, 0.975])

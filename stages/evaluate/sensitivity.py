"""How the KPI moves with each assumption, so that nobody quotes a figure that an assumption made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from stages.evaluate.kpi import Costs, resampled, saved, summed
from stages.evaluate.minutes import StepTimes
from stages.evaluate.params import EvaluateParams

AS_SET = "as set"
_Tried = dict[str, tuple[str, tuple[float, ...], float]]
_MINUTES: _Tried = {
    "entry": ("{} min to enter a note", (1, 2, 4, 6, 8), 1.0),
    "validation": ("{} min to validate a note", (1, 2, 3, 4), 1.0),
    "review": ("{} s to decide on a mention", (4, 8, 15, 30), 60.0),
}
_RATES: _Tried = {
    "error_rate": ("{}% errors by hand", (2, 4, 6.6, 8, 10), 100.0),
    "automation_bias": ("{}% of wrong spans confirmed", (0, 3, 6.6, 11, 17, 25), 100.0),
}
_ASSUMPTIONS: dict[str, _Tried] = {"hours": _MINUTES, "errors": _RATES}
"""By figure, what it rests on: the words for it, the values tried, and what a value is divided by."""


def sensitivity(work: pd.DataFrame, times: StepTimes, params: EvaluateParams) -> pd.DataFrame:
    """Compute the shares saved under other assumptions, one changed at a time.

    Parameters
    ----------
    work : DataFrame
        From `stages.evaluate.kpi.work_left`.
    times : StepTimes
    params : EvaluateParams

    Returns
    -------
    DataFrame
        Columns ``assumption`` (in words, with the figure that it is about), ``saved``, ``saved_low``,
        ``saved_high``; first the assumptions as they are set, then in a fixed order. No rows without mentions.
    """
    totals, drawn = summed(work), resampled(work, params)
    rows = []
    for figure, assumption, costs in _variants(Costs.of(times, params.kpi)) if totals["mentions"] else ():
        middle, many = saved(totals, costs)[figure], saved(drawn, costs)[figure]
        if middle is not None and many is not None:
            rows.append((f"{figure}: {assumption}", middle, *np.quantile(many, [0.025, 0.975])))
    return pd.DataFrame(rows, columns=["assumption", "saved", "saved_low", "saved_high"])


def _variants(costs: Costs) -> Iterator[tuple[str, str, Costs]]:
    for figure, assumptions in _ASSUMPTIONS.items():
        yield figure, AS_SET, costs
        for name, (words, values, unit) in assumptions.items():
            yield from ((figure, words.format(value), replace(costs, **{name: value / unit})) for value in values)

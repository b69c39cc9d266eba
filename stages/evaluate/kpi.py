"""What the extractor saves: hours and errors of the work by hand, before and after, with their 95% intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.common.scoring import Span
from stages.evaluate.accepted import accepted_spans, needs_nobody
from stages.evaluate.matching import ComparedDocument
from stages.evaluate.minutes import StepTimes
from stages.evaluate.params import EvaluateParams, KpiParams
from stages.train.acceptance import Acceptance

HOURS, ERRORS = "hours_per_1000_notes", "errors_per_1000_mentions"
WORK = (
    "notes", "mentions", "predicted", "accepted", "whole",
    "read", "decisions", "wrong_shown", "typed", "open", "errors",
)  # fmt: skip
"""What is counted of a note. ``notes``: 1. ``mentions``: annotated ones. ``predicted``, ``accepted``, ``whole``.

Of a note that a person reads: ``read``: 1; ``decisions``: what is shown beside the accepted mentions; ``wrong_shown``
of these; ``typed``: what is annotated and neither accepted nor shown; ``open``: what is annotated and not accepted.
``errors``: what no person could mend.
"""

_Value = float | NDArray[np.float64]
_Figures = dict[str, _Value]
Totals = Mapping[str, _Value]
"""Of the columns of `work_left`: one value each, or one per resample."""


@dataclass(frozen=True)
class Costs:
    """What the work takes and how often it goes wrong; arrays where it was drawn, one value per resample.

    Parameters
    ----------
    entry, validation, review : float or array
        Minutes: to type the mentions of a note, to read a note against what was extracted, to decide on a mention.
    error_rate : float
        Of what a person types or decides on: how much is left out or spoilt.
    automation_bias : float
        Share of the wrong spans shown to a person that are confirmed all the same.
    """

    entry: _Value
    validation: _Value
    review: _Value
    error_rate: float
    automation_bias: float

    @classmethod
    def of(cls, times: StepTimes, params: KpiParams) -> Self:
        """Take the minutes as they were measured or assumed."""
        minutes = {name: step.minutes for name, step in vars(times).items()}
        return cls(**minutes, error_rate=params.error_rate, automation_bias=params.automation_bias)

    @classmethod
    def drawn(cls, times: StepTimes, params: EvaluateParams) -> Self:
        """Draw the notes whose minutes were measured, once per resample."""
        generator = np.random.default_rng([params.seed, 1])  # not the chance that draws the test documents
        minutes = {name: step.drawn(params.resamples, generator) for name, step in vars(times).items()}
        return cls(**minutes, error_rate=params.kpi.error_rate, automation_bias=params.kpi.automation_bias)


def kpi(work: pd.DataFrame, times: StepTimes, params: EvaluateParams) -> dict[str, Any]:
    """Compare the work by hand with the work that is left.

    By hand, every note is typed and validated. With the extractor, a note that is accepted whole is
    read by nobody: what is wrong or missing in it is an error. Every other note is validated by
    a person who decides on each mention that was not accepted and on each suggestion, and types what is
    in neither, which takes the time of entering a note, shared out over its mentions. What a person types or decides
    on has the same rate of errors as before; of the wrong spans that are shown a share is
    confirmed all the same (automation bias); wrong mentions among the accepted ones stay.

    Parameters
    ----------
    work : DataFrame
        From `work_left`.
    times : StepTimes
    params : EvaluateParams

    Returns
    -------
    dict
        ``before`` and ``after`` with hours per 1,000 notes and errors per 1,000 mentions, the
        shares saved, and what is accepted; each with its 95% interval when test documents (and notes with measured
        minutes) are drawn with replacement. None where there are no notes or no mentions. ``minutes`` says where the
        time of each step comes from.
    """
    totals, drawn = summed(work), resampled(work, params)
    costs, drawn_costs = Costs.of(times, params.kpi), Costs.drawn(times, params)
    rooms: dict[str, Any] = {"accepted": _with_interval(_accepted(totals), _accepted(drawn))}
    figures, spread = _compared(totals, costs), _compared(drawn, drawn_costs)
    for name, figure in figures.items():
        rooms[name] = _with_interval(figure, spread[name]) if totals["mentions"] else None
    return {**rooms, "minutes": times.as_dict()}


def differences(work: pd.DataFrame, times: StepTimes, params: EvaluateParams) -> dict[str, float | None]:
    """Return the hours per 1,000 notes and the errors per 1,000 mentions that are saved, with their 95% intervals.

    The ends are not those of before and after: measured minutes are in both.
    """
    figures = _difference(summed(work), Costs.of(times, params.kpi))
    return _with_interval(figures, _difference(resampled(work, params), Costs.drawn(times, params)))


def work_left(test: Sequence[ComparedDocument], acceptance: Acceptance) -> pd.DataFrame:
    """Count what is left to do in each document, and what may go wrong with it: the columns of `WORK`."""
    return work_table(
        work_of_note(
            set(document.gold),
            set(document.predicted),
            accepted_spans(document, acceptance),
            set(document.suggested),
            whole=needs_nobody(document, acceptance),
        )
        for document in test
    )


def work_table(notes: Iterable[tuple[int, ...]]) -> pd.DataFrame:
    """Return what `work_of_note` counted of each note as a table."""
    return pd.DataFrame(list(notes), columns=list(WORK), dtype=np.float64)


def work_of_note(
    gold: Set[Span], predicted: Set[Span], taken: Set[Span], suggested: Set[Span], *, whole: bool
) -> tuple[int, ...]:
    """Count what is left to do in a note, and what may go wrong with it.

    Parameters
    ----------
    gold : set of Span
        What is in the note.
    predicted, taken, suggested : set of Span
        Mentions of the model, those of them that were accepted, and suggestions.
    whole : bool
        Whether nobody needs to look at the note.

    Returns
    -------
    tuple of int
        In the order of `WORK`.
    """
    about = 1, len(gold), len(predicted), len(taken), int(whole)
    if whole:
        return *about, 0, 0, 0, 0, 0, len(taken ^ gold)
    shown = (predicted - taken) | suggested
    return *about, 1, len(shown), len(shown - gold), len(gold - taken - shown), len(gold - taken), len(taken - gold)


def summed(work: pd.DataFrame) -> Totals:
    """Return the totals of all documents."""
    return {str(name): float(total) for name, total in work.sum().items()}


def resampled(work: pd.DataFrame, params: EvaluateParams) -> Totals:
    """Return the totals of documents drawn with replacement, one value per resample."""
    size = len(work)
    generator = np.random.default_rng(params.seed)
    chances = np.full(size, 1 / max(1, size))
    often = generator.multinomial(size, chances, size=params.resamples) if size else np.zeros((params.resamples, 0))
    return dict(zip(work.columns, (often.astype(np.float64) @ work.to_numpy()).T, strict=True))


def before(costs: Costs) -> _Figures:
    """Return hours and errors of the work by hand."""
    return {HOURS: 1000 * (costs.entry + costs.validation) / 60, ERRORS: 1000 * costs.error_rate}


def after(totals: Totals, costs: Costs) -> _Figures:
    """Return hours and errors of the work that is left."""
    notes, mentions = (np.maximum(totals[name], 1) for name in ("notes", "mentions"))
    minutes = costs.validation * totals["read"] + costs.review * totals["decisions"]
    typing = costs.entry * totals["typed"] / mentions
    errors = totals["errors"] + costs.error_rate * totals["open"] + costs.automation_bias * totals["wrong_shown"]
    return {HOURS: 1000 * (minutes / notes + typing) / 60, ERRORS: 1000 * errors / mentions}


def saved(totals: Totals, costs: Costs) -> dict[str, _Value | None]:
    """Return the shares saved of the hours and of the errors; None where there were none."""
    old, new = before(costs), after(totals, costs)
    return {name.split("_")[0]: 1 - new[name] / value if np.all(value) else None for name, value in old.items()}


def _difference(totals: Totals, costs: Costs) -> _Figures:
    old, new = before(costs), after(totals, costs)
    return {name: value - new[name] for name, value in old.items()}


def _compared(totals: Totals, costs: Costs) -> dict[str, Mapping[str, _Value | None]]:
    return {"before": before(costs), "after": after(totals, costs), "saved": saved(totals, costs)}


def _accepted(totals: Totals) -> _Figures:
    parts = {"mentions": ("accepted", "predicted"), "notes": ("whole", "notes")}
    return {name: totals[part] / np.maximum(totals[whole], 1) for name, (part, whole) in parts.items()}


def _with_interval(value: Mapping[str, Any], drawn: Mapping[str, Any]) -> dict[str, float | None]:
    figures: dict[str, float | None] = {}
    for name, middle in value.items():
        ends = (None, None) if middle is None else np.quantile(drawn[name], [0.025, 0.975]).tolist()
        figures |= {name: middle if middle is None else float(middle), f"{name}_low": ends[0], f"{name}_high": ends[1]}
    return figures

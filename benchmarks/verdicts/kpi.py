"""What the KPI of the seed's test notes counts, and how often its intervals hold the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.verdicts.rates import rate
from stages.common.annotated import read_annotated
from stages.common.files import read_table
from stages.evaluate.kpi import ERRORS, HOURS, Costs, after, kpi, summed, work_left
from stages.evaluate.matching import match_documents
from stages.evaluate.minutes import StepTimes, step_times
from stages.evaluate.params import EvaluateParams, load_params
from stages.evaluate.sensitivity import sensitivity
from stages.train.acceptance import Acceptance

_PREPARED, _PREDICTED = Path("data/prepared"), Path("predictions")
_FIGURES = {HOURS: "hours per 1,000 notes", ERRORS: "errors per 1,000 mentions"}


def tables(repetitions: int) -> dict[str, pd.DataFrame]:
    """Measure on what `make repro` left."""
    params = load_params()
    work, times = seed_work(), step_times(params.kpi)
    return {
        "counted": counted(work, times, params),
        "assumptions": assumptions(work, times, params),
        "coverage": coverage(work, times, params, repetitions),
    }


def seed_work() -> pd.DataFrame:
    """Return what is left to do in the test notes."""
    documents, mentions = (read_table(_PREPARED / f"{name}.parquet") for name in ("documents", "mentions"))
    predicted = [read_table(_PREDICTED / f"{name}.parquet") for name in ("predictions", "suggestions")]
    test = documents[documents["split"] == "test"]
    compared = match_documents(test, mentions, *predicted, annotated=read_annotated(_PREPARED))
    return work_left(compared, Acceptance.load(Path("models/acceptance.json")))


def counted(work: pd.DataFrame, times: StepTimes, params: EvaluateParams) -> pd.DataFrame:
    """Say what each part of the work that is left adds, and the whole with its interval."""
    totals, costs = summed(work), Costs.of(times, params.kpi)
    found = kpi(work, times, params)
    rows = []
    for figure, words in _FIGURES.items():
        without = {
            "typing what was missed": after({**totals, "typed": 0.0}, costs),
            "wrong confirmations": after(totals, replace(costs, automation_bias=0.0)),
        }
        whole = found["after"][figure]
        parts = {name: f"{whole - part[figure]:.1f}" for name, part in without.items()}
        between = f"{found['after'][f'{figure}_low']:.1f} to {found['after'][f'{figure}_high']:.1f}"
        saved = found["saved"]
        name = figure.split("_")[0]
        share = f"{saved[name]:.0%} ({saved[f'{name}_low']:.0%} to {saved[f'{name}_high']:.0%})"
        by_hand = f"{found['before'][figure]:.0f}"
        rows.append({"": words, "by hand": by_hand, "left": f"{whole:.1f}", "95% interval": between, "saved": share}
                    | {f"of these, {part}": value for part, value in parts.items()})  # fmt: skip
    return pd.DataFrame(rows)


def assumptions(work: pd.DataFrame, times: StepTimes, params: EvaluateParams) -> pd.DataFrame:
    """Return `plots/kpi_sensitivity.csv` in percent."""
    table = sensitivity(work, times, params)
    between = [f"{low:.0%} to {high:.0%}" for low, high in zip(table["saved_low"], table["saved_high"], strict=True)]
    shares = [f"{share:.0%}" for share in table["saved"]]
    return pd.DataFrame({"assumption": table["assumption"], "saved": shares, "95% interval": between})


def coverage(work: pd.DataFrame, times: StepTimes, params: EvaluateParams, repetitions: int) -> pd.DataFrame:
    """Take the test notes for all notes, draw some, and see whether the interval holds what is true of all."""
    truth = after(summed(work), Costs.of(times, params.kpi))
    rows = []
    for notes in (30, 119, 400):
        held = [_held(work, truth, times, params, notes, seed) for seed in range(repetitions)]
        shares = {words: rate([one[figure] for one in held]) for figure, words in _FIGURES.items()}
        rows.append({"notes drawn": notes} | {f"{words} within the interval": share for words, share in shares.items()})
    return pd.DataFrame(rows)


def _held(
    work: pd.DataFrame, truth: Mapping[str, object], times: StepTimes, params: EvaluateParams, notes: int, seed: int
) -> dict[str, bool]:
    drawn = work.iloc[np.random.default_rng([seed, notes]).integers(len(work), size=notes)].reset_index(drop=True)
    found = kpi(drawn, times, params.model_copy(update={"seed": seed}))["after"]
    return {figure: bool(found[f"{figure}_low"] <= truth[figure] <= found[f"{figure}_high"]) for figure in truth}

"""What the extractor saves: every minute and every kind of error is counted, every figure has its interval."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from benchmarks.verdicts import kpi as benchmark
from stages.common.files import write_json
from stages.common.scoring import Span
from stages.evaluate.kpi import ERRORS, HOURS, Costs, after, kpi, summed, work_left
from stages.evaluate.matching import ComparedDocument
from stages.evaluate.minutes import StepTime, StepTimes, step_times
from stages.evaluate.params import EvaluateParams, KpiParams
from stages.evaluate.sensitivity import sensitivity
from stages.evaluate.summary import show_all
from stages.train.acceptance import NOTHING_ACCEPTED, Acceptance
from tests.repository import ROOT

KPI = KpiParams(
    entry_minutes=4.0,
    measured_notes=3,
    validation_minutes=2.0,
    review_seconds=60.0,
    error_rate=0.1,
    automation_bias=0.2,
)
PARAMS = EvaluateParams(resamples=400, seed=1, kpi=KPI)
ASSUMED = step_times(KPI)
PROMISE = Acceptance(
    promised=0.9, risk=0.05, thresholds={"Disease": 0.7, "Treatment": 0.7}, whole_promised=0.8, whole=0.0
)
TEXT = "No acute kidney injury <b>; give aspirin & insulin. Known asthma."
AKI, ASPIRIN, INSULIN, ASTHMA = (3, 22, "Disease"), (33, 40, "Treatment"), (43, 50, "Treatment"), (58, 64, "Disease")


def document(
    gold: tuple[Span, ...], predicted: dict[Span, float], suggested: tuple[Span, ...] = ()
) -> ComparedDocument:
    return ComparedDocument("b/1", TEXT, None, tuple(sorted(gold)), predicted, suggested)


READ = document((AKI,), {AKI: 0.95, ASPIRIN: 0.8, INSULIN: 0.1})
"""One right and one wrong mention are accepted; a person decides on a third, which is wrong."""
UNREAD = document((ASTHMA, AKI), {ASTHMA: 0.7})
"""Accepted whole; what it misses, nobody sees."""
EMPTY = document((), {})
NOTES = [READ, UNREAD, EMPTY, EMPTY]


def found(test: list[ComparedDocument], acceptance: Acceptance = PROMISE, times: StepTimes = ASSUMED) -> dict[str, Any]:
    return kpi(work_left(test, acceptance), times, PARAMS)


def test_minutes_and_every_kind_of_error_are_counted() -> None:
    result = found(NOTES)
    # Three notes are validated, one with a mention to decide on; the note accepted whole costs nothing.
    assert result["after"][HOURS] == pytest.approx(1000 * (3 * 2 + 1) / 4 / 60)
    # One accepted mention is wrong, the note that nobody reads misses one; of the wrong one shown a fifth is confirmed.
    assert result["after"][ERRORS] == pytest.approx(1000 * (2 + 0.2) / 3)
    assert (result["before"][HOURS], result["before"][ERRORS]) == (100.0, 100.0)
    assert result["saved"]["hours"] == pytest.approx(1 - 7 / 24)
    assert (result["accepted"]["mentions"], result["accepted"]["notes"]) == (0.75, 0.25)


def test_what_was_missed_is_typed_for_the_time_of_a_mention() -> None:
    """Three mentions in two notes of four minutes: 160 seconds each."""
    missed = [document((AKI, ASTHMA), {}), document((ASPIRIN,), {ASPIRIN: 0.3})]
    hours = found(missed)["after"][HOURS]
    assert hours == pytest.approx(1000 * (2 * 2 + 1 + 2 * 160 / 60) / 2 / 60)


def test_a_suggestion_that_is_right_is_not_typed() -> None:
    typed, shown = (found([document((AKI,), {}, suggested)])["after"][HOURS] for suggested in ((), (AKI,)))
    assert typed == pytest.approx(1000 * (2 + 4) / 60)
    assert shown == pytest.approx(1000 * (2 + 1) / 60)


@pytest.mark.parametrize(
    ("predicted", "suggested"),
    [({AKI: 0.1}, ()), ({}, (AKI,)), ({AKI: 0.1}, (AKI,))],
    ids=["mention", "suggestion", "both"],
)
def test_a_wrong_span_that_is_shown_is_confirmed_by_mistake(
    predicted: dict[Span, float], suggested: tuple[Span, ...]
) -> None:
    wrong = document((ASPIRIN,), {ASPIRIN: 0.9, **predicted}, suggested)
    assert found([wrong])["after"][ERRORS] == pytest.approx(1000 * 0.2)


def test_without_a_threshold_everything_is_validated() -> None:
    result = found([document((AKI, ASPIRIN), {AKI: 1.0})], NOTHING_ACCEPTED)["after"]
    assert result[HOURS] == pytest.approx(1000 * (2 + 1 + 4 / 2) / 60)
    assert result[ERRORS] == pytest.approx(1000 * 2 * 0.1 / 2)


@pytest.mark.parametrize("notes", [[], [EMPTY]], ids=["no note", "no mention"])
def test_the_kpi_of_nothing_is_unknown(notes: list[ComparedDocument]) -> None:
    result = found(notes)
    assert (result["before"], result["after"], result["saved"]) == (None, None, None)
    assert result["accepted"]["mentions"] == 0
    assert sensitivity(work_left(notes, PROMISE), ASSUMED, PARAMS).empty


def test_every_figure_has_an_interval_around_it() -> None:
    result = found(NOTES * 10)
    for room in ("accepted", "before", "after", "saved"):
        names = [name for name in result[room] if not name.endswith(("_low", "_high"))]
        assert names
        for name in names:
            low, middle, high = (result[room][f"{name}{end}"] for end in ("_low", "", "_high"))
            assert low <= middle <= high
            assert (low < high) == (room != "before")  # the work by hand is all assumed here


def test_intervals_hold_the_truth_in_19_of_20() -> None:
    """Notes drawn from a population whose hours and errors are known; a bootstrap of mentions would miss it."""
    population = work_left(
        [READ, UNREAD, EMPTY, document((AKI, ASTHMA), {AKI: 0.2, ASPIRIN: 0.1}, (INSULIN,))], PROMISE
    )
    costs = Costs.of(ASSUMED, KPI)
    truth = after(summed(population), costs)
    generator = np.random.default_rng(1)
    held = []
    for seed in range(200):
        sample = population.iloc[generator.integers(len(population), size=80)].reset_index(drop=True)
        result = kpi(sample, ASSUMED, replace_params(resamples=200, seed=seed))["after"]
        held.append([result[f"{name}_low"] <= truth[name] <= result[f"{name}_high"] for name in (HOURS, ERRORS)])
    assert (np.mean(held, axis=0) >= 0.91).all()
    assert (np.mean(held, axis=0) <= 0.985).all()


def replace_params(**changes: Any) -> EvaluateParams:
    return PARAMS.model_copy(update=changes)


def test_measured_minutes_take_the_place_of_the_assumed_ones_step_by_step() -> None:
    times = step_times(KPI, entry=[60.0, float("nan"), 90.0, 86_400.0], review=[30.0, 30.0])
    result = found(NOTES, times=times)
    assert result["minutes"] == {
        "entry": {"value": 1.5, "source": "measured", "notes": 3},
        "validation": {"value": 2.0, "source": "assumed", "notes": 0},
        "review": {"value": 1.0, "source": "assumed", "notes": 2},
    }
    assert result["before"][HOURS] == pytest.approx(1000 * (1.5 + 2) / 60)
    assert result["before"][f"{HOURS}_low"] < result["before"][HOURS] < result["before"][f"{HOURS}_high"]


@pytest.mark.parametrize(("step", "minutes"), [("validation", 1.25), ("review", 0.5)])
def test_each_step_can_be_measured(step: str, minutes: float) -> None:
    times = step_times(KPI, **{step: [60 * minutes] * 3})  # type: ignore[arg-type]
    assert getattr(times, step) == StepTime(minutes, "measured", (minutes,) * 3)
    assert found(NOTES, times=times)["after"][HOURS] != found(NOTES)["after"][HOURS]


@pytest.mark.parametrize("seconds", [[], [float("nan")] * 9, [60.0, 90.0]])
def test_too_few_measured_minutes_leave_the_assumption_in_place(seconds: list[float]) -> None:
    entry = step_times(KPI, entry=seconds).entry
    assert (entry.minutes, entry.source) == (4.0, "assumed")
    assert entry.as_dict()["notes"] == len([second for second in seconds if second > 0])


# How the result moves


def table() -> pd.DataFrame:
    return sensitivity(work_left(NOTES * 10, PROMISE), ASSUMED, PARAMS).set_index("assumption")


def test_the_assumptions_as_set_give_the_kpi_itself() -> None:
    result, rows = found(NOTES * 10)["saved"], table()
    for figure in ("hours", "errors"):
        expected = [result[figure], result[f"{figure}_low"], result[f"{figure}_high"]]
        assert rows.loc[f"{figure}: as set"].tolist() == pytest.approx(expected)
    assert rows.loc["hours: 4 min to enter a note"].tolist() == rows.loc["hours: as set"].tolist()


def test_the_table_covers_every_assumption_and_stands_in_one_order() -> None:
    rows = table()
    assert rows.index.is_unique
    words = {name.split(": ")[1].lstrip("0123456789.% ") for name in rows.index}
    assert len(words) == 1 + len(Costs.__dataclass_fields__)
    assert rows.index.tolist() == table().index.tolist()
    hours = rows[rows.index.str.contains("to enter")]["saved"]
    assert [name.split()[1] for name in hours.index] == ["1", "2", "4", "6", "8"]
    assert hours.is_monotonic_increasing
    by_hand = rows[rows.index.str.contains("by hand")]["saved"]
    assert (by_hand.index[0], by_hand.index[-1]) == ("errors: 2% errors by hand", "errors: 10% errors by hand")
    assert rows[rows.index.str.contains("confirmed")]["saved"].is_monotonic_decreasing


def test_each_assumption_changes_what_it_is_about() -> None:
    totals, costs = summed(work_left([READ, document((AKI,), {}, (ASPIRIN,))], PROMISE)), Costs.of(ASSUMED, KPI)
    for name in Costs.__dataclass_fields__:
        other = replace(costs, **{name: 0.5})
        assert after(totals, other) != after(totals, costs)


def test_the_terminal_says_intervals_and_what_was_assumed(tmp_path: Path) -> None:
    for name in ("validation", "decision", "evaluation", "kpi"):
        (tmp_path / f"{name}.json").write_bytes((ROOT / f"metrics/{name}.json").read_bytes())
    times = step_times(KPI, entry=[66.0] * 3)
    write_json(tmp_path / "kpi.json", found(NOTES * 10, times=times))
    console = Console(width=200, record=True, quiet=False)
    show_all(tmp_path, console)
    said = [line for line in console.export_text().splitlines() if line.startswith("kpi: ")]
    assert said[0].startswith("kpi: 52 -> 29 (")
    assert said[0].count("(") == 2
    assert said[1] == (
        "kpi: 1.1 min to enter a note (measured on 3 notes), 2.0 min to validate one (assumed), "
        "1.0 min to decide on a mention (assumed): see plots/kpi_sensitivity.csv"
    )


def test_the_tables_of_the_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "seed_work", lambda: work_left(NOTES * 10, PROMISE))
    monkeypatch.setattr(benchmark, "load_params", lambda: PARAMS)
    tables = benchmark.tables(2)
    assert tables["counted"]["95% interval"].str.contains(" to ").all()
    assert len(tables["assumptions"]) == len(table())
    assert len(tables["coverage"]) == 3

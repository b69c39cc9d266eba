"""Windows that add up, slices by themselves, other references, and how rarely all of it errs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmarks.verdicts import drift as rates
from benchmarks.verdicts.populations import HOSPITAL, SHIFTED, shifted, true_deviation
from stages.common.errors import BeHealthyError
from stages.common.files import write_table
from stages.common.labels import model_columns
from stages.monitor import __main__ as stage
from stages.monitor import runs, slices
from stages.monitor.decision import Decision, Harm, decide
from stages.monitor.deviation import Counts
from stages.monitor.drift import compare_window
from stages.monitor.invocation import last_windows, parse
from stages.monitor.noise import noise_of
from stages.monitor.params import MonitorParams
from stages.monitor.reading import readable
from stages.monitor.runs import LongestRuns, add_up, level_of_a_look, longest_runs, said_and_done, what_is_certain
from stages.monitor.sides import Sides
from stages.monitor.slices import judge, slices_of, with_slices
from stages.monitor.window import Window, read_window, split_windows
from tests.repository import ROOT
from tests.unit.test_monitor import MODEL_COLUMNS, PARAMS, PROFILE, served

WATCHED = rates.watched_params()
ROWS = PARAMS.model_copy(update={"slices": []})


def weeks(number: int, notes: int, *, shift: float = 0.0, first: int = 1) -> list[pd.DataFrame]:
    return [served(notes, first + week, shift=shift) for week in range(number)]


# -- windows that add up


def test_the_level_of_a_look_is_its_part_of_the_year() -> None:
    looks = PARAMS.windows_per_year * len(PARAMS.runs) * len(PARAMS.columns)
    assert level_of_a_look(PARAMS) * looks == pytest.approx(PARAMS.yearly_significance)


def runs_of(*windows: list[int], length: int = 4) -> LongestRuns:
    """Return the runs that count of windows of 1,000 notes, against a profile of two equal shares."""
    profile = np.array([0, 5000, 5000])
    params = PARAMS.model_copy(update={"runs": [one for one in (1, 2, 4, 8) if one <= length]})
    column = Counts("category", np.array(windows), profile)
    return longest_runs(column, noise_of(Counts("category", column.window[0], profile), 1), params)


def test_the_longest_run_that_passes_is_the_one_that_counts() -> None:
    mild, wild = [0, 560, 440], [0, 620, 380]
    found = runs_of(mild, wild, mild, wild, wild)
    assert found.windows.tolist() == [0, 2, 2, 4, 4]
    assert found.deviation[1:].tolist() == [9.0, 9.0, 9.0, 10.5]
    assert np.isnan(found.deviation[0])


def test_windows_from_before_a_drift_do_not_hide_its_size() -> None:
    """Of runs that pass, a longer one counts unless it deviates by less, and certainly so."""
    calm, wild = [0, 500, 500], [0, 700, 300]
    found = runs_of(calm, calm, calm, wild, wild, wild, wild, wild, wild, length=8)
    assert found.windows.tolist() == [0, 0, 0, 1, 2, 2, 4, 4, 4]  # of the last eight, two are calm
    assert found.deviation[3:].tolist() == [20.0] * 6
    assert runs_of(*[wild] * 8, length=8).windows[-1] == 8


def test_a_drift_too_small_for_a_week_is_found_in_ten() -> None:
    reference, late = served(20_000, 0), weeks(10, 1000, shift=0.04)
    assert add_up(reference, late[:1], ROWS).decision == "too_few_notes"
    decision = add_up(reference, late, ROWS)
    assert (decision.decision, decision.column) == ("watch", "speciality")
    assert decision.low is not None
    assert decision.low < 4 < (decision.high or 0)
    assert "windows" in decision.reasons[0]


def test_a_note_that_is_logged_again_is_no_new_evidence() -> None:
    reference, window = served(2000, 0), served(300, 1, shift=0.1)
    alone, again = add_up(reference, [window], ROWS), add_up(reference, [pd.concat([window] * 9), window, window], ROWS)
    assert again.notes == alone.notes == 300
    assert again.decision == alone.decision == "too_few_notes"
    assert add_up(reference, [served(2700, 1, shift=0.1)], ROWS).decision != "too_few_notes"
    changed = window.assign(tokens=window["tokens"] + 1)  # another model, or another note of that name
    assert add_up(reference, [window, changed], ROWS).notes == 600


@pytest.mark.parametrize("number", [1, 3])
def test_copies_count_once_on_both_sides(number: int) -> None:
    """Of a reference as well: with copies its noise would look smaller than it is, and its shares others."""
    reference, windows = served(300, 0), weeks(number, 200, shift=0.1)
    copied = pd.concat([reference, reference[reference["sex"] == "female"], reference[:99]])
    again = [pd.concat([window, window[:70]]) for window in windows]
    assert compare_window(copied, again[-1], ROWS) == compare_window(reference, windows[-1], ROWS)
    assert add_up(copied, again, ROWS) == add_up(reference, windows, ROWS)
    sides = Sides.of(copied, again, ROWS.columns)
    assert (len(sides.reference), len(sides.last), [len(one) for one in sides.windows]) == (300, 200, [200] * number)


@pytest.mark.parametrize("notes", [1, 2, 5])
def test_no_deviation_is_said_to_be_below_more_than_all(notes: int) -> None:
    (reason,) = add_up(served(2000, 0), [served(notes, 1)], ROWS).reasons
    assert float(reason.rpartition("below ")[2].partition("%")[0]) <= 100


def test_what_was_before_a_reset_is_forgotten() -> None:
    """A retraining begins anew: the caller gives the windows since, and those before have no part in the runs."""
    reference, before, since = served(5000, 0), weeks(8, 1000, shift=0.2), weeks(4, 1000, first=50)
    assert add_up(reference, before + since, ROWS).decision not in ("none", "too_few_notes")
    assert add_up(reference, since, ROWS).decision in ("none", "too_few_notes")


def test_going_back_to_development_needs_a_shift_that_is_certainly_so_large() -> None:
    reference = served(2000, 0)
    large = add_up(reference, weeks(4, 500, shift=0.2), ROWS)
    assert large.decision == "redevelop"
    assert large.low is not None
    assert large.low >= 10
    edge = judge(reference, weeks(1, 900, shift=0.1, first=3), ROWS)
    assert edge.decision.deviation is not None
    assert edge.decision.deviation >= 10 > (edge.decision.low or 0)
    assert edge.decision.decision == "retrain_and_alert"
    assert judge(reference, weeks(1, 900, shift=0.1, first=3), ROWS, Harm("falls")).decision.decision == "redevelop"


@pytest.mark.parametrize(
    ("low", "high", "done"),
    [
        (2.5, 4.5, "watch"), (1.0, 3.0, "watch"), (4.0, 6.0, "size_uncertain"), (1.0, 6.0, "size_uncertain"),
        (5.0, 7.9, "retrain"), (6.0, 9.0, "retrain_and_alert"), (5.0, 14.0, "retrain_and_alert"),
        (8.0, 9.9, "retrain_and_alert"), (9.0, 14.0, "retrain_and_alert"), (10.0, 14.0, "redevelop"),
    ],
)  # fmt: skip
def test_what_is_certain_of_an_interval_is_done(low: float, high: float, done: str) -> None:
    assert what_is_certain(low, high, PARAMS.bands) == done


@pytest.mark.parametrize(
    ("shift", "notes", "done"),
    [(0.07, 20_000, "retrain"), (0.085, 4000, "retrain_and_alert"), (0.2, 20_000, "redevelop")],
)
def test_runs_go_by_both_ends_of_the_interval(shift: float, notes: int, done: str) -> None:
    decision = add_up(served(40_000, 0), weeks(1, notes, shift=shift), ROWS)
    assert decision.decision == done
    assert decision.low is not None and decision.high is not None
    assert what_is_certain(decision.low, decision.high, ROWS.bands) == done
    if done == "retrain_and_alert":
        assert decision.low < ROWS.bands.alert < decision.high


def test_windows_of_which_nothing_is_known_are_unknown() -> None:
    reference = served(2000, 0)
    blind = weeks(1, 500)[0].drop(columns="tokens")
    assert add_up(reference, [], ROWS).decision == "unknown"
    assert add_up(reference, [*weeks(2, 500), weeks(1, 500)[0][:0]], ROWS).decision == "unknown"
    assert add_up(reference, [*weeks(2, 500), blind], ROWS).decision == "unknown"
    assert add_up(reference, [blind, *weeks(2, 500)], ROWS).decision == "too_few_notes"
    small = weeks(1, 20)[0].assign(sex=None)  # so few notes may all be without
    assert add_up(reference, [small], ROWS).decision == "too_few_notes"
    assert "sex has no value" in add_up(reference, [small], ROWS).reasons[0]
    assert add_up(reference.assign(sex=None), [small], ROWS).decision == "unknown"


@pytest.mark.parametrize(
    ("window", "runs", "done"),
    [
        ("none", "none", "none"), ("too_few_notes", "none", "too_few_notes"), ("redevelop", "none", "watch"),
        ("size_uncertain", "too_few_notes", "too_few_notes"), ("none", "retrain", "retrain"),
        ("unknown", "none", "unknown"), ("redevelop", "retrain", "retrain"), ("none", "unknown", "unknown"),
    ],
)  # fmt: skip
def test_what_windows_add_up_to_is_done_and_what_one_says_is_said(window: str, runs: str, done: str) -> None:
    alone, together = (Decision(name, None, None, (f"because {name}",), 300) for name in (window, runs))
    decision = said_and_done(alone, together)
    assert decision.decision == done
    assert decision.alert == (done == "unknown")
    harmed = said_and_done(alone, together, Harm("falls")).decision
    assert harmed == ("redevelop" if {window, runs} & {"redevelop", "size_uncertain", "retrain"} else done)


@pytest.mark.parametrize("said", ["none", "too_few_notes"])
def test_what_an_audit_finds_counts_where_no_shift_is_seen(said: str) -> None:
    quiet = Decision(said, None, None, ("calm",), 300)
    assert said_and_done(quiet, quiet, Harm("falls", audited=True)).decision == "retrain_and_alert"
    assert said_and_done(quiet, quiet, Harm("falls")).decision == said


def test_harm_counts_in_a_slice_as_well() -> None:
    params = PARAMS.model_copy(update={"slices": ["sex"]})
    judged = judge(served(800, 0), [served(400, 1)], params, Harm("falls", audited=True))
    assert {one.decision for one in judged.slices.values()} == {"retrain_and_alert"}


@pytest.mark.parametrize(("notes", "said"), [(49, "too_few_notes"), (50, "unknown")])
def test_a_column_without_values_is_a_fault_from_so_many_notes_on(notes: int, said: str) -> None:
    assert add_up(served(800, 0), [served(notes, 1).assign(sex=None)], ROWS).decision == said


def test_an_earlier_window_whose_column_cannot_be_read_has_no_part_in_it() -> None:
    reference, windows = served(800, 0), weeks(2, 200)
    broken = served(200, 9).assign(tokens="many")
    column = ROWS.model_copy(update={"columns": ["tokens"]})
    said, calm = add_up(reference, [broken, *windows], column), add_up(reference, windows, column)
    assert (said.decision, said.reasons[0].rpartition("; ")[2]) == (calm.decision, calm.reasons[0].rpartition("; ")[2])


@pytest.mark.parametrize(
    ("length", "deviation", "bound", "said"),
    [
        (0, np.nan, 4.999, "none"), (0, np.nan, 5.0, "too_few_notes"),
        (1, 1.999, 2.5, "none"), (1, 2.0, 2.5, "watch"), (1, 5.0, 5.1, "retrain"), (1, 10.0, 10.1, "redevelop"),
    ],
)  # fmt: skip
def test_windows_that_add_up_to_a_bound_are_on_its_upper_side(
    length: int, deviation: float, bound: float, said: str
) -> None:
    found = LongestRuns(np.array([length]), np.array([deviation]), np.array([0.0]), np.array([bound]))
    assert runs._decided([("tokens", found)], 300, [served(300, 1)], PARAMS.bands).decision == said


def test_what_never_varies_never_passes() -> None:
    constant = Counts("category", np.array([[0, 300]]), np.array([0, 800]))
    noise = noise_of(Counts("category", constant.window[0], constant.profile), 1)
    assert longest_runs(constant, noise, PARAMS).windows.tolist() == [0]


def test_no_note_in_the_last_window_is_unknown_to_both_judgements() -> None:
    sides = Sides.of(served(800, 0), [*weeks(2, 200), served(200, 5)[:0]], ROWS.columns)
    assert runs.add_up_sides(sides, ROWS, 1.0).decision == "unknown"
    assert judge(served(800, 0), [served(200, 1)[:0]], PARAMS).decision.decision == "unknown"


def test_what_changed_is_said_beside_a_column_that_cannot_be_compared() -> None:
    drift = compare_window(served(5000, 0), served(3000, 1, shift=0.07).drop(columns="tokens"), ROWS)
    decision = decide(drift, ROWS)
    assert decision.decision == "unknown"
    assert decision.reasons[0] == "tokens is missing in the window"
    assert decision.reasons[1].startswith("speciality deviates by ")


def test_where_a_window_has_no_such_column_it_has_no_such_slice() -> None:
    sides = Sides.of(served(800, 0), [served(200, 1).drop(columns="sex"), served(200, 2)], ROWS.columns)
    part = sides.where("sex", "female")
    assert part.windows[0].empty
    assert 0 < len(part.windows[1]) == len(part.last) < 200
    assert set(part.reference["sex"]) == {"female"}


@pytest.mark.parametrize(
    ("reference", "window", "share", "found"),
    [(50, 50, 0.5, True), (49, 50, 0.5, False), (50, 49, 0.5, False), (90, 90, 0.9, False), (90, 89, 0.89, True)],
)
def test_slices_are_as_large_as_what_is_judged_and_smaller_than_the_whole(
    reference: int, window: int, share: float, found: bool
) -> None:
    sides = [served(rows, rows).assign(sex="female") for rows in (200, round(window / share))]
    for frame, number in zip(sides, (reference, window), strict=True):
        frame.loc[number:, "sex"] = "male"
    slices = slices_of(sides[0], sides[1], PARAMS.model_copy(update={"slices": ["sex"]}))
    assert (("sex", "female") in slices) == found


def test_of_a_slice_and_a_whole_that_ask_for_the_same_the_whole_is_said() -> None:
    whole, part = (Decision("retrain", name, 6.0, (f"{name} deviates",), 300) for name in ("tokens", "age_band"))
    said = with_slices(whole, {"sex=female": part})
    assert (said.column, said.reasons) == ("tokens", ("tokens deviates", "sex=female: age_band deviates"))


# -- how rarely it errs (small versions of `python -m benchmarks.verdicts drift`)


@pytest.mark.parametrize("name", HOSPITAL)
@pytest.mark.parametrize("distance", rates.SHIFTS)
def test_a_planted_shift_has_its_size(name: str, distance: float) -> None:
    one = HOSPITAL[name]
    assert shifted(one, distance).shares.sum() == pytest.approx(1)
    assert shifted(one, distance).shares.min() >= 0
    assert true_deviation(one, shifted(one, distance)) == pytest.approx(100 * distance, abs=1e-3)


def years(notes: int, profile: int, number: int, **shift: float) -> list[float]:
    generator = np.random.default_rng(number)
    noises = rates._noises(notes, profile, WATCHED)
    return [
        float(rates.largest_passing(rates._year(notes, profile, shift, 52, WATCHED, noises, generator)).max())
        for _ in range(number)
    ]


@pytest.mark.simulation
def test_a_year_in_which_nothing_changes_has_no_alarm() -> None:
    """Of 100 years 6 may have one at a promised 1% (1 in 10,000); without the profile's own error far more have."""
    worst = years(300, 2000, 100)
    assert sum(value > 0 for value in worst) <= stats.binom.ppf(1 - 1e-4, 100, WATCHED.yearly_significance)


@pytest.mark.simulation
def test_ten_weeks_of_four_percent_are_found() -> None:
    generator, noises = np.random.default_rng(4), rates._noises(1000, 20_000, WATCHED)
    last = [
        rates.largest_passing(rates._year(1000, 20_000, {name: 0.04}, 10, WATCHED, noises, generator))[-1]
        for name in SHIFTED
        for _ in range(12)
    ]
    assert np.mean(np.array(last) >= 2) >= 0.7


@pytest.mark.simulation
@pytest.mark.parametrize(("notes", "profile"), [(100, 448), (1000, 448), (1000, 5000)])
def test_fifteen_percent_are_never_passed_over_in_silence(notes: int, profile: int) -> None:
    generator, noises = np.random.default_rng(notes), rates._noises(notes, profile, WATCHED)
    said = {
        rates._one_window(notes, profile, {name: 0.15}, WATCHED, noises, generator).decision
        for name in SHIFTED
        for _ in range(12)
    }
    assert not said & {"none", "watch"}


@pytest.mark.simulation
def test_columns_that_depend_on_each_other_raise_no_more_alarms() -> None:
    row = rates.correlated_rates(0.9, WATCHED, 20, notes=200, profile=2000)
    assert float(str(row["one window"]).split()[0]) <= 0.1
    assert float(str(row["a year"]).split()[0]) <= 0.1


# -- slices


def test_a_ward_that_changed_is_seen_where_the_whole_did_not() -> None:
    reference, window = served(4000, 0), served(2000, 1)
    small = window["speciality"] == "surgery"
    window.loc[small, "tokens"] += 6
    together = judge(reference, [window], PARAMS.model_copy(update={"slices": []}))
    parts = judge(reference, [window], PARAMS.model_copy(update={"slices": ["speciality"]}))
    assert together.decision.decision in ("too_few_notes", "size_uncertain")
    assert parts.slices["speciality=surgery"].decision == "redevelop"
    assert parts.decision.decision == "redevelop"
    assert parts.decision.reasons[0].startswith("speciality=surgery: tokens deviates")
    assert set(parts.as_json()["slices"]) == {"speciality=cardiology", "speciality=oncology", "speciality=surgery"}
    json.dumps(parts.as_json(), allow_nan=False)


def test_slices_that_are_small_or_calm_change_nothing() -> None:
    reference, window = served(800, 0), served(120, 1)
    assert slices_of(reference, window, PARAMS.model_copy(update={"slices": ["age_band"]})) == []
    calm = Decision("too_few_notes", None, None, ("few",), 300)
    assert with_slices(calm, {"sex=female": Decision("unknown", None, None, ("blind",), 60)}) == calm
    blind = Decision("unknown", None, None, ("blind",), 300)
    assert with_slices(blind, {"sex=female": Decision("redevelop", "tokens", 20.0, ("far",), 60)}).decision == "unknown"


def test_a_slice_that_is_the_window_is_none() -> None:
    reference, window = (served(400, seed).assign(note_type="letter") for seed in (0, 1))
    assert slices_of(reference, window, PARAMS.model_copy(update={"slices": ["note_type"]})) == []
    window.loc[:60, "note_type"] = "report"
    reference.loc[:60, "note_type"] = "report"
    slices = slices_of(reference, window, PARAMS.model_copy(update={"slices": ["note_type"]}))
    assert slices == [("note_type", "letter"), ("note_type", "report")]


def test_slices_share_half_of_the_significance() -> None:
    reference, window = served(800, 0), served(400, 1)
    alone = judge(reference, [window], PARAMS.model_copy(update={"slices": []}))
    beside = judge(reference, [window], PARAMS.model_copy(update={"slices": ["sex"]}))
    pairs = zip(alone.drift.columns, beside.drift.columns, strict=True)
    varying = [(one.noise or 0, other.noise or 0) for one, other in pairs if one.column != "quarantined"]
    assert all(other > one for one, other in varying)


def test_a_slice_is_not_compared_by_the_column_that_it_was_cut_by(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is constant there, and would only take its part of the significance from the others."""
    columns: list[tuple[str, list[str]]] = []
    for name in ("compare_sides", "add_up_sides"):
        function = getattr(slices, name)

        def spied(sides: Sides, params: MonitorParams, share: float, name: str = name, do: Any = function) -> Any:
            columns.append((name, params.columns))
            return do(sides, params, share)

        monkeypatch.setattr(slices, name, spied)
    judge(served(800, 0), [served(400, 1)], PARAMS.model_copy(update={"slices": ["sex"]}))
    without = [name for name in PARAMS.columns if name != "sex"]
    for name in ("compare_sides", "add_up_sides"):
        assert [given for caller, given in columns if caller == name] == [PARAMS.columns, without, without]


def test_all_that_is_compared_of_a_window_shares_one_significance(monkeypatch: pytest.MonkeyPatch) -> None:
    shares: list[float] = []
    for name in ("compare_sides", "add_up_sides"):
        function = getattr(slices, name)
        monkeypatch.setattr(slices, name, lambda *given, do=function: shares.append(given[2]) or do(*given))
    judge(served(800, 0), [served(400, 1)], PARAMS.model_copy(update={"slices": ["sex", "speciality"]}))
    assert len(shares) == 2 * (1 + 5)
    assert sum(shares) == pytest.approx(2)  # of the window, and of the year
    assert max(shares) == 0.5


# -- windows of a log, and other references


def logged(days: int, notes: int, first: int = 0, **options: float) -> pd.DataFrame:
    """A log of so many notes a day from 2 November on."""
    frame = served(days * notes, first, **options)
    start = datetime(2026, 11, 2, tzinfo=UTC)
    frame["served_at"] = [start + timedelta(days=row // notes, minutes=row % notes) for row in range(len(frame))]
    frame["log_id"] = range(first * 1_000_000, first * 1_000_000 + len(frame))
    return frame


def test_windows_are_whole_weeks_from_the_reset_on() -> None:
    frame = logged(24, 10)
    assert [len(part) for part in split_windows(frame, 7, Window())] == [70, 70, 70]
    since = datetime(2026, 11, 5, tzinfo=UTC)
    parts = split_windows(frame[frame["served_at"] >= since], 7, Window(since, datetime(2026, 11, 20, tzinfo=UTC)))
    assert [len(part) for part in parts] == [70, 70]
    assert parts[0]["served_at"].min() == since
    assert [len(part) for part in split_windows(frame[:30], 7, Window())] == [30]
    assert split_windows(frame[:0], 7, Window()) == []
    with pytest.raises(BeHealthyError, match="served_at"):
        split_windows(frame.drop(columns="served_at"), 7, Window())


def with_quiet_days() -> pd.DataFrame:
    """A log from 2 November on that has nothing of its first days, nor of 14 to 16 November."""
    frame = logged(24, 10)
    return frame[(frame["served_at"].dt.day > 5) & ~frame["served_at"].dt.day.isin([14, 15, 16])]


def test_a_window_begins_with_the_reset_and_not_with_the_day_of_its_first_note() -> None:
    parts = split_windows(with_quiet_days(), 7, Window(datetime(2026, 11, 3, tzinfo=UTC)))
    assert [part["served_at"].min().day for part in parts] == [6, 10, 17]


@pytest.mark.parametrize(
    ("times", "days"),
    [
        ("--since 2026-11-03", [6, 10, 17]),
        ("--since 2026-11-03 --until 2026-11-17", [6, 10]),
        ("--since 2026-11-05", [6, 12, 19]),
        ("", [6, 13]),
    ],
)
def test_the_command_splits_its_log_by_its_times_and_the_last_window_is_the_latest(
    tmp_path: Path, times: str, days: list[int]
) -> None:
    with_quiet_days().to_parquet(tmp_path / "log.parquet")
    options = parse(["--log", str(tmp_path / "log.parquet"), "--windows", "week", *times.split()])
    log = read_window(options.log, Window(options.since, options.until))
    assert [part["served_at"].min().day for part in last_windows(log, options)] == days


def test_a_note_without_a_time_is_in_no_window_and_not_left_out_silently() -> None:
    times = [datetime(2026, 11, 1, tzinfo=UTC) + timedelta(hours=hour) for hour in range(60)]
    frame = served(60, 1).assign(served_at=pd.Series(times).where(pd.Series(range(60)) % 2 == 0))
    for rows in (frame, frame.assign(served_at=pd.NaT)):
        with pytest.raises(BeHealthyError, match="rows without served_at"):
            split_windows(rows, 1, Window())


@pytest.fixture
def clinic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    profile = served(800, 0, train=0.6).astype(dict.fromkeys(MODEL_COLUMNS, "Float64"))
    write_table(tmp_path / "profile.parquet", profile, PROFILE)
    logged(14, 400, 1).to_parquet(tmp_path / "first.parquet")
    logged(28, 150, 2, shift=0.15).to_parquet(tmp_path / "later.parquet")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_bands_act_on_whether_notes_change_and_the_other_question_is_shown(
    clinic: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = "--log later.parquet --windows week --profile profile.parquet --reference first.parquet --json out"
    assert stage.main([*arguments.split(), "--exit-code"]) == 12
    decision, drift = (json.loads((clinic / f"out/{name}.json").read_text()) for name in ("decision", "drift"))
    assert decision["decision"] == "redevelop"
    assert "over the last 4 windows" in decision["reasons"][0]
    assert decision["learned"]["decision"] in ("too_few_notes", "size_uncertain", "redevelop")
    assert drift["notes"]["profile"] == 5600
    assert drift["learned"]["notes"]["profile"] == 800
    assert json.loads(capsys.readouterr().out)["decision"] == "redevelop"


def test_a_log_is_not_compared_with_itself(clinic: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = "--log later.parquet --profile profile.parquet --reference later.parquet --json out".split()
    assert stage.main(arguments) == 2
    assert "--reference-until" in capsys.readouterr().err
    assert json.loads((clinic / "out/decision.json").read_text())["decision"] == "unknown"


@pytest.mark.parametrize(
    ("reference", "drop", "code"),
    [
        ("other.parquet", [], 0),
        ("other.parquet", ["log_id"], 2),
        ("other.parquet", ["log_id", "served_at"], 2),
        ("part.parquet", ["log_id"], 2),
        ("part.parquet", ["log_id", "served_at"], 2),
        ("apart.parquet", ["log_id"], 0),
        ("floats.parquet", ["log_id"], 2),
    ],
)
def test_rows_without_numbers_are_the_same_where_all_of_them_is(
    clinic: Path, capsys: pytest.CaptureFixture[str], reference: str, drop: list[str], code: int
) -> None:
    """One shared row is enough; a note that was served again, at another time, is none."""
    log = logged(14, 60, 3)
    log.drop(columns=drop).to_parquet("bare.parquet")
    log.assign(log_id=log["log_id"] + 10**9).to_parquet("other.parquet")  # numbers that tell rows apart
    log[-1:].to_parquet("part.parquet")
    log.assign(served_at=log["served_at"] - timedelta(days=99)).to_parquet("apart.parquet")
    log[:200].assign(tokens=log["tokens"].astype(float)).to_parquet("floats.parquet")
    given = f"--log bare.parquet --profile profile.parquet --reference {reference} --json out"
    assert stage.main(given.split()) == code
    decision = json.loads((clinic / "out/decision.json").read_text())
    assert (decision["decision"] == "unknown") == (code == 2)
    assert ("rows of the log are in the reference" in capsys.readouterr().err) == (code == 2)


def test_rows_of_which_some_have_no_number_are_compared_whole(clinic: Path) -> None:
    log = logged(14, 60, 3)
    log["log_id"] = log["log_id"].astype("Int64")
    log.assign(log_id=log["log_id"].where(log.index > 5)).to_parquet("bare.parquet")
    log.assign(log_id=log["log_id"] + 10**9).to_parquet("other.parquet")
    given = "--log bare.parquet --profile profile.parquet --reference other.parquet --json out"
    assert stage.main(given.split()) == 2


@pytest.mark.parametrize("option", ["--", "--reference-"])
@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        ("2026-11-10", "2026-11-03", "until is not after {}since"),
        ("2026-11-10", "2026-11-10", "until is not after {}since"),
        ("2026-11-10", "2300-01-01", "until is not within the years"),
        ("1500-01-01", "2026-11-10", "since is not within the years"),
    ],
)
def test_times_between_which_no_note_can_be_are_said_to_be_the_mistake(
    clinic: Path, capsys: pytest.CaptureFixture[str], option: str, since: str, until: str, said: str
) -> None:
    given = f"--log later.parquet --profile profile.parquet --reference first.parquet --json out {option}since {since}"
    assert stage.main([*given.split(), f"{option}until", until]) == 2
    assert f"monitor: {option}{said.format(option)}" in capsys.readouterr().err
    decision = json.loads((clinic / "out/decision.json").read_text())
    assert (decision["decision"], decision["alert"]) == ("unknown", True)
    assert stage.main([*given.split(), f"{option}until", until, "--exit-code"]) == 20


def break_files() -> None:
    """Files beside those of the clinic, each broken as people break them."""
    log = logged(14, 60, 3).assign(probability=1.0, model_version="7")
    log.drop(columns="note").to_parquet("nameless.parquet")
    log.assign(probability="the patient").to_parquet("unlikely.parquet")
    log.assign(served_at="the patient").to_parquet("timeless.parquet")
    log.assign(served_at=log["served_at"].dt.tz_localize(None)).to_parquet("zoneless.parquet")
    log.assign(model_version=7).to_parquet("numbered.parquet")
    Path("prose.parquet").write_text("the patient")
    whole = Path("first.parquet").read_bytes()
    Path("torn.parquet").write_bytes(whole[:4] + bytes(20_000) + whole[20_004:])


@pytest.mark.parametrize("side", ["--log", "--reference"])
@pytest.mark.parametrize(
    ("file", "since", "said"),
    [
        ("nameless", "", "nameless.parquet has no column note"),
        ("unlikely", "", "the column probability of unlikely.parquet holds something else than numbers"),
        ("timeless", "2026-11-01", "the column served_at of timeless.parquet holds something else than times"),
        ("zoneless", "2026-11-01", "the column served_at of zoneless.parquet holds something else than times"),
        ("prose", "", "prose.parquet is no Parquet file, or a damaged one"),
        ("torn", "", "torn.parquet is no Parquet file, or a damaged one"),
        ("gone", "", "there is no gone.parquet"),
    ],
)
def test_a_file_that_cannot_be_judged_is_named_with_its_column_and_the_remedy(
    clinic: Path, capsys: pytest.CaptureFixture[str], side: str, file: str, since: str, said: str
) -> None:
    break_files()
    other = "--log later.parquet" if side == "--reference" else ""
    given = f"{other} {side} {file}.parquet --profile profile.parquet --json out".split()
    option = "--since" if side == "--log" else "--reference-since"
    assert stage.main([*given, option, since] if since else given) == 2
    told = capsys.readouterr().err
    assert f"monitor: {said}" in told
    assert "export it from the database, `python -m production.log export`" in told
    assert "patient" not in told
    decision = json.loads((clinic / "out/decision.json").read_text())
    assert (decision["decision"], decision["alert"]) == ("unknown", True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--log timeless.parquet --windows week", "the column served_at of the log holds something else than times"),
        ("--log numbered.parquet --model-version 7", "the column model_version of numbered.parquet holds something"),
        ("--log later.parquet --profile gone.parquet", "there is no gone.parquet: `dvc repro monitor` writes it"),
        (
            "--log later.parquet --profile prose.parquet",
            "prose.parquet is no Parquet file, or a damaged one: `dvc",
        ),
    ],
)
def test_nothing_that_people_mistake_is_unforeseen(
    clinic: Path, capsys: pytest.CaptureFixture[str], arguments: str, said: str
) -> None:
    break_files()
    assert stage.main(["--profile", "profile.parquet", *arguments.split(), "--exit-code"]) == 20
    told = capsys.readouterr().err
    assert f"monitor: {said}" in told
    assert "patient" not in told


def test_what_may_not_be_read_is_told_as_the_machine_says_it(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), readable(tmp_path, "mend it"):
        raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize("windows", [[], ["--windows", "week"]])
def test_faults_call_another_reference_by_its_name(clinic: Path, windows: list[str]) -> None:
    logged(1, 40, 3).to_parquet("few.parquet")
    logged(14, 60, 4).drop(columns="tokens").to_parquet("blind.parquet")
    for reference, said in (
        ("few", "only 40 notes of the reference can be compared, fewer than 50"),
        ("blind", "tokens is missing in the reference"),
    ):
        given = f"--log later.parquet --profile profile.parquet --reference {reference}.parquet --json out"
        assert stage.main([*given.split(), *windows]) == 0
        told = json.loads((clinic / "out/decision.json").read_text())
        assert told["decision"] == "unknown"
        assert any(said in reason for reason in told["reasons"])
        assert "profile" not in " ".join(told["reasons"])
        assert "reference" not in json.dumps(json.loads((clinic / "out/drift.json").read_text())["learned"]["columns"])


def test_faults_of_slices_call_another_reference_by_its_name() -> None:
    params = PARAMS.model_copy(update={"slices": ["sex"]})
    reference = served(400, 0)
    reference.loc[reference["sex"] == "female", "tokens"] = np.nan
    judged = judge(reference, [served(300, 1)], params, called="reference")
    assert judged.slices["sex=female"].reasons == ("tokens has no value in the reference",)


def test_the_reference_may_be_the_first_weeks_of_the_same_log(clinic: Path) -> None:
    arguments = (
        "--log later.parquet --since 2026-11-16 --profile profile.parquet --reference later.parquet"
        " --reference-until 2026-11-16 --json out"
    )
    assert stage.main(arguments.split()) == 0
    assert json.loads((clinic / "out/drift.json").read_text())["notes"] == {"window": 2100, "profile": 2100}


# -- what is found once for both judgements and for all slices


@pytest.mark.parametrize("watched", [True, False])
def test_a_slice_is_judged_as_if_it_had_been_cut_out_first(watched: bool) -> None:
    """Also where notes differ in the slice's column alone, and it is none of those that tell notes apart."""
    columns = [name for name in PARAMS.columns if watched or name != "speciality"]
    params = PARAMS.model_copy(update={"slices": ["speciality"], "columns": columns})
    reference, first, last = served(900, 0), served(500, 1), served(600, 2, shift=0.1)
    window = pd.concat([last, last.assign(speciality="surgery"), first[:90]])
    for windows in ([window], [first, window]):
        judged = judge(reference, windows, params)
        others = params.model_copy(update={"columns": [name for name in columns if name != "speciality"]})
        for name, found in judged.slices.items():
            parts = [frame[frame["speciality"] == name.partition("=")[2]] for frame in (reference, *windows)]
            share = 0.5 / len(judged.slices)
            alone = decide(compare_window(parts[0], parts[-1], others, share), others)
            assert found == said_and_done(alone, add_up(parts[0], parts[1:], others, share))
        whole = decide(compare_window(reference, window, params, 0.5), params)
        summed = said_and_done(whole, add_up(reference, windows, params, 0.5))
        assert judged.decision == with_slices(summed, judged.slices)


def test_what_is_read_of_a_log_is_what_is_asked_for(tmp_path: Path) -> None:
    frame = logged(2, 30).assign(model_version="7", probability=1.0, other="unread")
    frame.to_parquet(tmp_path / "log.parquet")
    names = {"note", "log_id", "served_at", "model_version", "probability"}
    assert set(read_window(tmp_path / "log.parquet", Window(), {"sex", "gone"})) == {*names, "sex"}
    assert set(read_window(tmp_path / "log.parquet", Window())) == set(frame)


def test_the_command_reads_slices_and_what_the_model_found_though_they_are_not_watched(
    clinic: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = PARAMS.model_copy(update={"columns": ["tokens"], "slices": ["speciality"]})
    monkeypatch.setattr(stage, "load_params", lambda: SimpleNamespace(watching=lambda _: params))
    asked: list[set[str]] = []
    logs = stage.logs
    monkeypatch.setattr(stage, "logs", lambda *given: asked.append(given[2]) or logs(*given))
    arguments = "--log later.parquet --profile profile.parquet --json out"
    assert stage.main(arguments.split()) == 0
    assert asked == [{"tokens", "speciality", *model_columns(()), "quarantined"}]
    assert "speciality=surgery" in json.loads((clinic / "out/drift.json").read_text())["slices"]

"""How often the drift decision errs, on populations whose true shift is known to the last digit."""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.verdicts.populations import HOSPITAL, SHIFTED, correlated_rows, shifted
from stages.common.labels import ASSERTION_COLUMNS, QUARANTINED
from stages.monitor.decision import Decision, band_of, decide
from stages.monitor.deviation import Counts, Floats
from stages.monitor.drift import Drift, interval_of, judge_column
from stages.monitor.noise import Noise, noise_of
from stages.monitor.params import MonitorParams, load_params
from stages.monitor.runs import LongestRuns, longest_runs, what_is_certain

SHIFTS = (0.0, 0.015, 0.03, 0.065, 0.09, 0.15)
PROFILES = (448, 5_000, 20_000)
WINDOWS = (100, 300, 1_000, 2_000, 5_000, 20_000)
_YEAR = 52
_SEVERE = {"none": 0, "watch": 1, "retrain": 2, "retrain_and_alert": 3, "redevelop": 4}


def watched_params() -> MonitorParams:
    """Return the project's parameters, on the columns of the imaginary hospital."""
    return load_params().model_copy(update={"columns": list(HOSPITAL)})


def tables(repetitions: int) -> dict[str, pd.DataFrame]:
    """Return the tables of this part."""
    params = watched_params()
    return {
        "window": pd.DataFrame(
            [window_rates(n, m, params, repetitions) for m in PROFILES for n in WINDOWS]
        ),
        "year": pd.DataFrame(
            [year_rates(n, m, params, repetitions) for m in PROFILES for n in (100, 300, 1_000, 2_000)]
        ),
        "late": pd.DataFrame(
            [
                late_rates(distance, after, params, max(1, repetitions // 4))
                for distance in (0.065, 0.09, 0.15) for after in (1, 2, 4, 6, 10, 20)
            ]
        ),
        "cost": pd.DataFrame([cost()]),
        "correlated": pd.DataFrame([correlated_rates(share, params, repetitions // 4 or 1) for share in (0, 0.5, 0.9)]),
        "found": pd.DataFrame(
            [
                found_rates(distance, n, m, params, max(1, repetitions // 4))
                for distance in (0.04, 0.065, 0.09, 0.15) for m in PROFILES for n in (300, 1_000)
            ]
        ),
    }  # fmt: skip


def rate(hits: Sequence[bool] | np.ndarray) -> str:
    """Return a share with its standard error.

    >>> rate([True, False, False, False])
    '.250 ± .217'
    """
    share = float(np.mean(hits))
    error = math.sqrt(share * (1 - share) / len(hits))
    return f"{share:.3f} ± {error:.3f}".replace("0.", ".")


# -- one window


def window_rates(notes: int, profile: int, params: MonitorParams, repetitions: int) -> dict[str, object]:
    """Return what is said of one window: how often the right band, a wrong one, size uncertain, too few, or nothing."""
    row: dict[str, object] = {"profile": profile, "notes": notes}
    generator = np.random.default_rng([params.seed, notes, profile])
    noises = _noises(notes, profile, params)
    for distance in SHIFTS:
        columns = SHIFTED if distance else SHIFTED[:1]
        share = -(-repetitions // len(columns))
        said = [
            _one_window(notes, profile, {name: distance}, params, noises, generator)
            for name in columns
            for _ in range(share)
        ]
        row |= _said(distance, [one.decision for one in said], params)
    return row


def _said(distance: float, said: Sequence[str], params: MonitorParams) -> dict[str, object]:
    name = f"{100 * distance:g}%"
    truth = band_of(100 * distance, params.bands)
    if truth == "none":
        wrong = [one not in ("none", "too_few_notes") for one in said]
        return {f"{name}: alarm": rate(wrong), f"{name}: too few": rate([one == "too_few_notes" for one in said])}
    certain = ("none", "watch", "retrain", "retrain_and_alert", "redevelop")
    result: dict[str, object] = {
        f"{name}: right": rate([one == truth for one in said]),
        f"{name}: wrong band": rate([one in certain[1:] and one != truth for one in said]),
        f"{name}: size uncertain": rate([one == "size_uncertain" for one in said]),
    }
    if truth != "watch":
        result[f"{name}: silent"] = rate([one in ("none", "watch") for one in said])
    return result


def _one_window(
    notes: int, profile: int, shifts: Mapping[str, float], params: MonitorParams, noises: Mapping[str, Noise],
    generator: np.random.Generator,
) -> Decision:  # fmt: skip
    columns = []
    for name, population in HOSPITAL.items():
        served = shifted(population, shifts.get(name, 0.0)).draw(generator, notes)
        counts = Counts(population.kind, served, population.draw(generator, population.profile_notes(profile)))
        level = params.significance / len(HOSPITAL)
        columns.append(judge_column(name, counts, noises[name], params, level))
    return decide(Drift(tuple(columns), notes, profile), params)


def _noises(notes: int, profile: int, params: MonitorParams) -> dict[str, Noise]:
    """Return the noise of each column: it depends on the values' shares alone, so one draw does for all repetitions."""
    generator = np.random.default_rng([params.seed, notes, profile, 1])
    return {
        name: noise_of(
            Counts(one.kind, one.draw(generator, notes), one.draw(generator, one.profile_notes(profile))), params.seed
        )
        for name, one in HOSPITAL.items()
    }


# -- a year of windows


def year_rates(notes: int, profile: int, params: MonitorParams, repetitions: int) -> dict[str, object]:
    """Return how often a year of weeks has an alarm although nothing changes."""
    noises = _noises(notes, profile, params)
    generator = np.random.default_rng([params.seed, notes, profile, 2])
    years = (_year(notes, profile, {}, _YEAR, params, noises, generator) for _ in range(repetitions))
    worst = [largest_passing(year).max() for year in years]
    return {
        "profile": profile, "notes a week": notes,
        "any alarm": rate([value >= params.bands.watch for value in worst]),
        "retrain or more": rate([value >= params.bands.retrain for value in worst]),
    }  # fmt: skip


def found_rates(
    distance: float, notes: int, profile: int, params: MonitorParams, repetitions: int, weeks: int = 10
) -> dict[str, object]:
    """Return what ten weeks of a true drift end in."""
    noises = _noises(notes, profile, params)
    generator = np.random.default_rng([params.seed, notes, profile, int(1000 * distance)])
    truth = band_of(100 * distance, params.bands)
    done = [
        last_decision(_year(notes, profile, {name: distance}, weeks, params, noises, generator), params)
        for name in SHIFTED
        for _ in range(repetitions)
    ]
    return {
        "true drift": f"{100 * distance:g}%", "profile": profile, "notes a week": notes,
        "found": rate([one != "none" for one in done]), "right band": rate([one == truth for one in done]),
        "size uncertain": rate([one == "size_uncertain" for one in done]),
        "too severe": rate([_SEVERE[one] > _SEVERE[truth] for one in done if one != "size_uncertain"] or [False]),
    }  # fmt: skip


def late_rates(
    distance: float, after: int, params: MonitorParams, repetitions: int, notes: int = 1_000, profile: int = 5_000
) -> dict[str, object]:
    """Return what is decided so many weeks after a drift began, twenty weeks having been quiet."""
    noises, quiet = _noises(notes, profile, params), 20
    generator = np.random.default_rng([params.seed, after, int(1000 * distance)])
    truth, done = band_of(100 * distance, params.bands), []
    for name in SHIFTED:
        for _ in range(repetitions):
            found = _year(notes, profile, {name: distance}, after, params, noises, generator, quiet=quiet)
            done.append(last_decision(found, params))
    return {
        "true drift": f"{100 * distance:g}%", "weeks since": after,
        "found": rate([one != "none" for one in done]), "right band": rate([one == truth for one in done]),
        "size uncertain": rate([one == "size_uncertain" for one in done]),
        "too mild": rate([_SEVERE[one] < _SEVERE[truth] for one in done if one != "size_uncertain"] or [False]),
        "too severe": rate([_SEVERE[one] > _SEVERE[truth] for one in done if one != "size_uncertain"] or [False]),
    }  # fmt: skip


def last_decision(found: Mapping[str, LongestRuns], params: MonitorParams) -> str:
    """Return what the last window ends in: `none` where no run passes."""
    worst = max(found.values(), key=lambda runs: float(np.nan_to_num(runs.deviation[-1])))
    if not worst.windows[-1] or worst.deviation[-1] < params.bands.watch:
        return "none"
    return what_is_certain(*interval_of(float(worst.deviation[-1]), float(worst.error[-1])), params.bands)


def correlated_rates(
    correlation: float, params: MonitorParams, repetitions: int, notes: int = 300, profile: int = 5_000
) -> dict[str, object]:
    """Return the same as `year_rates`, and of single windows, with columns that depend on each other."""
    generator = np.random.default_rng([params.seed, notes, profile, int(100 * correlation)])
    noises, levels = _noises(notes, profile, params), {name: len(one.shares) for name, one in HOSPITAL.items()}
    years, windows = [], []
    for _ in range(repetitions):
        rows = correlated_rows(generator, profile + _YEAR * notes, correlation)
        counted = {
            name: Counts(
                one.kind,
                np.stack([np.bincount(part, minlength=levels[name]) for part in np.split(rows[name][profile:], _YEAR)]),
                np.bincount(rows[name][: one.profile_notes(profile)], minlength=levels[name]),
            )
            for name, one in HOSPITAL.items()
        }
        found = {name: longest_runs(counts, noises[name], params) for name, counts in counted.items()}
        years.append(largest_passing(found).max() >= params.bands.watch)
        level = params.significance / len(HOSPITAL)
        first = [
            judge_column(name, Counts(one.kind, one.window[0], one.profile), noises[name], params, level)
            for name, one in counted.items()
        ]
        windows.append(any(one.counts for one in first))
    return {"correlation": correlation, "one window": rate(windows), "a year": rate(years)}


def _year(
    notes: int, profile: int, shifts: Mapping[str, float], weeks: int, params: MonitorParams,
    noises: Mapping[str, Noise], generator: np.random.Generator, quiet: int = 0,
) -> dict[str, LongestRuns]:  # fmt: skip
    """Draw weeks of a shift, after so many without one."""
    found = {}
    for name, population in HOSPITAL.items():
        served = shifted(population, shifts.get(name, 0.0)).draw(generator, notes, weeks)
        if quiet:
            served = np.concatenate([population.draw(generator, notes, quiet), served])
        counts = Counts(population.kind, served, population.draw(generator, population.profile_notes(profile)))
        found[name] = longest_runs(counts, noises[name], params)
    return found


def largest_passing(found: Mapping[str, LongestRuns]) -> Floats:
    """Return the largest deviation that passes in each week, 0 where none does."""
    return np.nan_to_num(np.stack([runs.deviation for runs in found.values()])).max(axis=0)


# -- cost


def cost(notes: int = 200_000, profile: int = 20_000) -> dict[str, object]:
    """Return the CPU seconds and the memory of `stages.monitor`, imports and reading included."""
    with tempfile.TemporaryDirectory(prefix="behealthy-drift-") as name:
        for file, rows in (("profile", profile), ("log", notes)):
            _rows(rows).to_parquet(Path(name, f"{file}.parquet"))
        code = (
            "import sys, time; from benchmarks.timing import peak_memory_mb; from stages.monitor.__main__ import main;"
            f"main(['--log', {name!r} + '/log.parquet', '--profile', {name!r} + '/profile.parquet']);"
            "print(time.process_time(), peak_memory_mb(), file=sys.stderr)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    seconds, megabytes = map(float, done.stderr.split())
    return {"notes": notes, "profile": profile, "CPU seconds": round(seconds, 1), "MB": round(megabytes)}


def _rows(notes: int) -> pd.DataFrame:
    """Return rows of a log, in the types that it has on disk."""
    generator = np.random.default_rng(notes)
    columns: dict[str, object] = {"note": np.arange(notes).astype(str)}
    for name, one in HOSPITAL.items():
        codes = generator.choice(len(one.shares), notes, p=one.shares)
        columns[name] = [f"value {code}" for code in codes] if one.kind == "category" else codes.astype(np.float32)
    columns["confidence"] = generator.beta(25, 4.2, notes).astype(np.float32)
    columns |= {name: generator.beta(1, 9, notes).astype(np.float32) for name in ASSERTION_COLUMNS}
    columns[QUARANTINED] = (generator.random(notes) < 0.01).astype(np.int8)
    return pd.DataFrame(columns)

"""Windows added up: the last one, the last two, four, and so on, at one error level for a whole year of looks.

A drift of 4% is within the noise of a week and beyond that of ten. Looking every week at six runs is three hundred
chances a year to be fooled, so each look has its part of `yearly_significance`. The profile's own error is in every
look's noise (`stages.monitor.noise`): multiplying evidence over windows against a profile that is taken for the truth
has a false alarm in 13% of years at a promised 1%.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from stages.common.wording import column_in_words, counted, decision_in_words
from stages.monitor.columns import fault_of, kind_of, values_of
from stages.monitor.decision import NOTHING_KNOWN, Decision, Harm, band_of, drifted, unknown, with_harm
from stages.monitor.deviation import Counts, Floats, Integers, coded
from stages.monitor.drift import BOUND, DIGITS, interval_of
from stages.monitor.noise import Noise, allowed, noise_of
from stages.monitor.params import Bands, MonitorParams
from stages.monitor.sides import Sides

ONSET = 2.0
"""Standard errors by which a shorter run must deviate more than a longer one, until a drift began within that one."""


@dataclass(frozen=True)
class LongestRuns:
    """For each window, the longest run up to it whose deviation is larger than its noise.

    Parameters
    ----------
    windows : array of int, shape (windows,)
        How many windows the run has; 0 where none passes.
    deviation, error : array of float, shape (windows,)
        In percent; NaN where none passes.
    bound : array of float, shape (windows,)
        What the deviation of the longest run there is is below, with a confidence of 95%.
    """

    windows: Integers
    deviation: Floats
    error: Floats
    bound: Floats


def level_of_a_look(params: MonitorParams, share: float = 1.0) -> float:
    """Return the part of the yearly significance that one column of one run of one window has."""
    return share * params.yearly_significance / (params.windows_per_year * len(params.runs) * len(params.columns))


def longest_runs(column: Counts, noise: Noise, params: MonitorParams, share: float = 1.0) -> LongestRuns:
    """Find the longest run of windows, up to each of them, that passes.

    A longer run than one that passes is left out where it deviates by less, beyond `ONSET`: the drift began within it,
    and the windows from before would hide its size.

    Parameters
    ----------
    column : Counts
        The windows' counts have the shape (windows, levels): in their order, since the last reset.
    noise : Noise
        As `noise_of` finds it for all windows together.
    params : MonitorParams
        As `watching` returns them.
    share : float
        Of the yearly significance.
    """
    number = len(column.window)
    result = LongestRuns(
        np.zeros(number, np.int64), np.full(number, np.nan), np.full(number, np.nan), np.full(number, np.nan)
    )
    level = level_of_a_look(params, share)
    for length, summed in _sums(column, params.runs):
        part = slice(length - 1, number)
        deviation, error = summed.deviation, summed.standard_error
        shorter, its_error = result.deviation[part], result.error[part]
        with np.errstate(invalid="ignore"):
            passes = deviation > allowed(summed, noise, level)
            began_within = shorter - deviation > ONSET * np.hypot(its_error, error)
        taken = passes & ~began_within
        result.windows[part] = np.where(taken, length, result.windows[part])
        result.deviation[part] = np.where(taken, deviation, shorter)
        result.error[part] = np.where(taken, error, its_error)
        result.bound[part] = np.minimum(100, deviation + BOUND * error)
    return result


def _sums(column: Counts, runs: Sequence[int]) -> Iterator[tuple[int, Counts]]:
    until = np.concatenate([np.zeros_like(column.window[:1]), column.window.cumsum(axis=0)])
    for length in runs:
        if length < len(until):
            yield length, Counts(column.kind, until[length:] - until[:-length], column.profile)


def add_up(
    reference: pd.DataFrame, windows: Sequence[pd.DataFrame], params: MonitorParams, share: float = 1.0
) -> Decision:
    """Say what several windows, up to the last one, ask for.

    Parameters
    ----------
    reference : DataFrame
        What they are compared with: the training profile, or the first weeks served under a champion.
    windows : sequence of DataFrame
        Of the serving log, in their order, since the last reset: a retraining or another reference begins anew. A note
        that is logged again with the same values counts in the first of them: copies are no evidence.
    params : MonitorParams
        As `watching` returns them.
    share : float
        Of the yearly significance, where there are more comparisons than this one.

    Returns
    -------
    Decision
        What is certain of the longest run that passes (`what_is_certain`), of the column in which that is worst. Where
        none passes, `none` if the longest run there is rules out `retrain`, else `too_few_notes`. `unknown` where the
        last window has no note, or a column of it cannot be compared.
    """
    if not windows or windows[-1].empty:
        return unknown("there is no note in the last window")
    return add_up_sides(Sides.of(reference, windows, params.columns), params, share)


def add_up_sides(sides: Sides, params: MonitorParams, share: float) -> Decision:
    """Do the same with the windows of two sides."""
    if sides.last.empty:
        return unknown(sides.nothing)
    windows, found = sides.windows, []
    for name in params.columns:
        counts = _counts_of_all(sides, name, params)
        if isinstance(counts, str):
            return unknown(counts, len(windows[-1]))
        noise = noise_of(Counts(counts.kind, counts.window.sum(axis=0), counts.profile), params.seed)
        found.append((name, longest_runs(counts, noise, params, share)))
    return _decided(found, sum(map(len, windows)), windows, params.bands)


def _counts_of_all(sides: Sides, name: str, params: MonitorParams) -> Counts | str:
    """Count a column of all windows, or say why it cannot be compared."""
    judged = len(sides.windows[-1]) >= params.minimum_notes  # in fewer notes a column may well be empty
    sides = sides.of_column(name)
    last, windows, called = sides.column(name, params), sides.windows, sides.called
    if len(windows) == 1 and last.counts is not None:
        return Counts(last.counts.kind, last.counts.window[None], last.counts.profile)
    rows = last.rows
    fault = fault_of(name, rows, windows[-1], params.minimum_notes, called)
    if fault and (judged or fault_of(name, rows, rows, params.minimum_notes, called)):
        return fault
    return counts_of(rows, [frame[:0] if fault_of(name, rows, frame, 0, called) else frame for frame in windows], name)


def what_is_certain(low: float, high: float, bands: Bands) -> str:
    """Return what an interval of the deviation asks for.

    Its band where it lies in one. Where all of it asks for a retraining, that, and a person is told; going back to
    development needs certainty. Else the size is uncertain.
    """
    mild, severe = (band_of(end, bands) for end in (low, high))
    if severe in (mild, "watch"):
        return severe
    return "retrain_and_alert" if mild in ("retrain", "retrain_and_alert") else "size_uncertain"


def said_and_done(window: Decision, runs: Decision, harm: Harm = NOTHING_KNOWN) -> Decision:
    """Return what is done after a window, with what is said of it alone.

    A single window has its own error level, and a year has fifty of them: what is done follows from what windows add up
    to, or from a shift together with harm. A window that looks drifted before they do is watched, or too small to tell;
    one that is too small is not said to be quiet because the weeks before were.

    Parameters
    ----------
    window, runs : Decision
        As `decide` and `add_up` make them.
    harm : Harm
        What is known of the quality.
    """
    if drifted(runs) or runs.decision == "unknown":
        return with_harm(runs, harm)
    if not drifted(window):
        quiet = runs if window.decision == "none" else replace(window, reasons=(*window.reasons, *runs.reasons))
        return with_harm(quiet, harm)
    if harm.verdict == "falls":
        return with_harm(window, harm)
    alone = f"this window alone: {window.reasons[0].rpartition(': ')[0]}"
    later = "so much comes about by chance in a year of windows: it is acted on when they add up to more"
    done = "watch" if runs.decision == "none" else "too_few_notes"
    return replace(window, decision=done, reasons=(alone, later, *runs.reasons))


def counts_of(reference: pd.DataFrame, windows: Sequence[pd.DataFrame], name: str) -> Counts:
    """Count a column's values in the reference and in each window; a window without the column has none."""
    kind = kind_of(name)
    samples = [values_of(frame, name) if name in frame else np.array([]) for frame in (reference, *windows)]
    (profile, *codes), levels = coded(samples, kind)
    window = np.stack([np.bincount(part, minlength=levels) for part in codes])
    return Counts(kind, window, np.bincount(profile, minlength=levels))


def _decided(
    found: Sequence[tuple[str, LongestRuns]], notes: int, windows: Sequence[pd.DataFrame], bands: Bands
) -> Decision:
    passing = [(name, runs) for name, runs in found if runs.windows[-1] and runs.deviation[-1] >= bands.watch]
    if not passing:
        name, widest = max(found, key=lambda one: float(np.nan_to_num(one[1].bound[-1], nan=np.inf)))
        bound = f"with 95% confidence each is below {widest.bound[-1]:.1f}% ({column_in_words(name)})"
        if np.isnan(widest.bound[-1]):
            bound = f"{column_in_words(name)} has no value"
        of = f"{counted(len(windows), 'window')}, {counted(notes, 'note')}"
        told = f"{of}: no deviation is beyond the noise of a year; {bound}"
        decision = "none" if widest.bound[-1] < bands.retrain else "too_few_notes"
        return Decision(decision, None, None, (told,), notes)
    name, worst = max(passing, key=lambda one: float(one[1].deviation[-1]))
    length, deviation, error = int(worst.windows[-1]), float(worst.deviation[-1]), float(worst.error[-1])
    low, high = interval_of(deviation, error)
    band = what_is_certain(low, high, bands)
    of = counted(sum(map(len, windows[-length:])), "note")
    before = f"over the last {length} windows ({of}), " if length > 1 else ""
    size = f"deviates by {deviation:.1f}% (80% interval {low:.1f} to {high:.1f})"
    reason = f"{before}{column_in_words(name)} {size}: {decision_in_words(band)}"
    low, high, deviation = (round(value, DIGITS) for value in (low, high, deviation))
    return Decision(band, name, deviation, (reason,), notes, low, high)

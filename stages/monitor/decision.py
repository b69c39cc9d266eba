"""What is to be done about a drift; never "none" when it is not known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from stages.common.wording import agreeing, column_in_words, counted, decision_in_words
from stages.monitor.drift import ColumnDrift, Drift
from stages.monitor.params import Bands, MonitorParams

EXIT_CODES = {
    "none": 0, "too_few_notes": 21, "watch": 0, "retrain": 10, "retrain_and_alert": 11, "size_uncertain": 13,
    "unknown": 20, "redevelop": 12,
}  # fmt: skip
"""Every decision, mildest first, and what the process says of it when it is asked to.

`unknown` stands above what would start a pipeline by itself, for nobody should retrain on a log that could not be read;
and below `redevelop`, which calls a person as well and says more. So does `size_uncertain`: the notes did change, and
what that asks for a person has to tell. `too_few_notes` is no all-clear.
"""

SEVERITIES = tuple(EXIT_CODES)
ALERTING = frozenset({"retrain_and_alert", "size_uncertain", "unknown", "redevelop"})


@dataclass(frozen=True)
class Harm:
    """What is known of the quality in the time of a window.

    Parameters
    ----------
    verdict : {"falls", "holds", "unknown"}
        Of the precision of what is accepted, or of F1.
    audited : bool
        Whether people looked (labels); else it is an estimate from the model's own confidence.
    """

    verdict: Literal["falls", "holds", "unknown"] = "unknown"
    audited: bool = False


NOTHING_KNOWN = Harm()


@dataclass(frozen=True)
class Decision:
    """What is to be done, and why.

    Parameters
    ----------
    decision : str
        One of `SEVERITIES`.
    column : str or None
        The column that decided.
    deviation, low, high : float or None
        Its deviation in percent, and the ends of an interval of 80%.
    reasons : tuple of str
        Worst first. No path, no clock, no value of a note.
    notes : int
        Distinct notes in the window.
    """

    decision: str
    column: str | None
    deviation: float | None
    reasons: tuple[str, ...]
    notes: int
    low: float | None = None
    high: float | None = None

    @property
    def alert(self) -> bool:
        """Whether a person must be told."""
        return self.decision in ALERTING

    def as_json(self) -> dict[str, Any]:
        """Return what goes into ``metrics/decision.json``."""
        return {"decision": self.decision, "alert": self.alert} | asdict(self) | {"reasons": list(self.reasons)}


def unknown(reason: str, notes: int = 0) -> Decision:
    """Return the decision of a comparison that could not be made."""
    return Decision("unknown", None, None, (reason,), notes)


def band_of(deviation: float, bands: Bands) -> str:
    """Name the band of a deviation in percent; a band begins with its lower end.

    Raises
    ------
    ValueError
        When the deviation is no number: comparing it would end in the mildest band.
    """
    if not math.isfinite(deviation):
        raise ValueError("a deviation must be finite")
    if deviation >= bands.redevelop:
        return "redevelop"
    if deviation >= bands.alert:
        return "retrain_and_alert"
    if deviation >= bands.retrain:
        return "retrain"
    return "watch" if deviation >= bands.watch else "none"


def decide(drift: Drift, params: MonitorParams) -> Decision:
    """Say what is known of a window by itself; what is done follows from more (`stages.monitor.runs`).

    Parameters
    ----------
    drift : Drift
    params : MonitorParams

    Returns
    -------
    Decision
        `none` when each column is below `retrain` with a confidence of 95%. A band when the deviation is larger than
        its noise, its interval of 80% lies within the band, and no other column may be in a worse one. `size_uncertain`
        when the deviation is larger than its noise, but its size is not known; `too_few_notes` when it is not larger,
        but might be all the same. `unknown` when there is no note, or a column could not be compared and no other asks
        for `redevelop`.
    """
    if not drift.window:
        return unknown("there is no note in the window")
    if drift.window < params.minimum_notes:
        reason = f"{agreeing(drift.window, 'note/notes is/are')} fewer than {params.minimum_notes}: not judged"
        return Decision("too_few_notes", None, None, (reason,), drift.window)
    faulty = [one for one in drift.columns if not _known(one)]
    known = [one for one in drift.columns if _known(one)]
    reasons = tuple(_fault(one) for one in sorted(faulty, key=lambda one: one.column))
    if not known:
        return Decision("unknown", None, None, reasons or ("no column was compared",), drift.window)
    decision = _judged(known, drift, params)
    if not faulty:
        return decision
    if decision.decision == "redevelop":
        return replace(decision, reasons=(*decision.reasons, *reasons))
    changed = decision.reasons if drifted(decision) else ()
    return Decision("unknown", None, None, (*reasons, *changed), drift.window)


def with_harm(decision: Decision, harm: Harm) -> Decision:
    """Weigh a shift by what it does: what people found stands above all.

    A shift whose size asks for it, or any shift together with harm, is `redevelop`. Where an audit finds that the
    promise holds, no shift goes back to development by itself. Where one finds that it does not, and no shift is seen,
    the model is retrained and a person is told.
    """
    if harm.verdict == "falls" and drifted(decision):
        seen = "an audit finds" if harm.audited else "the estimate says"
        return replace(decision, decision="redevelop", reasons=(f"{seen} that quality falls", *decision.reasons))
    if harm.verdict == "falls" and harm.audited:
        reason = "an audit finds that quality falls, and no shift of the notes is seen"
        return replace(decision, decision="retrain_and_alert", reasons=(reason, *decision.reasons))
    if harm.verdict == "holds" and harm.audited and decision.decision == "redevelop":
        reason = "an audit finds that quality holds"
        return replace(decision, decision="retrain_and_alert", reasons=(reason, *decision.reasons))
    return decision


def drifted(decision: Decision) -> bool:
    """Tell whether a decision says that the notes changed."""
    return decision.decision in ("watch", "retrain", "retrain_and_alert", "size_uncertain", "redevelop")


def _judged(columns: Sequence[ColumnDrift], drift: Drift, params: MonitorParams) -> Decision:
    """Judge columns of which all is known."""
    ranked = sorted(columns, key=lambda one: (-_value(one.deviation), one.column))
    larger = [one for one in ranked if one.counts and _value(one.deviation) >= params.bands.watch]
    hidden = max(_value(one.bound) for one in columns)
    if not larger:
        if hidden < params.bands.retrain:
            return Decision("none", None, None, (_all_quiet(columns, params.bands),), drift.window)
        return Decision("too_few_notes", None, None, (_too_few(columns, drift, params.bands),), drift.window)
    worst = larger[0]
    band = band_of(_value(worst.deviation), params.bands)
    ends = {band_of(_value(end), params.bands) for end in (worst.low, worst.high)}
    others = max((_value(one.bound) for one in columns if one is not worst), default=0.0)
    certain = ends == {band} and (band != "watch" or others < params.bands.retrain)
    name = band if certain else "size_uncertain"
    reasons = (_reason(worst, name), *(_reason(one) for one in larger[1:]))
    return Decision(name, worst.column, worst.deviation, reasons, drift.window, worst.low, worst.high)


def _known(one: ColumnDrift) -> bool:
    values = (one.deviation, one.noise, one.low, one.high, one.bound)
    return not one.fault and one.counts is not None and all(v is not None and math.isfinite(v) for v in values)


def _value(number: float | None) -> float:
    assert number is not None
    return number


def _fault(one: ColumnDrift) -> str:
    return one.fault or f"{one.column}: the deviation or its noise could not be computed"


def _reason(one: ColumnDrift, decision: str | None = None) -> str:
    name = column_in_words(one.column)
    size = f"{name} deviates by {one.deviation:.1f}% (80% interval {one.low:.1f} to {one.high:.1f}, "
    return f"{size}noise {one.noise:.1f}%)" + (f": {decision_in_words(decision)}" if decision else "")


def _all_quiet(columns: Sequence[ColumnDrift], bands: Bands) -> str:
    widest = max(columns, key=lambda one: _value(one.bound))
    return (
        f"no deviation of {bands.watch:g}% or more is larger than sampling noise; "
        f"with 95% confidence each is below {bands.retrain:g}% ({column_in_words(widest.column)}: {widest.bound:.1f}%)"
    )


def _too_few(columns: Sequence[ColumnDrift], drift: Drift, bands: Bands) -> str:
    """Say what could not be seen, and what would do."""
    widest = max(columns, key=lambda one: _value(one.bound))
    name = column_in_words(widest.column)
    unseen = f"{counted(drift.window, 'note')}: {name} may deviate by up to {widest.bound:.1f}%"
    needed = [one.enough for one in columns]
    if None in needed:
        return f"{unseen}, and against a reference of {counted(drift.profile, 'note')} no window is large enough"
    most = max(number for number in needed if number is not None)
    return f"{unseen}; about {_two_digits(most):,} notes would tell whether it is below {bands.retrain:g}%"


def _two_digits(number: int) -> int:
    """Round up to two digits: more would be pretended."""
    unit = 10 ** max(0, len(str(number)) - 2)
    return math.ceil(number / unit) * unit

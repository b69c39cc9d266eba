"""What is to be done about a drift; never "none" when it is not known."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from stages.common.wording import agreeing, counted
from stages.monitor.drift import ColumnDrift, Drift
from stages.monitor.params import Bands, MonitorParams

EXIT_CODES = {"none": 0, "watch": 0, "retrain": 10, "retrain_and_alert": 11, "unknown": 20, "redevelop": 12}
"""Every decision, mildest first, and what the process says of it when it is asked to.

`unknown` stands above what would start a pipeline by itself, for nobody should retrain on a log
that could not be read; and below `redevelop`, which calls a person as well and says more.
"""

SEVERITIES = tuple(EXIT_CODES)
ALERTING = frozenset({"retrain_and_alert", "unknown", "redevelop"})


@dataclass(frozen=True)
class Decision:
    """What is to be done, and why.

    Parameters
    ----------
    decision : str
        One of `SEVERITIES`.
    column : str or None
        The column that decided.
    deviation : float or None
        Its deviation in percent.
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
    """Take the most severe of what the columns ask for.

    Parameters
    ----------
    drift : Drift
    params : MonitorParams

    Returns
    -------
    Decision
        `unknown` when the window has too few notes, whatever its columns say, or when a column
        could not be compared and no other asks for `redevelop`.
    """
    if drift.window < params.minimum_notes:
        return unknown(
            f"{agreeing(drift.window, 'note/notes is/are')} fewer than {params.minimum_notes}: not judged", drift.window
        )
    if not drift.columns:
        return unknown("no column was compared", drift.window)
    demands = [(_asks(one, params.bands), one) for one in drift.columns]
    demands.sort(key=lambda pair: (-SEVERITIES.index(pair[0]), -_known(pair[0], pair[1]), pair[1].column))
    decision, worst = demands[0]
    reasons = tuple(_reason(band, one) for band, one in demands if band != "none")
    if decision == "none":
        return Decision("none", None, None, (_all_quiet(drift, params.bands),), drift.window)
    return Decision(decision, worst.column, _known(decision, worst) or None, reasons, drift.window)


def _known(band: str, one: ColumnDrift) -> float:
    return 0.0 if band == "unknown" or one.deviation is None else one.deviation


def _asks(one: ColumnDrift, bands: Bands) -> str:
    values = (one.deviation, one.noise)
    if one.fault or one.counts is None or any(value is None or not math.isfinite(value) for value in values):
        return "unknown"
    assert one.deviation is not None
    return band_of(one.deviation, bands) if one.counts else "none"


def _reason(band: str, one: ColumnDrift) -> str:
    if band == "unknown":
        return one.fault or f"{one.column}: the deviation or its noise could not be computed"
    return f"{one.column} deviates by {one.deviation:.1f}% (noise {one.noise:.1f}%): {band}"


def _all_quiet(drift: Drift, bands: Bands) -> str:
    """Say what would have gone unseen: "none" in a small window is a weak statement."""
    noise = max(one.noise or 0.0 for one in drift.columns)
    quiet = f"no deviation of {bands.watch:g}% or more is larger than sampling noise"
    return f"{quiet}; in a window of {counted(drift.window, 'note')}, up to {noise:.1f}% would pass for noise"

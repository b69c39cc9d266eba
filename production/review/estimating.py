"""How right the champion is, from the audits in the database: by label, by kind of note, beside what it says itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from production.database.champion import at_work
from production.database.engine import reading
from production.review.estimates import Estimates, by_slice, estimates
from production.review.evidence import audited
from production.review.quality import Promise, Quality
from production.review.seen import Estimate
from stages.common.wording import counted
from stages.monitor.audited import ALL

if TYPE_CHECKING:
    from sqlalchemy import Engine

FIGURES = ("accepted", "precision", "recall", "f1")
_NAMES = {"accepted": "precision, accepted", "precision": "precision, all", "recall": "recall", "f1": "strict F1"}


@dataclass(frozen=True)
class Known:
    """What is known of a version.

    Parameters
    ----------
    version : str
    promised : float
        Precision of its accepted mentions.
    reviewed, accepted : int
        Audited notes, and accepted mentions in them.
    notes : int
        All notes that they stand for.
    whole : Estimates
    slices : dict of (str, str) to Estimates
        By name and value.
    quality : Quality
        Whether its promise holds.
    """

    version: str
    promised: float
    reviewed: int
    accepted: int
    notes: int
    whole: Estimates
    slices: dict[tuple[str, str], Estimates]
    quality: Quality

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "version": self.version,
            "promised": self.promised,
            "reviewed": self.reviewed,
            "accepted": self.accepted,
            "notes": self.notes,
            "estimates": asdict(self.whole),
            "slices": {f"{name}={value}": asdict(one) for (name, value), one in self.slices.items()},
            "quality": self.quality.as_json(),
            "promise": self.promise,
        }

    def lines(self) -> Iterator[str]:
        """Yield it as a table."""
        yield (
            f"version {self.version}: {counted(self.reviewed, 'audited note')} with"
            f" {counted(self.accepted, 'accepted mention')} stand for {counted(self.notes, 'note')}; intervals of 95%;"
            " in brackets what the model's own confidence says, at which nobody looked"
        )
        yield f"{'':22}{'label':16}{'estimate':>10}{'interval':>18}{'':>10}"
        for figure in FIGURES:
            found = getattr(self.whole, figure)
            own = getattr(self.whole, f"{figure}_unlabelled", {})
            for label in sorted(found, key=lambda one: (one == ALL, one)):
                yield f"{_NAMES[figure]:22}{label:16}{_cells(found[label])}{_own(own.get(label))}"
        yield f"{'minutes a note':38}{_cells(self.whole.minutes)}"
        for figure in ("accepted", "f1") if self.slices else ():
            yield f"{_NAMES[figure]}, by kind of note:"
            for (name, value), one in sorted(self.slices.items()):
                yield f"  {f'{name}: {value}'[:35]:36}{_cells(getattr(one, figure)[ALL])}"
        yield f"the promise of {self.promised:g} {self.promise}"

    @property
    def promise(self) -> str:
        """Say how it is with the promise."""
        if self.quality.watched.found is not None:
            return "is broken: audits show it, at a level of 1% a year"
        if self.quality.harm.verdict == "holds":
            return "holds, as far as audits tell"
        return "is neither shown to hold nor to be broken: too few audited mentions"


def known(
    engine: Engine, promised: float, slices: Sequence[str], now: datetime, since: datetime | None = None
) -> Known:
    """Return what audits say of the champion.

    Parameters
    ----------
    engine : Engine
    promised : float
        Precision of its accepted mentions.
    slices : sequence of str
        Columns of metadata.
    now : datetime
    since : datetime, optional
        Only plans that end later.

    Raises
    ------
    DatabaseError
        When there was no champion.
    """
    with reading(engine) as connection:
        version, labels, promoted = at_work(connection)
    notes, frame = audited(engine, version, since, None, slices)
    return Known(
        version,
        promised,
        len(notes),
        sum(span.accepted for note in notes for span in note.spans),
        sum(part.notes for part in frame.strata.values()),
        estimates(notes, frame.strata, labels),
        by_slice(notes, frame, labels),
        Promise(engine, version, labels, promised, promoted).quality(now),
    )


def _cells(one: Estimate) -> str:
    if one.value is None:
        return f"{'-':>10}{'':18}  {one.reason}"
    reason = f"  {one.reason}" if one.reason else ""
    return f"{one.value:10.3f}{f'{one.low:.3f} to {one.high:.3f}':>18}{reason}"


def _own(one: Estimate | None) -> str:
    return "" if one is None or one.value is None else f"  ({one.value:.3f})"

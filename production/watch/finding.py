"""What the watch found, as all that follows from it takes it: the decision log, alerts, triggers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stages.monitor.decision import ALERTING


@dataclass(frozen=True)
class Finding:
    """What was found of one period.

    Parameters
    ----------
    topic : str
        What it is about: drift (do the notes change?), learned (are these the notes that the model learned from?),
        undelivered (did every message reach its channel?). An alert is open at most once a topic.
    decision : str
        One of `stages.monitor.decision.SEVERITIES`.
    reasons : tuple of str
        Worst first; no word of a note.
    model_version : str
    period : str
        What names the period: the same period of the same version is the same finding, and is written once.
    since, until : datetime
        Of the notes.
    acts : bool
        Whether a pipeline may be started by it; else people are told at most.
    figures : mapping
        What else is kept of it, as JSON: sizes, intervals, counts.
    """

    topic: str
    decision: str
    reasons: tuple[str, ...]
    model_version: str
    period: str
    since: datetime
    until: datetime
    acts: bool
    figures: dict[str, Any]

    @property
    def alerting(self) -> bool:
        """Whether a person must be told."""
        return self.decision in ALERTING

    @property
    def harmed(self) -> bool:
        """Whether people found in audits that the promise is broken."""
        return is_harmed(self.figures)


def is_harmed(figures: Mapping[str, Any]) -> bool:
    """Tell by the figures of a finding whether people found in audits that the promise is broken."""
    quality = figures.get("quality") or {}
    return bool(quality.get("verdict") == "falls" and quality.get("audited"))

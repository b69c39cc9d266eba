"""How far two of a kind agree: champion and challenger on the same notes, and reviewers of the same notes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from annotation.agreement.output import as_json
from production.database.engine import DatabaseError
from production.inference.agreement import agreement, versions_of
from production.review.agreement import agreement_of
from production.rollup.place import Place

SHOWN = 20
"""Notes that differ, by source and identifier."""
_UNNAMED = "0" * 32
"""A key of names that nobody sees: of documents there are figures alone."""


def shadow(place: Place, now: datetime) -> dict[str, Any]:
    """Return how far the challenger agrees with the champion; None where it looked at no note beside it."""
    try:
        champion, challenger = versions_of(place.engine)
    except DatabaseError:
        return {"compared": None}
    found = agreement(place.engine, champion, challenger)
    differ = {"differ": len(found.differing), "differing": found.as_json()["differing"][:SHOWN]}
    return {"compared": {**found.as_json(), **differ} if found.notes else None}


def reviewers(place: Place, now: datetime) -> dict[str, Any]:
    """Return how far people agree who read the same notes; None where no two did."""
    params = place.evaluate
    found = agreement_of(place.engine, _UNNAMED, resamples=params.resamples, seed=params.seed)
    return {"agreement": as_json(found.panel, found.scores, found.stretches, found.disputes) if found else None}

"""How right the champion is, from reviews: against its promise, month by month, by label and kind of note."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from production.review.estimates import estimates
from production.review.estimating import known
from production.review.evidence import PlannedAudit, audited_plans, evidence_of
from production.review.status import status_of, weekly
from production.rollup.place import SPAN, Place, written


def quality(place: Place, now: datetime) -> dict[str, Any]:
    """Return what is known of the champion, and what reviewing took."""
    reviews = {
        "status": status_of(place.engine, now).as_json(),
        "weekly_minutes": place.weekly_minutes,
        "weeks": [one._asdict() for one in weekly(place.engine, now - SPAN)],
    }
    champion = place.champion()
    if champion is None:
        return {"champion": None, "known": None, "months": [], "reviews": reviews}
    plans = audited_plans(place.engine, champion.version)
    months = by_month(plans, champion.labels)
    del plans  # a year's reviews are some hundred megabytes, and are read again
    return {
        "champion": {"version": champion.version, "labels": champion.labels, "since": written(champion.since)},
        "known": known(place.engine, place.promised, place.slices, now).as_json(),
        "months": months,
        "reviews": reviews,
    }


def by_month(plans: Sequence[PlannedAudit], labels: Sequence[str]) -> list[dict[str, Any]]:
    """Estimate everything from the audits of each month, which has the plans that end in it."""
    months: dict[str, list[PlannedAudit]] = defaultdict(list)
    for one in plans:
        months[f"{one.until:%Y-%m}"].append(one)
    return [_month(name, months[name], labels) for name in sorted(months)]


def _month(name: str, plans: Sequence[PlannedAudit], labels: Sequence[str]) -> dict[str, Any]:
    notes, frame = evidence_of(plans)
    found = estimates(notes, frame.strata, labels)
    return {"month": name, "reviewed": len(notes), "estimates": asdict(found)}

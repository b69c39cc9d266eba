"""How things stand: notes, the champion, the last decision and the next one, and what the extractor saves."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from production.database.champion import AtWork
from production.database.status import counts
from production.review.savings import savings
from production.rollup.drift import window_as_json
from production.rollup.place import Place, written
from production.watch.history import newest
from production.watch.status import status
from stages.common.files import read_json
from stages.evaluate.kpi import ERRORS, HOURS
from stages.monitor.times import as_utc

_SHADOW = "(shadow)"


def today(place: Place, now: datetime) -> dict[str, Any]:
    """Return how things stand."""
    champion, last = place.champion(), newest(place.engine)
    return {
        "notes": _notes(place),
        "champion": _champion(champion),
        "decision": window_as_json(last) if last else None,
        **_open(place, now),
        "kpi": {"measured": _measured(place, champion, now), "expected": _expected(place)},
    }


def _notes(place: Place) -> dict[str, Any]:
    found = counts(place.engine)
    served = sum(number for name, number in found["results"].items() if not name.endswith(_SHADOW))
    return {"served": served, "quarantined": sum(found["quarantine"].values()), **found}


def _champion(champion: AtWork | None) -> dict[str, Any] | None:
    if champion is None:
        return None
    return {"version": champion.version, "labels": list(champion.labels), "since": written(champion.since)}


def _open(place: Place, now: datetime) -> dict[str, Any]:
    found = status(place.engine, place.watch, now, 1)
    undelivered = found["undelivered"]
    return {
        "due": written(found["due"]),
        "overdue": found["overdue"],
        "ahead": found["ahead"],
        "alerts": [{**one, "opened_at": written(as_utc(one["opened_at"]))} for one in found["alerts"]],
        "undelivered": {
            "failed": sum(one["attempts"] > 0 for one in undelivered),
            "waiting": sum(not one["attempts"] for one in undelivered),
        },
    }


def _measured(place: Place, champion: AtWork | None, now: datetime) -> dict[str, Any] | None:
    if champion is None:
        return None
    return savings(place.engine, champion.version, champion.since, place.evaluate, now).as_json()


def _expected(place: Place) -> dict[str, Any] | None:
    """Return what the model saved on test documents, with what is saved in hours and errors."""
    if not place.kpi.is_file():
        return None
    found = read_json(place.kpi)
    return {**found, "difference": _difference(found)}


def _difference(found: dict[str, Any]) -> dict[str, float] | None:
    """Return what is saved, from the shares: the work by hand has no spread where its minutes are assumed."""
    old, share = found.get("before"), found.get("saved")
    if not old or not share:
        return None
    return {
        f"{name}{end}": old[name] * share[f"{name.split('_')[0]}{end}"]
        for name in (HOURS, ERRORS)
        for end in ("", "_low", "_high")
        if share[f"{name.split('_')[0]}{end}"] is not None
    }

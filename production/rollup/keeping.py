"""Computing every subject, and keeping it: one row each, all in one transaction."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from production.database.engine import kind_of, writing
from production.database.rollup_tables import ROLLUPS
from production.rollup.agreeing import reviewers, shadow
from production.rollup.drift import drift
from production.rollup.place import Place
from production.rollup.quality import quality
from production.rollup.reading import FAULT, SHAPE, SHAPE_KEY
from production.rollup.today import today
from stages.common.errors import BeHealthyError
from stages.common.files import rounded

SUBJECTS: Mapping[str, Callable[[Place, datetime], dict[str, Any]]] = {
    "today": today,
    "drift": drift,
    "quality": quality,
    "shadow": shadow,
    "reviewers": reviewers,
}
_DIGITS = 6


def roll_up(place: Place, now: datetime) -> dict[str, dict[str, Any]]:
    """Compute all subjects and keep them; return them by name."""
    subjects = {name: _computed(name, compute, place, now) for name, compute in SUBJECTS.items()}
    with writing(place.engine) as connection:
        dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
        for name, content in subjects.items():
            row = {"content": content, "written_at": now}
            statement = dialect.insert(ROLLUPS).values(name=name, **row)
            connection.execute(statement.on_conflict_do_update(index_elements=[ROLLUPS.c.name], set_=row))
    return subjects


def _computed(
    name: str, compute: Callable[[Place, datetime], dict[str, Any]], place: Place, now: datetime
) -> dict[str, Any]:
    """Return a subject, or why there is none: what was kept before must not look like today's."""
    try:
        found = compute(place, now)
        content: dict[str, Any] = json.loads(json.dumps(rounded(found, _DIGITS), allow_nan=False))
        return {SHAPE_KEY: SHAPE, **content}
    except BeHealthyError as error:
        why = str(error)
    except DBAPIError as error:
        why = f"the database did not do it ({kind_of(error)})"
    except Exception as error:  # which may quote a note
        why = f"it was stopped by an unforeseen {type(error).__name__}"
    sys.stderr.write(f"rollup: {name}: NOT computed: {why}\n")
    return {FAULT: why}

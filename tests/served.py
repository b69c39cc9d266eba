"""A hospital that was served for weeks: rows of its serving log, of which the truth is known."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Engine, insert, select, update

from production.database.engine import writing
from production.database.schema import MODEL_VERSIONS, SERVING_LOG
from production.watch.params import WatchParams
from production.watch.params import load_params as load_watch_params
from stages.common.documents import Document
from stages.common.files import write_table
from stages.common.labels import ASSERTION_COLUMNS, QUARANTINED
from stages.monitor.params import MonitorParams, load_params
from stages.monitor.serving import profile_schema, quarantined_row

LABELS = ("Disease", "Treatment")
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
WEEK = timedelta(days=7)
NOTES = 120
"""Of a week, where a test says no other number."""
_SPECIALITIES = ("cardiology", "neurology", "surgery", "oncology")
_SHARES = np.array([0.4, 0.3, 0.3, 0.0])


def watched(*columns: str, slices: tuple[str, ...] = ()) -> MonitorParams:
    """Return the project's parameters with fewer columns, so that tests are quick."""
    return load_params().model_copy(update={"columns": list(columns), "slices": list(slices)})


def params_of(**changed: Any) -> WatchParams:
    """Return the project's parameters with a reference of three such weeks."""
    return load_watch_params().model_copy(
        update={"window": "week", "reference_notes": 3 * NOTES, "reference_windows": 8, **changed}
    )


@dataclass
class Hospital:
    """Serves notes; `drift` moves so much of cardiology to oncology, which is the deviation of `speciality` in truth.

    Parameters
    ----------
    engine : Engine
    seed : int
    """

    engine: Engine
    seed: int = 0
    chance: np.random.Generator = field(init=False)
    _notes: int = 0

    def __post_init__(self) -> None:
        self.chance = np.random.default_rng(self.seed)

    def promote(self, version: str = "1", at: datetime = MONDAY) -> None:
        """Let a version be champion from a moment on."""
        values = {"champion_since": at}
        with writing(self.engine) as connection:
            same = MODEL_VERSIONS.c.model_version == version
            if connection.execute(select(MODEL_VERSIONS.c.digest).where(same)).first():
                connection.execute(update(MODEL_VERSIONS).where(same).values(**values))
                return
            known = {"model_version": version, "digest": "0" * 32, "labels": list(LABELS), "first_seen": at}
            connection.execute(insert(MODEL_VERSIONS).values(**known, **values))

    def serve(
        self,
        since: datetime,
        notes: int,
        *,
        drift: float = 0.0,
        quarantined: float = 0.0,
        version: str = "1",
        days: float = 7.0,
    ) -> None:
        """Serve so many notes, evenly over some days; a share of them is set aside."""
        rows = [
            {
                "served_at": since + timedelta(days=days) * number / notes,
                "model_version": version,
                "probability": 1.0,
                "row": self._set_aside(row) if number < notes * quarantined else row,
            }
            for number, row in enumerate(self.rows(notes, drift))
        ]
        if rows:
            with writing(self.engine) as connection:
                connection.execute(insert(SERVING_LOG), rows)

    def weeks(self, first: int, last: int, notes: int, *, drift: float = 0.0, quarantined: float = 0.0) -> None:
        """Serve so many notes in each of some weeks, numbered from 0."""
        for week in range(first, last + 1):
            self.serve(MONDAY + week * WEEK, notes, drift=drift, quarantined=quarantined)

    def _set_aside(self, row: dict[str, Any]) -> dict[str, Any]:
        note = Document(id="", text="", metadata={"speciality": row["speciality"], "note_type": row["note_type"]})
        return quarantined_row(row["note"], note, row["characters"], LABELS)

    def rows(self, notes: int, drift: float = 0.0) -> list[dict[str, Any]]:
        """Return rows of the log."""
        shares = _SHARES + drift * np.array([-1.0, 0.0, 0.0, 1.0])
        specialities = self.chance.choice(_SPECIALITIES, size=notes, p=shares)
        tokens = self.chance.poisson(60, size=notes)
        found = self.chance.poisson(3, size=(notes, len(LABELS)))
        confidences = self.chance.beta(18, 2, size=notes)
        self._notes += notes
        return [
            {
                "note": f"{self.seed}-{self._notes - notes + number}",
                "note_type": "letter" if number % 2 else "discharge",
                "speciality": str(specialities[number]),
                "sex": None,
                "age_band": None,
                "month": None,
                "characters": int(tokens[number]) * 6,
                "sentences": int(tokens[number]) // 12 + 1,
                "tokens": int(tokens[number]),
                "unknown_tokens": 0.0,
                "diseases": int(found[number, 0]),
                "treatments": int(found[number, 1]),
                "confidence": float(confidences[number]),
                **dict.fromkeys(ASSERTION_COLUMNS, 0.0),
                QUARANTINED: 0,
            }
            for number in range(notes)
        ]

    def profile(self, file: Path, documents: int) -> Path:
        """Write a training profile of the same population."""
        write_table(file, pd.DataFrame(self.rows(documents)), profile_schema(LABELS))
        return file

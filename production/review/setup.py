"""What a command of this room works with: the database, the key, and what the parameters say."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine

from production.database.revision import open_database
from production.review.keys import review_key, reviewer_of
from production.review.params import ReviewParams, load_params
from production.review.planning import Drawing
from stages.evaluate.params import load_params as load_evaluate
from stages.monitor.params import load_params as load_monitor


@dataclass(frozen=True)
class Desk:
    """A database of this revision, and whose reviews it takes."""

    engine: Engine
    key: str
    params: ReviewParams

    @classmethod
    def open(cls) -> Desk:
        """Open the database of the environment."""
        params, engine = load_params(), open_database()
        return cls(engine, review_key(engine), params)

    def reviewer(self, name: str) -> str:
        """Return the pseudonym of a person."""
        return reviewer_of(self.key, name)

    def drawing(self) -> Drawing:
        """Return what plans are made by."""
        return Drawing(self.key, self.params, load_evaluate().kpi.review_seconds, load_monitor().slices)

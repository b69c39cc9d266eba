"""The table of what the dashboard shows: computed by a command, read by pages."""

from __future__ import annotations

from sqlalchemy import JSON, Column, String, Table

from production.database.schema import METADATA, TIME

ROLLUPS = Table(
    "rollups",
    METADATA,
    Column("name", String(40), primary_key=True),  # a subject of `production.rollup.keeping`
    Column("content", JSON, nullable=False),  # figures; or why there are none
    Column("written_at", TIME, nullable=False),
)
"""Can be computed again at any time from the other tables."""

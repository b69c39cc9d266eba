"""Pairs are a view of the mentions, which have the names and sentences by which they are paired."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

NAMES = ("sentence", "disease", "treatment")
COLUMNS = "note_id, text_hash, model_version, number, disease, treatment, weight, confidence, flag"

CLOSEST_PAIRS = """
SELECT note_id, text_hash, model_version, number, disease, treatment, weight, confidence, flag
FROM (
  SELECT candidates.*,
    ROW_NUMBER() OVER (
      PARTITION BY note_id, text_hash, model_version, number
      ORDER BY CASE flag WHEN '' THEN 0 ELSE 1 END, weight DESC, confidence DESC, disease_start, treatment_start
    ) AS place
  FROM (
    SELECT d.note_id, d.text_hash, d.model_version,
      d.disease + t.treatment AS number,
      d.number AS disease, d.start AS disease_start, t.number AS treatment, t.start AS treatment_start,
      CASE abs(d.sentence - t.sentence) WHEN 0 THEN 1.0 WHEN 1 THEN 0.5 ELSE 0.2 END AS weight,
      d.confidence * t.confidence AS confidence,
      CASE
        WHEN t.assertion = 'family' THEN 'family'
        WHEN d.assertion IN ('negated', 'family') THEN d.assertion
        WHEN t.assertion = 'negated' THEN 'negated'
        ELSE ''
      END AS flag
    FROM mentions d
    JOIN mentions t ON t.note_id = d.note_id AND t.text_hash = d.text_hash
      AND t.model_version = d.model_version AND t.kind = d.kind
    WHERE d.kind = 'mention' AND d.disease IS NOT NULL AND t.treatment IS NOT NULL
  ) AS candidates
) AS ranked
WHERE place = 1
"""


def upgrade() -> None:
    """Bring the tables to this revision: pairs that were written stay as they are, and nothing is copied."""
    for name in NAMES:
        op.add_column("mentions", sa.Column(name, sa.Integer(), nullable=True))
    op.rename_table("pairs", "earlier_pairs")
    op.execute(f"CREATE VIEW pairs AS {CLOSEST_PAIRS} UNION ALL SELECT {COLUMNS} FROM earlier_pairs")  # noqa: S608 (all ours)


def downgrade() -> None:
    """Write the pairs of the view, and take away what they are made of."""
    op.execute(f"INSERT INTO earlier_pairs ({COLUMNS}) {CLOSEST_PAIRS}")
    op.execute("DROP VIEW pairs")
    op.rename_table("earlier_pairs", "pairs")
    for name in NAMES:
        op.execute(f"ALTER TABLE mentions DROP COLUMN {name}")  # not by a copy, as Alembic does on SQLite

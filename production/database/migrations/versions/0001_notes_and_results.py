"""Notes, results, and what is watched."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

CURRENT_RESULTS = """
CREATE VIEW current_results AS
SELECT * FROM (
  SELECT r.*, n.source, n.source_id,
    ROW_NUMBER() OVER (PARTITION BY r.note_id ORDER BY v.champion_since DESC) AS place
  FROM results r
  JOIN notes n ON n.note_id = r.note_id AND n.current_hash = r.text_hash
  JOIN model_versions v ON v.model_version = r.model_version
  WHERE NOT r.shadow AND v.champion_since IS NOT NULL
) AS ranked WHERE place = 1
"""


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.create_table(
        "model_versions",
        sa.Column("model_version", sa.String(length=64), nullable=False),
        sa.Column("commit", sa.String(length=64), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("champion_since", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("model_version", name=op.f("pk_model_versions")),
    )
    op.create_table(
        "notes",
        sa.Column("note_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("source_id", sa.String(length=200), nullable=False),
        sa.Column("current_hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("note_id", name=op.f("pk_notes")),
        sa.UniqueConstraint("source", "source_id", name=op.f("uq_notes_source_source_id")),
    )
    op.create_table(
        "serving_log",
        sa.Column("log_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("served_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("model_version", sa.String(length=64), nullable=False),
        sa.Column("probability", sa.Float(), nullable=False),
        sa.Column("row", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("log_id", name=op.f("pk_serving_log")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_serving_log_served_at", "serving_log", ["served_at"])
    op.create_table(
        "note_texts",
        sa.Column("note_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("text_hash", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("pending", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["note_id"], ["notes.note_id"], name=op.f("fk_note_texts_notes"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("note_id", "text_hash", name=op.f("pk_note_texts")),
    )
    op.create_index(
        "ix_note_texts_waiting",
        "note_texts",
        ["note_id"],
        postgresql_where=sa.text("pending"),
        sqlite_where=sa.text("pending"),
    )
    op.create_table(
        "quarantine",
        sa.Column("quarantine_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("source_id", sa.String(length=200), nullable=True),
        sa.Column("file", sa.String(length=400), nullable=True),
        sa.Column("line", sa.Integer(), nullable=True),
        sa.Column("note_id", sa.BigInteger(), nullable=True),
        sa.Column("text_hash", sa.String(length=64), nullable=True),
        sa.Column("model_version", sa.String(length=64), nullable=True),
        sa.Column("step", sa.String(length=24), nullable=False),
        sa.Column("reason", sa.String(length=400), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["note_id", "text_hash"],
            ["note_texts.note_id", "note_texts.text_hash"],
            name=op.f("fk_quarantine_note_texts"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("quarantine_id", name=op.f("pk_quarantine")),
        sa.UniqueConstraint(
            "note_id", "text_hash", "model_version", name=op.f("uq_quarantine_note_id_text_hash_model_version")
        ),
    )
    op.create_table(
        "results",
        sa.Column("note_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("text_hash", sa.String(length=64), nullable=False),
        sa.Column("model_version", sa.String(length=64), nullable=False),
        sa.Column("shadow", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sentences", sa.Integer(), nullable=False),
        sa.Column("tokens", sa.Integer(), nullable=False),
        sa.Column("unknown_tokens", sa.Float(), nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_version"], ["model_versions.model_version"], name=op.f("fk_results_model_versions")
        ),
        sa.ForeignKeyConstraint(
            ["note_id", "text_hash"],
            ["note_texts.note_id", "note_texts.text_hash"],
            name=op.f("fk_results_note_texts"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("note_id", "text_hash", "model_version", name=op.f("pk_results")),
    )
    op.create_index("ix_results_created_at", "results", ["created_at"])
    op.create_table(
        "exported",
        sa.Column("target", sa.String(length=200), nullable=False),
        sa.Column("note_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("text_hash", sa.String(length=64), nullable=False),
        sa.Column("model_version", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["note_id", "text_hash", "model_version"],
            ["results.note_id", "results.text_hash", "results.model_version"],
            name=op.f("fk_exported_results"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("target", "note_id", "text_hash", "model_version", name=op.f("pk_exported")),
    )
    op.create_table(
        "mentions",
        sa.Column("note_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("text_hash", sa.String(length=64), nullable=False),
        sa.Column("model_version", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("end", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(length=64), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("assertion", sa.String(length=12), nullable=False),
        sa.CheckConstraint("kind in ('mention', 'suggestion')", name=op.f("ck_mentions_kind")),
        sa.CheckConstraint('"start" >= 0 and "end" > "start"', name=op.f("ck_mentions_offsets")),
        sa.CheckConstraint("confidence between 0 and 1", name=op.f("ck_mentions_confidence")),
        sa.ForeignKeyConstraint(
            ["note_id", "text_hash", "model_version"],
            ["results.note_id", "results.text_hash", "results.model_version"],
            name=op.f("fk_mentions_results"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("note_id", "text_hash", "model_version", "kind", "number", name=op.f("pk_mentions")),
    )
    op.create_table(
        "pairs",
        sa.Column("note_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("text_hash", sa.String(length=64), nullable=False),
        sa.Column("model_version", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("disease", sa.Integer(), nullable=False),
        sa.Column("treatment", sa.Integer(), nullable=False),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("flag", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(
            ["note_id", "text_hash", "model_version"],
            ["results.note_id", "results.text_hash", "results.model_version"],
            name=op.f("fk_pairs_results"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("note_id", "text_hash", "model_version", "number", name=op.f("pk_pairs")),
    )
    op.execute(CURRENT_RESULTS)


def downgrade() -> None:
    """Drop everything."""
    op.execute("DROP VIEW current_results")
    op.drop_table("pairs")
    op.drop_table("mentions")
    op.drop_table("exported")
    op.drop_table("results")
    op.drop_table("quarantine")
    op.drop_table("note_texts")
    op.drop_table("serving_log")
    op.drop_table("notes")
    op.drop_table("model_versions")

"""What people are to look at and what they say of it; what is watched, decided, and told."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.create_table(
        "decisions",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_decisions")),
    )
    op.create_index("ix_decisions_kind", "decisions", ["kind", "number"], unique=False)
    op.create_table(
        "review_plans",
        sa.Column("plan_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("model_version", sa.String(length=64), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("minutes", sa.Float(), nullable=False),
        sa.Column("strata", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("plan_id", name=op.f("pk_review_plans")),
        sa.UniqueConstraint("model_version", "since", name=op.f("uq_review_plans_model_version_since")),
    )
    op.create_table(
        "watch_references",
        sa.Column("scheme", sa.String(length=20), nullable=False),
        sa.Column("model_version", sa.String(length=64), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("first_log_id", sa.BigInteger(), nullable=True),
        sa.Column("last_log_id", sa.BigInteger(), nullable=True),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("scheme", "model_version", "since", name=op.f("pk_watch_references")),
    )
    op.create_table(
        "alerts",
        sa.Column("alert_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("topic", sa.String(length=60), nullable=False),
        sa.Column("model_version", sa.String(length=64), nullable=False),
        sa.Column("decision", sa.String(length=20), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_by", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["closed_by"], ["decisions.number"], name="fk_alerts_closed_by"),
        sa.ForeignKeyConstraint(["opened_by"], ["decisions.number"], name="fk_alerts_opened_by"),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_alerts")),
    )
    op.create_index(
        "uq_alerts_open_topic",
        "alerts",
        ["topic"],
        unique=True,
        postgresql_where=sa.text("closed_at is null"),
        sqlite_where=sa.text("closed_at is null"),
    )
    op.create_table(
        "outbox",
        sa.Column("message_id", sa.String(length=64), nullable=False),
        sa.Column("decided_by", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=60), nullable=False),
        sa.Column("topic", sa.String(length=60), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fault", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(["decided_by"], ["decisions.number"], name=op.f("fk_outbox_decisions")),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_outbox")),
    )
    op.create_index("ix_outbox_decided_by", "outbox", ["decided_by"], unique=False)
    op.create_index(
        "ix_outbox_undelivered",
        "outbox",
        ["next_at"],
        unique=False,
        postgresql_where=sa.text("delivered_at is null"),
        sqlite_where=sa.text("delivered_at is null"),
    )
    op.create_table(
        "watch_resets",
        sa.Column("reset_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("model_version", sa.String(length=64), nullable=False),
        sa.Column("decided_by", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["decided_by"], ["decisions.number"], name=op.f("fk_watch_resets_decisions")),
        sa.PrimaryKeyConstraint("reset_id", name=op.f("pk_watch_resets")),
    )
    op.create_table(
        "watch_windows",
        sa.Column("window_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("scheme", sa.String(length=20), nullable=False),
        sa.Column("model_version", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("first_log_id", sa.BigInteger(), nullable=True),
        sa.Column("last_log_id", sa.BigInteger(), nullable=True),
        sa.Column("notes", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(length=10), nullable=False),
        sa.Column("decision", sa.String(length=20), nullable=False),
        sa.Column("acts", sa.Boolean(), nullable=False),
        sa.Column("judged", sa.JSON(), nullable=False),
        sa.Column("decided_by", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["decided_by"], ["decisions.number"], name=op.f("fk_watch_windows_decisions")),
        sa.PrimaryKeyConstraint("window_id", name=op.f("pk_watch_windows")),
        sa.UniqueConstraint("model_version", "name", "since", name=op.f("uq_watch_windows_model_version_name_since")),
    )
    op.create_table(
        "review_tasks",
        sa.Column("task_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("note_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("text_hash", sa.String(length=64), nullable=False),
        sa.Column("model_version", sa.String(length=64), nullable=False),
        sa.Column("stream", sa.String(length=10), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("stratum", sa.String(length=12), nullable=False),
        sa.Column("probability", sa.Float(), nullable=False),
        sa.Column("plan_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("reviewer", sa.String(length=64), nullable=True),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("stream in ('work', 'audit')", name=op.f("ck_review_tasks_stream")),
        sa.CheckConstraint("probability > 0 and probability <= 1", name=op.f("ck_review_tasks_probability")),
        sa.ForeignKeyConstraint(
            ["note_id", "text_hash", "model_version"],
            ["results.note_id", "results.text_hash", "results.model_version"],
            name=op.f("fk_review_tasks_results"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["plan_id"], ["review_plans.plan_id"], name=op.f("fk_review_tasks_review_plans")),
        sa.PrimaryKeyConstraint("task_id", name=op.f("pk_review_tasks")),
        sa.UniqueConstraint(
            "note_id",
            "text_hash",
            "model_version",
            "stream",
            "place",
            name=op.f("uq_review_tasks_note_id_text_hash_model_version_stream_place"),
        ),
    )
    op.create_index(
        "ix_review_tasks_open",
        "review_tasks",
        ["stream", "task_id"],
        unique=False,
        postgresql_where=sa.text("done_at is null"),
        sqlite_where=sa.text("done_at is null"),
    )
    op.create_table(
        "reviews",
        sa.Column("review_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("task_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("reviewer", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("corrects", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(
            ["corrects"], ["reviews.review_id"], name=op.f("fk_reviews_reviews"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["task_id"], ["review_tasks.task_id"], name=op.f("fk_reviews_review_tasks"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("review_id", name=op.f("pk_reviews")),
        sa.UniqueConstraint("corrects", name=op.f("uq_reviews_corrects")),
    )
    op.create_index("ix_reviews_task_id", "reviews", ["task_id"], unique=False)
    op.create_table(
        "review_spans",
        sa.Column(
            "review_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("shown", sa.Integer(), nullable=True),
        sa.Column("decision", sa.String(length=8), nullable=False),
        sa.Column("start", sa.Integer(), nullable=True),
        sa.Column("end", sa.Integer(), nullable=True),
        sa.Column("label", sa.String(length=64), nullable=True),
        sa.Column("assertion", sa.String(length=12), nullable=True),
        sa.CheckConstraint("(decision = 'reject') = (label is null)", name=op.f("ck_review_spans_right")),
        sa.CheckConstraint("(kind = 'missed') = (shown is null)", name=op.f("ck_review_spans_shown")),
        sa.CheckConstraint(
            "decision in ('accept', 'change', 'reject', 'missed')", name=op.f("ck_review_spans_decision")
        ),
        sa.CheckConstraint("kind in ('mention', 'suggestion', 'missed')", name=op.f("ck_review_spans_kind")),
        sa.ForeignKeyConstraint(
            ["review_id"], ["reviews.review_id"], name=op.f("fk_review_spans_reviews"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("review_id", "number", name=op.f("pk_review_spans")),
    )


def downgrade() -> None:
    """Take them away again."""
    op.drop_table("review_spans")
    op.drop_index("ix_reviews_task_id", table_name="reviews")
    op.drop_table("reviews")
    op.drop_index(
        "ix_review_tasks_open",
        table_name="review_tasks",
        postgresql_where=sa.text("done_at is null"),
        sqlite_where=sa.text("done_at is null"),
    )
    op.drop_table("review_tasks")
    op.drop_table("watch_windows")
    op.drop_table("watch_resets")
    op.drop_index("ix_outbox_decided_by", table_name="outbox")
    op.drop_index(
        "ix_outbox_undelivered",
        table_name="outbox",
        postgresql_where=sa.text("delivered_at is null"),
        sqlite_where=sa.text("delivered_at is null"),
    )
    op.drop_table("outbox")
    op.drop_index(
        "uq_alerts_open_topic",
        table_name="alerts",
        postgresql_where=sa.text("closed_at is null"),
        sqlite_where=sa.text("closed_at is null"),
    )
    op.drop_table("alerts")
    op.drop_table("watch_references")
    op.drop_table("review_plans")
    op.drop_index("ix_decisions_kind", table_name="decisions")
    op.drop_table("decisions")

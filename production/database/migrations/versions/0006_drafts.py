"""What a reviewer has decided so far, on a note that is not handed in yet."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.create_table(
        "review_drafts",
        sa.Column("task_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("reviewer", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decisions", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["task_id"], ["review_tasks.task_id"], name=op.f("fk_review_drafts_review_tasks"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("task_id", "reviewer", name=op.f("pk_review_drafts")),
    )


def downgrade() -> None:
    """Take them away again."""
    op.drop_table("review_drafts")

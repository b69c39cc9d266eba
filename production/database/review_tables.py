"""The tables of what people do: which notes they are to look at, and what they said of them.

A review is never changed: whoever was wrong writes another one that corrects it. A draft is what somebody has decided
so far, and goes when the note is handed in or given back. A reviewer is a pseudonym. Spans have
offsets and labels, and no surface: clinical text stands in one column of one table (`production.database.schema`).
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
    text,
)

from production.database.schema import METADATA, NUMBER, TIME, key_columns, of_result

REVIEW_PLANS = Table(
    "review_plans",
    METADATA,
    Column("plan_id", NUMBER, primary_key=True),
    Column("model_version", String(64), nullable=False),
    Column("since", TIME, nullable=False),  # results that were written from then on,
    Column("until", TIME, nullable=False),  # and before
    Column("planned_at", TIME, nullable=False),
    Column("minutes", Float, nullable=False),  # the budget of the audit
    Column("strata", JSON, nullable=False),  # of each: its notes, and the probability with which one is drawn
    UniqueConstraint("model_version", "since"),
)

REVIEW_TASKS = Table(
    "review_tasks",
    METADATA,
    Column("task_id", NUMBER, primary_key=True),
    *key_columns(primary=False),
    Column("stream", String(10), nullable=False),  # work: what is not accepted; audit: a random sample of all
    Column("place", Integer, nullable=False),  # 1; 2 for the second reader of a note that two people read
    Column("stratum", String(12), nullable=False),  # accepted, queried, suggested, silent
    Column("probability", Float, nullable=False),  # with which the note was drawn; 1 for work
    Column("plan_id", ForeignKey("review_plans.plan_id"), nullable=False),
    Column("seconds", Float, nullable=False),  # that it is expected to take
    Column("reviewer", String(64)),  # who has it or had it
    Column("claimed_until", TIME),  # after it, another may have the note
    Column("done_at", TIME),
    UniqueConstraint("note_id", "text_hash", "model_version", "stream", "place"),
    of_result(),
    CheckConstraint("stream in ('work', 'audit')", name="stream"),
    CheckConstraint("probability > 0 and probability <= 1", name="probability"),
)
Index(
    "ix_review_tasks_open",
    REVIEW_TASKS.c.stream,
    REVIEW_TASKS.c.task_id,
    postgresql_where=text("done_at is null"),
    sqlite_where=text("done_at is null"),
)

REVIEWS = Table(
    "reviews",
    METADATA,
    Column("review_id", NUMBER, primary_key=True),
    Column("task_id", ForeignKey("review_tasks.task_id", ondelete="CASCADE"), nullable=False),
    Column("reviewer", String(64), nullable=False),
    Column("at", TIME, nullable=False),  # when it was handed in
    Column("seconds", Float, nullable=False),  # of looking, pauses left out
    Column("corrects", ForeignKey("reviews.review_id", ondelete="CASCADE")),
    UniqueConstraint("corrects"),  # a review is corrected once; the correction may be corrected again
)
Index("ix_reviews_task_id", REVIEWS.c.task_id)

REVIEW_SPANS = Table(
    "review_spans",
    METADATA,
    Column("review_id", ForeignKey("reviews.review_id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),  # from 0
    Column("kind", String(10), nullable=False),  # mention or suggestion of the model, or missed by it
    Column("shown", Integer),  # number of the mention or suggestion; null for what was missed
    Column("decision", String(8), nullable=False),
    Column("start", Integer),  # what is right; null, as are the next three, where it is rejected
    Column("end", Integer),
    Column("label", String(64)),
    Column("assertion", String(12)),
    CheckConstraint("kind in ('mention', 'suggestion', 'missed')", name="kind"),
    CheckConstraint("decision in ('accept', 'change', 'reject', 'missed')", name="decision"),
    CheckConstraint("(decision = 'reject') = (label is null)", name="right"),
    CheckConstraint("(kind = 'missed') = (shown is null)", name="shown"),
)

REVIEW_DRAFTS = Table(
    "review_drafts",
    METADATA,
    Column("task_id", ForeignKey("review_tasks.task_id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("reviewer", String(64), primary_key=True),
    Column("version", Integer, nullable=False),  # one more each time: two windows do not overwrite each other
    Column("at", TIME, nullable=False),
    Column("decisions", JSON, nullable=False),  # as far as they go: numbers, offsets, labels
)

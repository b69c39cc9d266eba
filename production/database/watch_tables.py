"""The tables of the watch: what each window of the serving log was, what was decided, and who has to be told.

A decision, the alert that it opens and the messages that it sends are written in one transaction (an outbox): what was
decided is told, at least once, whenever the sender dies. Nothing here has words of a note.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from production.database.schema import HASH, METADATA, NUMBER, TIME


def _row_numbers() -> list[Column[Any]]:
    """Return the ends of a window of so many rows of the serving log; null where it is a span of time."""
    return [Column(name, BigInteger) for name in ("first_log_id", "last_log_id")]


DECISIONS = Table(
    "decisions",
    METADATA,
    Column("number", BigInteger, primary_key=True, autoincrement=False),  # from 1, without gaps
    Column("at", TIME, nullable=False),
    Column("kind", String(20), nullable=False),  # window, promise, trigger, held, alert, over, reset
    Column("body", Text, nullable=False),  # JSON, keys sorted: what is hashed are these characters
    Column("previous", HASH, nullable=False),  # the hash of the decision before; zeros for the first
    Column("hash", HASH, nullable=False),
)
Index("ix_decisions_kind", DECISIONS.c.kind, DECISIONS.c.number)
"""Append-only: each row has the hash of the one before."""

WATCH_REFERENCES = Table(
    "watch_references",
    METADATA,
    Column("scheme", String(20), primary_key=True),
    Column("model_version", String(64), primary_key=True),
    Column("since", TIME, primary_key=True),
    Column("until", TIME, nullable=False),
    *_row_numbers(),
    Column("rows", Integer, nullable=False),  # of the serving log; another number means that it is no more what it was
    Column("at", TIME, nullable=False),
)
"""The first weeks served under a champion: do the notes change since?"""

WATCH_WINDOWS = Table(
    "watch_windows",
    METADATA,
    Column("window_id", NUMBER, primary_key=True),
    Column("scheme", String(20), nullable=False),  # day, week, or count-1000
    Column("model_version", String(64), nullable=False),
    Column("name", String(60), nullable=False),  # 2026-11-30, 2026-W49, count-1000 from 4001
    Column("since", TIME, nullable=False),
    Column("until", TIME, nullable=False),  # not in it
    *_row_numbers(),
    Column("notes", Integer, nullable=False),
    Column("reference", String(10), nullable=False),  # what decided: profile, or the notes served first
    Column("decision", String(20), nullable=False),
    Column("acts", Boolean, nullable=False),  # whether anything is started by it
    Column("judged", JSON, nullable=False),  # columns, slices, what the runs add up to, harm
    Column("decided_by", ForeignKey("decisions.number"), nullable=False),
    UniqueConstraint("model_version", "name", "since"),
)

WATCH_RESETS = Table(
    "watch_resets",
    METADATA,
    Column("reset_id", NUMBER, primary_key=True),
    Column("at", TIME, nullable=False),
    Column("model_version", String(64), nullable=False),
    Column("decided_by", ForeignKey("decisions.number"), nullable=False),
)
"""From when on windows add up anew; another champion begins anew by itself."""

ALERTS = Table(
    "alerts",
    METADATA,
    Column("alert_id", NUMBER, primary_key=True),
    Column("topic", String(60), nullable=False),  # drift, promise, learned, undelivered, or a pipeline
    Column("model_version", String(64), nullable=False),
    Column("decision", String(20), nullable=False),  # the worst while it was open
    Column("opened_at", TIME, nullable=False),
    Column("opened_by", ForeignKey("decisions.number", name="fk_alerts_opened_by"), nullable=False),
    Column("last_at", TIME, nullable=False),
    Column("closed_at", TIME),
    Column("closed_by", ForeignKey("decisions.number", name="fk_alerts_closed_by")),
)
Index(
    "uq_alerts_open_topic",
    ALERTS.c.topic,
    unique=True,
    postgresql_where=text("closed_at is null"),
    sqlite_where=text("closed_at is null"),
)

OUTBOX = Table(
    "outbox",
    METADATA,
    Column("message_id", HASH, primary_key=True),  # by which a receiver drops doubles; the same for the same decision
    Column("decided_by", ForeignKey("decisions.number"), nullable=False),
    Column("channel", String(60), nullable=False),  # trigger, issue, or the name of an address of alerts
    Column("topic", String(60), nullable=False),  # messages of one topic reach a channel in their order
    Column("body", Text, nullable=False),  # JSON
    Column("created_at", TIME, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", TIME, nullable=False),  # not before; moved ahead by whoever sends it now
    Column("delivered_at", TIME),
    Column("fault", String(200)),  # of the last attempt: kind of error, never what a server answered
)
Index("ix_outbox_decided_by", OUTBOX.c.decided_by)
Index(
    "ix_outbox_undelivered",
    OUTBOX.c.next_at,
    postgresql_where=text("delivered_at is null"),
    sqlite_where=text("delivered_at is null"),
)

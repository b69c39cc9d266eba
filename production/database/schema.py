"""The tables of production: notes and what was made of them.

A note is known by its source and the source's identifier. Each text that it ever had is kept, with the hash by which
it is told apart; the last one to arrive is the current one. A result belongs to a **note, a text and a version of the
model**: that triple is its key, so that nothing can be written twice. Surfaces of mentions are not stored: they are
``text[start:end]``, and clinical text stands in one column of one table (and in metadata).

Everything here is portable between SQLite and PostgreSQL. Times are UTC.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    column,
    table,
    text,
)

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
METADATA = MetaData(naming_convention=NAMES)

NUMBER = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself in an INTEGER only
TIME = DateTime(timezone=True)
HASH = String(64)


def key_columns(*, primary: bool = True) -> list[Column[Any]]:
    """Return the columns of the triple that a result is known by."""
    return [
        Column("note_id", BigInteger, primary_key=primary, autoincrement=False, nullable=False),
        Column("text_hash", HASH, primary_key=primary, nullable=False),
        Column("model_version", String(64), primary_key=primary, nullable=False),
    ]


def of_result() -> ForeignKeyConstraint:
    """Return that rows belong to a result, and go with it."""
    columns = ["note_id", "text_hash", "model_version"]
    return ForeignKeyConstraint(columns, [f"results.{column}" for column in columns], ondelete="CASCADE")


NOTES = Table(
    "notes",
    METADATA,
    Column("note_id", NUMBER, primary_key=True),
    Column("source", String(200), nullable=False),  # where it comes from: a ward, a system, a folder
    Column("source_id", String(200), nullable=False),  # what it is called there
    Column("current_hash", HASH, nullable=False),  # of the text that arrived last
    UniqueConstraint("source", "source_id"),
)

NOTE_TEXTS = Table(
    "note_texts",
    METADATA,
    Column("note_id", ForeignKey("notes.note_id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("text_hash", HASH, primary_key=True),  # SHA-256 of the text in UTF-8, hexadecimal
    Column("text", Text, nullable=False),
    Column("metadata", JSON, nullable=False),  # as it came: note_type, speciality, sex, age_band, whatever else
    Column("received_at", TIME, nullable=False),
    Column("pending", Boolean, nullable=False),  # no champion has looked at it yet; cleared with the result
)  # fmt: skip
Index(
    "ix_note_texts_waiting",
    NOTE_TEXTS.c.note_id,
    postgresql_where=text("pending"),
    sqlite_where=text("pending"),
)

MODEL_VERSIONS = Table(
    "model_versions",
    METADATA,
    Column("model_version", String(64), primary_key=True),  # of the registry; `local-` and a digest for a folder
    Column("commit", String(64)),
    Column("digest", String(64), nullable=False),  # MD5 of the model folder, as `dvc.lock` has it
    Column("labels", JSON, nullable=False),
    Column("first_seen", TIME, nullable=False),
    Column("champion_since", TIME),  # null for what was never champion here
)

RESULTS = Table(
    "results",
    METADATA,
    *key_columns(),
    Column("shadow", Boolean, nullable=False),  # written beside the champion's, and never current until it is adopted
    Column("created_at", TIME, nullable=False),
    Column("sentences", Integer, nullable=False),
    Column("tokens", Integer, nullable=False),
    Column("unknown_tokens", Float, nullable=False),  # share of the tokens, 0 to 1
    Column("accepted", Boolean, nullable=False),  # needs no person
    ForeignKeyConstraint(["note_id", "text_hash"], ["note_texts.note_id", "note_texts.text_hash"], ondelete="CASCADE"),
    ForeignKeyConstraint(["model_version"], ["model_versions.model_version"]),
)
Index("ix_results_created_at", RESULTS.c.created_at)

MENTIONS = Table(
    "mentions",
    METADATA,
    *key_columns(),
    Column("kind", String(10), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),  # from 0, in order of the offsets
    Column("start", Integer, nullable=False),  # characters of the text
    Column("end", Integer, nullable=False),
    Column("label", String(64), nullable=False),
    Column("confidence", Float, nullable=False),  # calibrated, 0 to 1
    Column("accepted", Boolean, nullable=False),
    Column("assertion", String(12), nullable=False),  # what it says of the patient
    Column("sentence", Integer),  # from 0; null, as are the next two, for what is in no pair
    Column("disease", Integer),  # its name's first pair; each name has one with every treatment, by the alphabet
    Column("treatment", Integer),  # how many pairs after that its name comes
    of_result(),
    CheckConstraint("kind in ('mention', 'suggestion')", name="kind"),
    CheckConstraint('"start" >= 0 and "end" > "start"', name="offsets"),
    CheckConstraint("confidence between 0 and 1", name="confidence"),
    sqlite_with_rowid=False,  # in the order of the keys, which are then kept once: half the file
)

EARLIER_PAIRS = Table(
    "earlier_pairs",  # written before mentions had their names; nothing is added to it
    METADATA,
    *key_columns(),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("disease", Integer, nullable=False),  # number of the mention
    Column("treatment", Integer, nullable=False),
    Column("weight", Float, nullable=False),  # by distance: one sentence, adjacent ones, one note
    Column("confidence", Float, nullable=False),
    Column("flag", String(12), nullable=False),  # why it does not count; empty where it does
    of_result(),
    sqlite_with_rowid=False,
)

PAIRS = table("pairs", *(column(one.name, one.type) for one in EARLIER_PAIRS.columns))
"""A view: of each name of a disease and each of a treatment in a note, the two mentions at which they are closest."""

QUARANTINE = Table(
    "quarantine",
    METADATA,
    Column("quarantine_id", NUMBER, primary_key=True),
    Column("source", String(200), nullable=False),
    Column("source_id", String(200)),  # null where it could not be read
    Column("file", String(400)),
    Column("line", Integer),
    Column("note_id", BigInteger),  # null for what never became a note
    Column("text_hash", HASH),
    Column("model_version", String(64)),
    Column("step", String(24), nullable=False),  # read, or the step of the pipeline
    Column("reason", String(400), nullable=False),  # never text of the note
    Column("at", TIME, nullable=False),
    UniqueConstraint("note_id", "text_hash", "model_version"),
    ForeignKeyConstraint(["note_id", "text_hash"], ["note_texts.note_id", "note_texts.text_hash"], ondelete="CASCADE"),
)

SERVING_LOG = Table(
    "serving_log",
    METADATA,
    Column("log_id", NUMBER, primary_key=True),
    Column("served_at", TIME, nullable=False),
    Column("model_version", String(64), nullable=False),
    Column("probability", Float, nullable=False),  # with which a note is logged
    Column("row", JSON, nullable=False),  # columns of `stages.common.tables.serving_log`: no text
    sqlite_autoincrement=True,  # no number twice, also when old rows are deleted: files name rows by their numbers
)
Index("ix_serving_log_served_at", SERVING_LOG.c.served_at)

EXPORTED = Table(
    "exported",
    METADATA,
    Column("target", String(200), primary_key=True),  # where to, and in which format
    *key_columns(),
    Column("at", TIME, nullable=False),
    of_result(),
)

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
"""Of each note the newest text, under the champion; where that has not looked at it, under the latest that has."""

ALL_PAIRS = """
CREATE VIEW pairs AS
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
UNION ALL
SELECT note_id, text_hash, model_version, number, disease, treatment, weight, confidence, flag FROM earlier_pairs
"""
"""By what mentions have, the rule of `production.record.pairs`."""

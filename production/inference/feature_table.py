"""The features of many notes as a table, which the suite `inference` of Great Expectations judges; no text."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
from sqlalchemy import Engine, select

from production.database.engine import reading
from production.database.schema import NOTE_TEXTS, NOTES
from production.inference.encode_data import Features, features_of


def table_of(features: Iterable[tuple[str, Features]]) -> pd.DataFrame:
    """Return one row per note under its number, in the columns of the suite."""
    rows = [
        {
            "document": name,
            "characters": one.characters,
            "longest_token": one.longest_token,
            "has_text": not one.is_blank,
            "has_no_nul": not one.has_nul,
            "has_whole_characters": not one.has_half_character,
        }
        for name, one in features
    ]
    columns = ["document", "characters", "longest_token", "has_text", "has_no_nul", "has_whole_characters"]
    return pd.DataFrame(rows, columns=columns)


def feature_table(engine: Engine, *, waiting: bool, source: str | None, last: int) -> pd.DataFrame:
    """Describe the newest notes of the database; texts are read one after the other, and not kept."""
    texts = NOTE_TEXTS.join(NOTES, NOTES.c.note_id == NOTE_TEXTS.c.note_id)
    query = select(NOTE_TEXTS.c.note_id, NOTE_TEXTS.c.text).select_from(texts)
    if waiting:
        query = query.where(NOTE_TEXTS.c.pending)
    if source is not None:
        query = query.where(NOTES.c.source == source)
    query = query.order_by(NOTE_TEXTS.c.note_id.desc()).limit(last)
    with reading(engine) as connection:
        rows = connection.execution_options(yield_per=500).execute(query)
        return table_of((str(row.note_id), features_of(row.text)) for row in rows)

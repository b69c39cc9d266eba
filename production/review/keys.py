"""The key under which notes are drawn and reviewers named, and what ties rows of reviews to results."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from production.database.engine import folder_of, reading
from production.database.schema import SERVING_LOG
from production.inference.log_key import log_key
from stages.common.pseudonyms import pseudonym

if TYPE_CHECKING:
    from sqlalchemy import Engine


def review_key(engine: Engine) -> str:
    """Return the key of the serving log, which stands beside the database or in the environment."""

    def has_names() -> bool:
        with reading(engine) as connection:
            return connection.execute(sa.select(SERVING_LOG.c.log_id).limit(1)).first() is not None

    return log_key(folder_of(engine.url), has_names)


def reviewer_of(key: str, name: str) -> str:
    """Return the pseudonym of a person, who types the name in any case; the name itself is stored nowhere.

    An accent may be a character of its own, or part of its letter: systems differ in how they write a name.
    """
    same = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
    return pseudonym(key, f"reviewer {' '.join(same.split())}")


def document_of(key: str, note_id: int, text_hash: str) -> str:
    """Return what a text of a note is called outside the database."""
    return pseudonym(key, f"reviewed {note_id} {text_hash}")


def same_result(one: Any, other: Any) -> tuple[sa.ColumnElement[bool], ...]:
    """Return that rows of two tables are of one result."""
    names = "note_id", "text_hash", "model_version"
    return tuple(one.c[name] == other.c[name] for name in names)

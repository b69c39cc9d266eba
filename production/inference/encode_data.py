"""Step 1, `encode_data`: a row of the database to a document as the model and the serving log read it.

Tokens and attributes are made by the code that trained the model, in the model's own process (`host`): a text that
was cut by another version's rules would be another text to it. Here it becomes a document with the metadata that
the project knows, and the features by which step 2 tells whether it is worth asking.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from stages.common.documents import METADATA, Document

_HALF = re.compile(r"[\ud800-\udfff]")


class Key(NamedTuple):
    """A note and one of its texts."""

    note_id: int
    text_hash: str


class Features(NamedTuple):
    """What is asked of a note before a model sees it; columns of the suite `inference` of Great Expectations.

    `longest_token` is the longest run of characters without a blank.
    """

    characters: int
    longest_token: int
    is_blank: bool
    has_nul: bool
    has_half_character: bool


class Encoded(NamedTuple):
    """A note that waits, as a document."""

    key: Key
    source: str
    document: Document
    features: Features


def encode(key: Key, source: str, text: str, metadata: Mapping[str, Any], characters: int | None = None) -> Encoded:
    """Return a note as a document with its features; metadata that the project does not know is left out.

    `characters` are those of the whole note, where `text` is only its beginning because it is too long.
    """
    known = {name: str(metadata[name]) for name in METADATA if metadata.get(name) not in (None, "")}
    features = features_of(text)
    if characters is not None and characters > len(text):
        features = features._replace(characters=characters, is_blank=False)
    return Encoded(key, source, Document(str(key.note_id), text, metadata=known), features)


def features_of(text: str) -> Features:
    """Describe a text."""
    return Features(
        characters=len(text),
        longest_token=max(map(len, text.split()), default=0),
        is_blank=not text.strip(),
        has_nul="\0" in text,
        has_half_character=not text.isascii() and bool(_HALF.search(text)),
    )

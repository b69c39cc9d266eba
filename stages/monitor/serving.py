"""Notes as rows of the serving log, and annotated documents as rows of the training profile."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import pandas as pd
import pyarrow as pa

from stages.common.documents import METADATA, Document
from stages.common.tables import SERVING_LOG
from stages.common.tags import LABELS

MODEL_COLUMNS = ("unknown_tokens", "diseases", "treatments", "confidence")
"""What depends on the model, and would flatter it on documents it was trained on."""

PROFILE = pa.schema([field.with_nullable(field.nullable or field.name in MODEL_COLUMNS) for field in SERVING_LOG])
"""The serving log's columns; those of the model are null for documents of the train split."""


class ExtractedMention(Protocol):
    """One extracted mention."""

    @property
    def label(self) -> str:
        """One of `LABELS`."""

    @property
    def confidence(self) -> float:
        """0 to 1."""


class Extraction(Protocol):
    """What an extractor says of one note."""

    @property
    def mentions(self) -> Sequence[ExtractedMention]:
        """The mentions found."""

    @property
    def sentences(self) -> int:
        """Number of sentences."""

    @property
    def tokens(self) -> int:
        """Number of tokens."""

    @property
    def unknown_tokens(self) -> float:
        """Share of tokens that the training text does not have."""


def note_id(text: str) -> str:
    """Name a note by its content: the first 16 hexadecimal digits of SHA-256 of the UTF-8 text."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]


def serving_row(note: Document, extraction: Extraction) -> dict[str, Any]:
    """Return one row of `SERVING_LOG`; metadata that is absent or empty is None."""
    labels = [mention.label for mention in extraction.mentions]
    confidences = [mention.confidence for mention in extraction.mentions]
    diseases, treatments = (labels.count(label) for label in LABELS)
    return {
        "note": note_id(note.text),
        **{name: note.metadata.get(name) or None for name in METADATA},
        "characters": len(note.text),
        "sentences": extraction.sentences,
        "tokens": extraction.tokens,
        "unknown_tokens": extraction.unknown_tokens,
        "diseases": diseases,
        "treatments": treatments,
        "confidence": math.fsum(confidences) / len(confidences) if confidences else None,
    }


def serving_rows(notes: Iterable[Document], extract: Callable[[str], Extraction]) -> pd.DataFrame:
    """Tag notes and describe each by a row of the serving log, in their order.

    Parameters
    ----------
    notes : iterable of Document
    extract : callable
        Text of a note to its `Extraction`.

    Returns
    -------
    DataFrame
        Columns of `SERVING_LOG`. No note text.
    """
    rows = [serving_row(note, extract(note.text)) for note in notes]
    return pd.DataFrame(rows, columns=SERVING_LOG.names)


def training_profile(documents: pd.DataFrame, extract: Callable[[str], Extraction]) -> pd.DataFrame:
    """Describe annotated documents as if they had been served.

    A model finds no unknown tokens, more mentions and more confidence in the documents it was
    trained on; compared with those, every window would look drifted. The columns of the model are
    therefore null for documents of the train split; all documents describe the input.

    Parameters
    ----------
    documents : DataFrame
        Columns of `stages.common.tables.DOCUMENTS`.
    extract : callable
        Text of a document to its `Extraction`.

    Returns
    -------
    DataFrame
        Columns of `PROFILE`, in order of the documents.
    """
    profile = serving_rows((_document(row) for row in documents.to_dict("records")), extract)
    profile[list(MODEL_COLUMNS)] = profile[list(MODEL_COLUMNS)].astype("Float64")
    profile.loc[(documents["split"] == "train").to_numpy(), list(MODEL_COLUMNS)] = pd.NA
    return profile


def _document(row: dict[Any, Any]) -> Document:
    metadata = {name: row[name] for name in METADATA if isinstance(row[name], str)}
    return Document(id=row["document"], text=row["text"], metadata=metadata)

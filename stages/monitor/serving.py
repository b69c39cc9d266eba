"""Notes as rows of the serving log, and annotated documents as rows of the training profile."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import pandas as pd
import pyarrow as pa

from stages.common.documents import METADATA, Document
from stages.common.labels import ASSERTION_COLUMNS, QUARANTINED, count_column, model_columns
from stages.common.pseudonyms import pseudonym
from stages.common.tables import serving_log


def profile_schema(labels: Sequence[str]) -> pa.Schema:
    """Return the serving log's columns; those of the model alone are null, for documents of the train split."""
    models = model_columns(labels)
    known = ("sentences", "tokens", QUARANTINED)
    return pa.schema([
        field.with_nullable(field.name in models or (field.nullable and field.name not in known))
        for field in serving_log(labels)
    ])  # fmt: skip


class ExtractedMention(Protocol):
    """One extracted mention."""

    @property
    def label(self) -> str:
        """One of the model's labels."""

    @property
    def confidence(self) -> float:
        """0 to 1."""

    @property
    def assertion(self) -> str:
        """What the note says of the patient."""


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


def note_names(texts: Iterable[str], key: str | None = None) -> list[str]:
    """Name notes so that copies of one text have one name, and nobody can try out whose text it is.

    Parameters
    ----------
    texts : iterable of str
    key : str or None
        As `stages.common.pseudonyms.KEY` says. With one, equal texts have equal names wherever they were
        logged under it; it belongs to who serves, and to no repository. Without one, the distinct texts
        are numbered in their order, from 1: the names hold in this table only.

    Returns
    -------
    list of str
        As long as `texts`.
    """
    if key is not None:
        return [pseudonym(key, text) for text in texts]
    numbers: dict[str, int] = {}
    return [str(numbers.setdefault(text, len(numbers) + 1)) for text in texts]


def serving_row(name: str, note: Document, extraction: Extraction, labels: Sequence[str]) -> dict[str, Any]:
    """Return one row of `serving_log` for a note of that name; metadata that is absent or empty is None."""
    marked = [mention.label for mention in extraction.mentions]
    asserted = [mention.assertion for mention in extraction.mentions]
    confidences = [mention.confidence for mention in extraction.mentions]
    return {
        "note": name,
        **{name: note.metadata.get(name) or None for name in METADATA},
        "characters": len(note.text),
        "sentences": extraction.sentences,
        "tokens": extraction.tokens,
        QUARANTINED: 0,
        "unknown_tokens": extraction.unknown_tokens,
        **{count_column(label): marked.count(label) for label in labels},
        "confidence": math.fsum(confidences) / len(confidences) if confidences else None,
        **{name: asserted.count(name) / len(asserted) if asserted else None for name in ASSERTION_COLUMNS},
    }


def quarantined_row(name: str, note: Document, characters: int, labels: Sequence[str]) -> dict[str, Any]:
    """Return the row of a note that inference set aside: what a model would have said of it is None.

    `characters` are those of the whole note, of which `note` may be the beginning.
    """
    known = {name: note.metadata.get(name) or None for name in METADATA}
    nothing = dict.fromkeys(serving_log(labels).names)
    return nothing | {"note": name} | known | {"characters": characters, QUARANTINED: 1}


def serving_rows(
    notes: Iterable[Document],
    extract: Callable[[str], Extraction],
    labels: Sequence[str],
    *,
    key: str | None = None,
) -> pd.DataFrame:
    """Tag notes and describe each by a row of the serving log, in their order.

    Parameters
    ----------
    notes : iterable of Document
    extract : callable
        Text of a note to its `Extraction`.
    labels : sequence of str
        Those whose mentions are counted, each in its column: the model's.
    key : str or None
        As for `note_names`.

    Returns
    -------
    DataFrame
        Columns of `serving_log`. No note text.
    """
    served = list(notes)
    names = note_names((note.text for note in served), key)
    rows = [serving_row(name, note, extract(note.text), labels) for name, note in zip(names, served, strict=True)]
    return pd.DataFrame(rows, columns=serving_log(labels).names)


def training_profile(
    documents: pd.DataFrame, extract: Callable[[str], Extraction], labels: Sequence[str]
) -> pd.DataFrame:
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
    labels : sequence of str
        As for `serving_rows`.

    Returns
    -------
    DataFrame
        Columns of `profile_schema`, in order of the documents.
    """
    profile = serving_rows((_document(row) for row in documents.to_dict("records")), extract, labels)
    models = list(model_columns(labels))
    profile[models] = profile[models].astype("Float64")
    profile.loc[(documents["split"] == "train").to_numpy(), models] = pd.NA
    return profile


def _document(row: dict[Any, Any]) -> Document:
    metadata = {name: row[name] for name in METADATA if isinstance(row[name], str)}
    return Document(id=row["document"], text=row["text"], metadata=metadata)

"""The notes that may be annotated next: neither annotated yet nor a repeat of another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from stages.common.documents import Document
from stages.common.errors import AnnotationError
from stages.prepare.batches import load_batches, read_batch
from stages.prepare.duplicates import DuplicateIndex, words_of
from stages.prepare.formats import jsonl
from stages.prepare.formats.source import data_files, read_text
from stages.prepare.tables import blocks_of

_TEXT, _LINES = ".txt", ".jsonl"


class Sifted(NamedTuple):
    """The notes that are new, and how many are not: known to a batch, repeats of a note before them, without words."""

    notes: list[Document]
    annotated: int
    repeated: int
    empty: int


def read_notes(path: Path) -> list[Document]:
    """Read the notes that nobody has annotated.

    Parameters
    ----------
    path : Path
        A file of JSON lines (``{"id", "text", "metadata"?}``, as `stages.prepare.formats.jsonl`
        reads them), a folder of such files, a text file, or a folder of text files with a note each.

    Raises
    ------
    AnnotationError
        When anything cannot be read; nothing is skipped silently.
    """
    kinds = {file.path.suffix.lower() for file in data_files(path, (_TEXT, _LINES))}
    if kinds == {_LINES}:
        return jsonl.read_notes(path)
    if kinds != {_TEXT}:
        raise AnnotationError("holds both text files and JSON lines", "Give one of the two", path.name)
    return [Document(file.name.removesuffix(_TEXT), read_text(file)) for file in data_files(path, (_TEXT,))]


def read_annotated(folder: Path, sentences_per_document: int) -> list[str]:
    """Read the texts of all annotation batches; streams of sentences as the blocks that `prepare` makes of them."""
    if not folder.is_dir():
        return []
    documents = (document for batch in load_batches(folder) for document in read_batch(batch))
    return [
        part.text
        for document in documents
        for part in (blocks_of(document, sentences_per_document) if document.stream else [document])
    ]


def sift(notes: Iterable[Document], annotated: Sequence[str], threshold: float) -> Sifted:
    """Leave out what has been annotated and what repeats another note, exactly or nearly.

    Notes are taken in order of their identifiers, so that the order of the file does not matter;
    of several that say the same, the first is kept.

    Parameters
    ----------
    notes : iterable of Document
    annotated : sequence of str
        Texts of the annotated documents.
    threshold : float
        As `prepare.near_duplicate`.
    """
    index = DuplicateIndex(threshold)
    for text in annotated:
        index.add(text)
    kept, known, repeated, empty = [], 0, 0, 0
    for note in sorted(notes, key=lambda note: note.id):
        if not words_of(note.text):
            empty += 1
            continue
        earlier = index.add(note.text)
        if not earlier:
            kept.append(note)
        elif earlier[0] < len(annotated):
            known += 1
        else:
            repeated += 1
    return Sifted(kept, known, repeated, empty)

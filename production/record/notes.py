"""Where the record's notes come from: JSON lines, plain text, annotation batches."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from stages.common.documents import Document
from stages.common.errors import AnnotationError, BeHealthyError
from stages.prepare.batches import DESCRIPTION, load_batch, read_batch
from stages.prepare.formats import jsonl
from stages.prepare.formats.source import File, read_lines, read_text

FORMATS = {"jsonl": (".jsonl",), "text": (".txt",)}


class Note(NamedTuple):
    """A note under the name by which evidence points to it."""

    id: str
    text: str


def read_notes(paths: Sequence[Path], format: str | None = None) -> list[Note]:
    """Read notes; annotations in them are not looked at.

    Parameters
    ----------
    paths : sequence of Path
        Files of JSON lines (annotated or not), text files with one note each, folders of either,
        and annotation batches (folders with ``batch.yaml``, hashes checked).
    format : str, optional
        A key of `FORMATS`; without it, the suffix tells.

    Returns
    -------
    list of Note
        In the order given. A text that comes twice is one note: counting a copy would make a pair
        look stronger. Where several paths are given, identifiers carry the name of theirs in front
        (``batch/identifier``).

    Raises
    ------
    BeHealthyError
        When a path cannot be read, holds no notes, or two notes share an identifier.
    """
    sources = [(path, list(_read(path, format))) for path in paths]
    texts: set[bytes] = set()
    notes: dict[str, Note] = {}
    for path, documents in sources:
        for document in documents:
            digest = hashlib.sha256(document.text.encode("utf-8", "surrogatepass")).digest()
            if digest in texts:
                continue
            texts.add(digest)
            name = f"{path.stem}/{document.id}" if len(sources) > 1 and document.id != path.stem else document.id
            if name in notes:
                raise BeHealthyError(f"two notes are called {name!r}: rename one of the files, or its identifier")
            notes[name] = Note(name, document.text)
    return list(notes.values())


def _read(path: Path, format: str | None) -> Iterable[Document]:
    if not path.exists():
        raise BeHealthyError(f"{path} does not exist: give files of notes, folders of them, or annotation batches")
    if path.is_dir():
        return _read_folder(path, format)
    kind = format or next((name for name, suffixes in FORMATS.items() if path.suffix.lower() in suffixes), None)
    if kind is None:
        raise BeHealthyError(f"{path.name} has neither suffix .jsonl nor .txt: name its format with --format")
    if kind == "text":
        return [Document(path.stem, read_text(File(path.name, path)))]
    return jsonl.read(path) if _is_annotated(path) else jsonl.read_notes(path)


def _read_folder(path: Path, format: str | None) -> list[Document]:
    if (path / DESCRIPTION).is_file():
        documents = read_batch(load_batch(path))
        if any(document.stream for document in documents):
            raise BeHealthyError(
                f"batch {path.name} is a stream of sentences without notes, so nothing can be counted per note: "
                "give a batch whose format has documents"
            )
        return documents
    suffixes = FORMATS[format] if format else tuple(s for known in FORMATS.values() for s in known)
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in suffixes and not file.name.startswith("."))
    if not files:
        raise BeHealthyError(f"{path} holds neither {DESCRIPTION} nor files ending in {' or '.join(suffixes)}")
    return [document for file in files for document in _read(file, format)]


def _is_annotated(path: Path) -> bool:
    """Tell by the first object of a file; the reader checks the others."""
    for line in read_lines(File(path.name, path)):
        if line.strip():
            try:
                entry = json.loads(line)
            except ValueError:
                raise AnnotationError("is not JSON lines", "Write one object on each line", path.name, 1) from None
            return isinstance(entry, dict) and ("mentions" in entry or "label" in entry)
    return False

"""`pubtator`: title, abstract and annotation lines, as NCBI shares its corpora."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from stages.common.documents import Document
from stages.common.errors import AnnotationError
from stages.prepare.formats.faults import note, noting
from stages.prepare.formats.marks import Mark, make_document, parse_offset
from stages.prepare.formats.objects import Place
from stages.prepare.formats.source import data_files, read_lines, refuse_identifier

SUFFIXES = (".txt", ".pubtator")
_TEXT_LINE = re.compile(r"([^|\t]{1,200})\|([ta])\|(.*)", re.DOTALL)


class _Line(NamedTuple):
    number: int
    content: str


def read(path: Path) -> list[Document]:
    r"""Read a file, or a folder of files, in PubTator format.

    ``ID|t|TITLE``, ``ID|a|ABSTRACT``, then tab-separated ``ID START END TEXT LABEL [CONCEPT [PARTS]]``
    lines; a blank line ends a document. Offsets count one character between title and abstract;
    here it is ``"\n"``, since a title ends its sentence with or without a full stop. Relations
    (``ID NAME CONCEPT CONCEPT``) are ignored.

    An identifier that comes back with the same text is a repeat (NCBI's training set has one): it
    is kept as ``ID#2`` and left to the grouping of exact duplicates. With another text it is refused.

    Raises
    ------
    AnnotationError
        On any line that is none of these, and when a mention's text is not ``text[start:end]``.
    """
    documents: list[Document] = []
    texts: dict[str, str] = {}
    repeats: dict[str, int] = {}
    for file in data_files(path, SUFFIXES):
        blocks = list(_blocks(read_lines(file)))
        if not blocks:
            note(AnnotationError("holds no document", "Check that the export is complete", file.name))
        for block in blocks:
            with noting:
                documents.append(_document(block, file.name, texts, repeats))
    return _refuse_clashes(documents, path)


def _document(block: list[_Line], file: str, texts: dict[str, str], repeats: dict[str, int]) -> Document:
    title, abstract = _text_lines(block, file)
    id, text = title[1], f"{title[3]}\n{abstract[3]}"
    line = block[0].number
    refuse_identifier(id, text, file=file, line=line)
    if texts.setdefault(id, text) != text:
        raise AnnotationError(
            "a second document with another text has this identifier",
            "Give it an identifier of its own",
            file,
            line=line,
            document=id,
        )
    repeats[id] = repeats.get(id, 0) + 1
    name = id if repeats[id] == 1 else f"{id}#{repeats[id]}"
    return make_document(text, list(_marks(block[2:], id, file)), id=name, file=file, line=line)


def _refuse_clashes(documents: list[Document], path: Path) -> list[Document]:
    """Refuse an export that itself names a document ``ID#2`` beside a repeated ID."""
    ids = set()
    for document in documents:
        if document.id in ids:
            raise AnnotationError(
                "two documents end up with this identifier", "Rename one", path.name, document=document.id
            )
        ids.add(document.id)
    return documents


def _blocks(lines: list[str]) -> Iterator[list[_Line]]:
    block: list[_Line] = []
    for number, content in enumerate(lines, 1):
        if content.strip():
            block.append(_Line(number, content))
        elif block:
            yield block
            block = []
    if block:
        yield block


def _text_lines(block: list[_Line], file: str) -> tuple[re.Match[str], re.Match[str]]:
    title = _TEXT_LINE.fullmatch(block[0].content)
    if not title or title[2] != "t":
        raise AnnotationError(
            "is not the title line that begins a document",
            "Begin every document with ID|t|TITLE, after a blank line",
            file,
            line=block[0].number,
        )
    abstract = _TEXT_LINE.fullmatch(block[1].content) if len(block) > 1 else None
    if not abstract or abstract[2] != "a" or abstract[1] != title[1]:
        raise AnnotationError(
            "the title is not followed by its abstract",
            "Put ID|a|ABSTRACT, with the same ID, on the line after the title (it may be empty)",
            file,
            line=block[0].number + 1,
            document=title[1],
        )
    return title, abstract


def _marks(lines: list[_Line], id: str, file: str) -> Iterator[Mark]:
    for number, content in lines:
        with noting:
            mark = _mark(content.split("\t"), Place(file, number, id))
            if mark:
                yield mark


def _mark(columns: list[str], place: Place) -> Mark | None:
    """Return the mention of a line, or None for a relation."""
    if columns[0] != place.document:
        raise place.refuse(
            "belongs to another document, or is no annotation",
            "Begin the line with the document's identifier and a tab, and end documents with a blank line",
        )
    numeric = len(columns) > 1 and parse_offset(columns[1]) is not None
    if len(columns) == 4 and not numeric:  # a relation; with a number it is a mention cut short
        return None
    if not 5 <= len(columns) <= 7:
        raise place.refuse(
            f"has {len(columns)} columns instead of 5 to 7 of a mention or 4 of a relation",
            "Write ID, start, end, text, label and optionally the concept, separated by tabs",
        )
    start, end = parse_offset(columns[1]), parse_offset(columns[2])
    if start is None or end is None:
        raise place.refuse(
            "has offsets that are not whole numbers from 0",
            "Write start and end in digits, in characters of title and abstract",
        )
    return Mark(start, end, columns[4].strip(), columns[3], place.line)

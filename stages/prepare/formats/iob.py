"""`iob`: a token and its tag a line, as CoNLL and most public corpora are shared."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from stages.common.documents import Document
from stages.common.errors import AnnotationError
from stages.common.tags import spans_of
from stages.prepare.formats.faults import noting
from stages.prepare.formats.sequences import Sentence, join_sentences, refuse_spaces
from stages.prepare.formats.source import File, data_files, read_lines

SUFFIXES = (".tsv", ".conll", ".txt")
DOCUMENT_START = "-DOCSTART-"
TAG = re.compile(r"O|[BIES]-\S+")


class _Part(NamedTuple):
    """What stands between two document starts."""

    line: int
    sentences: list[Sentence]


def read(path: Path) -> list[Document]:
    """Read a file, or a folder of files, of token and tag separated by a tab or spaces.

    First column the token, last column the tag, columns between them ignored; a blank line ends a
    sentence. IOB1, IOB2 and BIOES tags are read: an inside or end tag that continues nothing opens
    a mention. Lines that begin with ``-DOCSTART-`` start a document, named ``FILE-1``, ``FILE-2``,
    …; a file without any is one stream.

    Raises
    ------
    AnnotationError
        On an unknown tag, a token with white space in it, lines of unequal numbers of columns, a
        document without a sentence.
    """
    documents: list[Document] = []
    seen: set[str] = set()
    for file in data_files(path, SUFFIXES):
        with noting:
            for document in _read_file(file):
                if document.id in seen:
                    raise AnnotationError(
                        "a second document has this identifier", "Rename the file", file.name, document=document.id
                    )
                seen.add(document.id)
                documents.append(document)
    return documents


def _read_file(file: File) -> list[Document]:
    stem = PurePosixPath(file.name).with_suffix("").as_posix()
    lines = read_lines(file)
    parts = _parts(lines, file.name)
    if not any(line.startswith(DOCUMENT_START) for line in lines):
        return [join_sentences(parts[0].sentences, id=stem, file=file.name, stream=True)]
    if not parts[0].sentences:  # nothing before the first document start
        parts = parts[1:]
    return [
        join_sentences(part.sentences, id=f"{stem}-{number}", file=file.name, stream=False, line=part.line)
        for number, part in enumerate(parts, 1)
    ]


def _parts(lines: list[str], file: str) -> list[_Part]:
    parts = [_Part(1, [])]
    tokens: list[str] = []
    tags: list[str] = []
    width = 0
    for number, line in enumerate([*lines, ""], 1):
        columns = _columns(line)
        if not columns or line.startswith(DOCUMENT_START):
            if tokens:
                parts[-1].sentences.append(Sentence(tokens, spans_of(tags)))
                tokens, tags = [], []
            if columns:
                parts.append(_Part(number, []))
            continue
        width = width or (len(columns) if len(columns) > 1 else 0)
        tokens.append(columns[0])
        tags.append("O")
        with noting:
            _refuse_malformed(columns, width, file, number)
            tags[-1] = columns[-1]
    return parts


def _columns(line: str) -> list[str]:
    """Split at tabs, or at spaces where there is no tab; nothing else separates columns."""
    if not line.strip(" \t"):
        return []
    if "\t" in line:
        return [column.strip(" ") for column in line.split("\t")]
    return re.split(" +", line.strip(" "))


def _refuse_malformed(columns: list[str], width: int, file: str, line: int) -> None:
    if len(columns) < 2 or len(columns) != width:
        expected = "at least 2" if width < 2 else str(width)
        raise AnnotationError(
            f"has {len(columns)} column(s) instead of {expected}",
            "Give every line the same columns, the token first and the tag last, separated by one tab",
            file,
            line=line,
        )
    refuse_spaces(columns[0], file=file, line=line)
    if not TAG.fullmatch(columns[-1]) or not columns[-1].isprintable():
        raise AnnotationError("has an unknown tag", "Use O, or B-, I-, E- or S- followed by a label", file, line=line)

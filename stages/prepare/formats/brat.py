"""`brat`: a text and its standoff annotations, as the annotation tool brat keeps them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from stages.common.documents import Document
from stages.common.errors import AnnotationError
from stages.prepare.formats.faults import noting
from stages.prepare.formats.marks import Mark, make_document, parse_offset
from stages.prepare.formats.objects import Place
from stages.prepare.formats.source import File, data_files, read_lines, read_text

_IGNORED = "NRAEM*#"


def read(path: Path) -> list[Document]:
    """Read a folder of ``NAME.txt`` and ``NAME.ann`` pairs; the document's identifier is NAME.

    Only text-bound annotations (T) are read; normalisations, relations, attributes, events,
    equivalences and notes (N, R, A, M, E, *, #) are ignored. Offsets are characters of the .txt as
    it stands: its CRLF line ends count two and stay in the text.

    A discontinuous mention (``0 5;10 15``) is read as one where only white space lies between its
    parts: brat writes a mention that runs over a line end this way. Any other is refused, joined or left
    out, as the `Rules` say; which flat mention is meant only the annotator knows.

    Raises
    ------
    AnnotationError
        When a file has no counterpart, on a line of unknown kind, and as `make_document`.
    """
    if path.is_file():
        raise AnnotationError("is a file", "Give the folder that holds the .txt and .ann files", path.name)
    pairs: dict[str, dict[str, File]] = {}
    for file in data_files(path, (".txt", ".ann"), beside=(".conf",)):
        name = PurePosixPath(file.name).with_suffix("").as_posix()
        suffix = file.path.suffix.lower()
        if suffix in pairs.setdefault(name, {}):
            raise AnnotationError("a second file has this name", "Rename one of them", file.name)
        pairs[name][suffix] = file
    documents = []
    for name, pair in sorted(pairs.items()):
        with noting:
            documents.append(_read_pair(name, pair))
    return documents


def _read_pair(name: str, pair: dict[str, File]) -> Document:
    if len(pair) < 2:
        (suffix, file), *_ = pair.items()
        missing = ".ann" if suffix == ".txt" else ".txt"
        raise AnnotationError(
            f"has no {missing} file beside it",
            f"Add {name}{missing} (an empty .ann means: no mentions), or take the file out",
            file.name,
        )
    text = read_text(pair[".txt"])
    marks = _marks(pair[".ann"], name)
    return make_document(text, marks, id=name, file=pair[".txt"].name, marks_file=pair[".ann"].name)


def _marks(file: File, document: str) -> Iterator[Mark]:
    seen: set[str] = set()
    for number, line in enumerate(read_lines(file), 1):
        if line.strip() and line[0] not in _IGNORED:
            with noting:
                yield _mark(line, seen, Place(file.name, number, document))


def _mark(line: str, seen: set[str], place: Place) -> Mark:
    columns = line.split("\t", 2)
    if line[0] != "T" or len(columns) != 3:
        raise place.refuse(
            "is not a line of three tab-separated columns as brat writes it",
            "Write T1, a tab, LABEL START END, a tab, and the marked text",
        )
    if columns[0] in seen:
        raise place.refuse("uses an annotation identifier a second time", "Number the T lines so that each has its own")
    seen.add(columns[0])
    label, _, spans = columns[1].partition(" ")
    return Mark.of_parts(_parts(spans, place), label, columns[2], place.line)


def _parts(spans: str, place: Place) -> list[tuple[int, int]]:
    """Return start and end of each part of a mention."""
    parts = []
    for span in spans.split(";"):
        offsets = [parse_offset(digits) for digits in span.strip(" ").split(" ")]
        if len(offsets) != 2 or offsets[0] is None or offsets[1] is None:
            raise place.refuse(
                "has offsets that are not two whole numbers from 0",
                "Write START END in digits, in characters of the .txt file",
            )
        parts.append((offsets[0], offsets[1]))
    return parts

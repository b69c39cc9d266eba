"""`token-lines`: a file of tokens beside a file of labels, as BeHealthy is published."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, zip_longest
from pathlib import Path

from stages.common.documents import Document
from stages.common.errors import AnnotationError
from stages.common.tags import TokenSpan
from stages.prepare.formats.faults import noting
from stages.prepare.formats.sequences import Sentence, join_sentences, refuse_spaces
from stages.prepare.formats.source import COMPANIONS, File, list_files, read_lines

LABELS = ("D", "T")


def read(path: Path) -> list[Document]:
    """Read a folder with one ``NAME_sent`` and one ``NAME_label`` file.

    A token or label a line, a blank line ends a sentence. Labels are O, D and T without B- and I-:
    a maximal run of one label is a mention, so that neighbours of one label merge (the format
    cannot tell them apart).

    Returns
    -------
    list of one Document
        A stream: the format has no documents.

    Raises
    ------
    AnnotationError
        When the two files are not line by line one another's counterpart, or hold anything else.
    """
    sent, label = _pair(path)
    sentences = list(_sentences(sent, label))
    id = sent.path.name.removesuffix("_sent") or "sentences"
    return [join_sentences(sentences, id=id, file=sent.name, stream=True)]


def _pair(path: Path) -> tuple[File, File]:
    files = [file for file in list_files(path) if file.path.stem.lower() not in COMPANIONS]
    names = [file.name for file in files]
    stem = names[0].rpartition("_")[0] if names else ""
    if not path.is_dir() or names != [f"{stem}_label", f"{stem}_sent"]:
        raise AnnotationError(
            "is not a folder of exactly one NAME_sent and its NAME_label file",
            "Give a folder with these two, and add further pairs as batches of their own",
            path.name,
        )
    return files[1], files[0]


def _sentences(sent: File, label: File) -> Iterator[Sentence]:
    tokens: list[str] = []
    labels: list[str] = []
    for number, (token, mark) in enumerate(zip_longest(_stripped(sent), _stripped(label)), 1):
        _refuse_misaligned(token, mark, label.name, number)
        if not token:
            if tokens:
                yield Sentence(tokens, _runs(labels))
            tokens, labels = [], []
            continue
        with noting:
            refuse_spaces(token, file=sent.name, line=number)
            if mark != "O" and mark not in LABELS:
                raise AnnotationError("has an unknown label", f"Use O, {' or '.join(LABELS)}", label.name, line=number)
        tokens.append(token)
        labels.append(mark)
    if tokens:
        yield Sentence(tokens, _runs(labels))


def _stripped(file: File) -> list[str]:
    """Read lines without padding; blank lines at the end of a file separate nothing."""
    lines = [line.strip(" \t") for line in read_lines(file)]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _refuse_misaligned(token: str | None, mark: str | None, file: str, line: int) -> None:
    if token is None or mark is None:
        problem = f"the {'tokens' if token is None else 'labels'} end before line {line} and the other file does not"
    elif bool(token) != bool(mark):
        problem = "has a label where no token is" if mark else "has no label where a token is"
    else:
        return
    raise AnnotationError(problem, "Export both files together: line n of one is line n of the other", file, line)


def _runs(labels: list[str]) -> list[TokenSpan]:
    spans = []
    at = 0
    for label, run in groupby(labels):
        end = at + len(list(run))
        if label != "O":
            spans.append((at, end, label))
        at = end
    return spans

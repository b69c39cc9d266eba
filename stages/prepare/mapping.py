"""What the labels of a source mean in the project: the mapping, and labels that it does not know."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from stages.common.documents import Document
from stages.common.errors import AnnotationError, RequestError
from stages.common.labels import load_labels
from stages.prepare.formats.faults import collected, note
from stages.prepare.formats.rules import IGNORED
from stages.prepare.formats.source import File, read_lines, shown

DEFAULT_MAPPING = Path("data/mapping/labels.csv")


def read_mapping(path: Path, labels: Sequence[str] | None = None) -> dict[str, str]:
    """Read a CSV file of `source_label,label`; a source label whose label is empty is ignored.

    Parameters
    ----------
    path : Path
    labels : sequence of str, optional
        What there is to map to; without them, `labels` of ``params.yaml``.

    Raises
    ------
    AnnotationError
        On another header, a row of other than two fields, a repeated source label, a label that
        the project does not have; names every such line.
    """
    name = path.as_posix() if path == DEFAULT_MAPPING else path.name
    if path.is_symlink() or not path.is_file():
        raise RequestError("is missing or not a regular file", "Give a CSV of source_label,label", name)
    lines = read_lines(File(name, path))
    labels = load_labels() if labels is None else labels
    with collected():
        mapping = _read_rows(lines, labels, name)
    if not any(mapping.values()):
        raise AnnotationError("maps no label", "Add a line source_label,label", name)
    return mapping


def _read_rows(lines: Iterable[str], labels: Sequence[str], name: str) -> dict[str, str]:
    mapping: dict[str, str] = {}
    number = 0
    try:
        for number, row in enumerate(csv.reader(lines, strict=True), 1):
            if number == 1 and row != ["source_label", "label"]:
                raise AnnotationError("has another header", "Begin with source_label,label", name, line=1)
            if number > 1 and row:
                fault = _fault_of_row(row, mapping, labels)
                if fault:
                    note(AnnotationError(*fault, name, line=number))
                else:
                    mapping[row[0]] = row[1]
    except csv.Error:
        raise AnnotationError(
            "is not valid CSV", "Write source_label,label on each line", name, line=number + 1
        ) from None
    return mapping


class Unmapped(NamedTuple):
    """A label of the source without a counterpart: as a message may show it, its mentions, and where the first is."""

    shown: str
    mentions: int
    document: str
    offset: int


def unmapped_labels(documents: Iterable[Document], mapping: Mapping[str, str]) -> list[Unmapped]:
    """List the labels of the source that mean nothing in the project, in order of their first mention."""
    unmapped: dict[str, Unmapped] = {}
    for document in documents:
        for mention in document.mentions:
            label = mention.label
            if label in mapping:
                continue
            if label not in unmapped:
                unmapped[label] = Unmapped(shown(label, document.text), 0, document.id, mention.start)
            unmapped[label] = unmapped[label]._replace(mentions=unmapped[label].mentions + 1)
    return list(unmapped.values())


def _fault_of_row(row: list[str], mapping: Mapping[str, str], labels: Sequence[str]) -> tuple[str, str] | None:
    if len(row) != 2 or not row[0]:
        return "is not a pair of source label and label", "Write source_label,label"
    if row[1] != IGNORED and row[1] not in labels:
        label = shown(row[1])
        remedy = f"Use {' or '.join(labels)}; or leave it empty, to ignore {shown(row[0])}"
        remedy += f"; or add {label} to labels in params.yaml"
        return f"maps to {label}, which is no label of the project", remedy
    if row[0] in mapping:
        return "maps a source label a second time", "Keep one of the two lines"
    return None

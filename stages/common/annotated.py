"""`labels.json`: which labels the annotators of each batch looked for. Silence about any other says nothing.

It lies beside the tables of `data/prepared`, and is copied to `data/features`: names of batches are in the names of
documents, ``batch/identifier``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from stages.common.files import read_json, write_json

FILE = "labels.json"

Annotated = Mapping[str, Sequence[str]]
"""Labels of the project by batch."""


def batch_of(document: str) -> str:
    """Return the batch of a document by its name, ``batch/identifier``."""
    return document.partition("/")[0]


def labels_of(document: str, annotated: Annotated, labels: Sequence[str]) -> Sequence[str]:
    """Return the labels that were looked for in a document; of a batch that is not listed, all `labels` of the project.

    >>> labels_of("ncbi/10021369", {"ncbi": ["Disease"]}, ["Disease", "Treatment"])
    ['Disease']
    """
    return annotated.get(batch_of(document), labels)


def write_annotated(folder: Path, annotated: Annotated) -> None:
    """Write `labels.json` of a folder."""
    write_json(folder / FILE, {batch: list(labels) for batch, labels in annotated.items()})


def read_annotated(folder: Path) -> dict[str, list[str]]:
    """Read `labels.json` of a folder; tables from before there was one looked for every label in every batch."""
    path = folder / FILE
    if not path.is_file():
        return {}
    annotated: dict[str, list[str]] = read_json(path)
    return annotated

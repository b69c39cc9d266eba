"""The labels of the project: `labels` of `params.yaml`, in the order in which they are reported.

What looks for mentions, counts them or colours them takes this list from whoever calls it, and none from code.
A model carries its own (`labels` of its `model.json`): what serves it needs no `params.yaml`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from stages.common.documents import METADATA
from stages.common.params import PARAMS, Section, load_sections

Labels = tuple[str, ...]

RESERVED = ("micro", "all", "none", "O")
"""What metrics, agreement, the confusion plot and tags call something else."""

QUARANTINED = "quarantined"
"""Column of the serving log: 1 for a note that inference set aside, of which the model says nothing, else 0."""

INPUT_COLUMNS = ("note", *METADATA, "characters", "sentences", "tokens", QUARANTINED)
"""Columns of the serving log that do not depend on what a model finds in the note."""

ASSERTION_COLUMNS = ("negated", "possible", "hypothetical", "historical", "family")
"""Columns of the serving log: the shares of a note's mentions of which the note says so of the patient."""

MENTIONS, ASSERTIONS = "mentions", "assertions"
"""In `monitor.columns`: the counts of all labels, and the shares of all assertions."""


def count_column(label: str) -> str:
    """Return the column of the serving log that counts the mentions of a label.

    >>> count_column("Disease")
    'diseases'
    """
    return f"{label.lower()}s"


def model_columns(labels: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of the serving log that depend on the model."""
    return ("unknown_tokens", *map(count_column, labels), "confidence", *ASSERTION_COLUMNS)


def _columns_are_free(labels: list[str]) -> list[str]:
    reserved = {name.casefold() for name in RESERVED}
    taken = {*INPUT_COLUMNS, *model_columns(()), MENTIONS, ASSERTIONS}
    for label in labels:
        column = count_column(label)
        if label.casefold() in reserved or column in taken:
            raise ValueError(f"{label} cannot be a label: the name, or its column {column}, is taken")
        taken.add(column)
    return labels


Label = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
LabelList = Annotated[list[Label], Field(min_length=1, max_length=31), AfterValidator(_columns_are_free)]
"""One to 31 names (tags are numbered in 8 bits) that differ by more than their case."""


class _Labelled(Section):
    labels: LabelList


def load_labels(path: Path = PARAMS) -> Labels:
    """Read the labels and nothing else of the parameters.

    Raises
    ------
    ParameterError
        When there is no such file, or `labels` in it is no list of names.
    """
    return tuple(load_sections(_Labelled, path).labels)

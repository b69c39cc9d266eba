"""The formats, each a writer of files: OMOP, FHIR, CSV, Parquet, brat, Label Studio."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from production.export.results import Result

Open = Callable[[str], IO[bytes]]


@dataclass(frozen=True)
class Settings:
    """What formats have to know beside the results.

    Parameters
    ----------
    disease, treatment : str
        The labels that are conditions, and those that are treatments: `record` of ``params.yaml``.
    concepts : mapping of str to int
        OMOP concepts by term, as `production.export.concepts.normal` spells it.
    """

    disease: str = "Disease"
    treatment: str = "Treatment"
    concepts: Mapping[str, int] = field(default_factory=dict)


class Writer(Protocol):
    """Writes results into files that it opens."""

    def add(self, results: Sequence[Result]) -> None:
        """Write results."""

    def close(self) -> None:
        """Write what is held back, and close the files."""


@dataclass(frozen=True)
class Format:
    """A format.

    Parameters
    ----------
    writer : callable
        Makes its writer.
    printed : str or None
        The file that can go to standard output; empty for all, one after the other's lines; None for none.
    pairs : bool
        Whether it has the pairs, which are read for it then.
    """

    writer: Callable[[Open, Settings], Writer]
    printed: str | None
    pairs: bool = False


def load_format(name: str) -> Format:
    """Return a format; what it needs is loaded now."""
    from production.export.formats import fhir, omop, reviewing, tables

    return {
        "omop": Format(omop.NoteNlp, "note_nlp.csv"),
        "fhir": Format(fhir.Resources, ""),
        "csv": Format(tables.Csv, "mentions.csv", pairs=True),
        "parquet": Format(tables.Parquet, "mentions.parquet", pairs=True),
        "brat": Format(reviewing.Brat, None),
        "label-studio": Format(reviewing.LabelStudio, "tasks.json"),
    }[name]


FORMATS = ("omop", "fhir", "csv", "parquet", "brat", "label-studio")

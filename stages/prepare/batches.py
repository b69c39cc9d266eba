"""Annotation batches on disk: an export untouched beside the `batch.yaml` that describes it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from stages.common.documents import Document
from stages.common.errors import AnnotationError
from stages.common.files import parse_yaml, write_text
from stages.common.labels import Label, load_labels
from stages.common.pseudonyms import KEY, key_of_content, pseudonym
from stages.common.wording import counted
from stages.prepare.annotated import marks_in, with_labels
from stages.prepare.formats import READERS, read
from stages.prepare.formats.rules import Discontinuous, Overlaps, Rules
from stages.prepare.formats.source import File, list_files, read_lines
from stages.prepare.mapping import DEFAULT_MAPPING, read_mapping

DESCRIPTION, EXPORT, LABELS_FILE = "batch.yaml", "export", "labels.csv"
NAME = "[a-z0-9][a-z0-9-]{0,63}"
"""What a batch may be called, as a regular expression: it is a folder, and part of document identifiers."""


class BatchFile(BaseModel):
    """The content of `batch.yaml`.

    `labels` are those of the project that the annotators looked for; null means all that the batch has.
    `mapping` is null where ``data/mapping/labels.csv`` says what the labels of the source mean. `mentions`
    counts all that the export marks, also what the mapping, `overlaps` and `discontinuous` leave out.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: Annotated[str, Field(pattern=rf"^{NAME}$")]
    order: Annotated[int, Field(ge=1)]
    format: str
    labels: Annotated[list[Label], Field(min_length=1)] | None
    mapping: Literal["labels.csv"] | None = None
    overlaps: Overlaps = "refuse"
    discontinuous: Discontinuous = "refuse"
    split: Literal["train", "dev", "test"] | None
    source: str | None
    licence: str | None
    documents: Annotated[int, Field(ge=1)]
    mentions: Annotated[int, Field(ge=0)]
    sha256: dict[str, str]
    key: Annotated[str, Field(pattern=rf"^{KEY}$")] | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_before(cls, content: Any) -> Any:
        """Read descriptions from before batches said what they annotate: `labels` named the mapping."""
        if isinstance(content, dict) and content.get("labels") == LABELS_FILE and "mapping" not in content:
            return {**content, "labels": None, "mapping": LABELS_FILE}
        return content


@dataclass(frozen=True)
class Batch:
    """One annotation batch.

    Parameters
    ----------
    folder : Path
        The folder that holds `batch.yaml` and `export/`.
    about : BatchFile
        What `batch.yaml` says: `order`, `format`, `split`, `source`, `licence`, counts, hashes, `key`.
    mapping : dict of str to str
        From the labels of the source to those of the project, or to `IGNORED`.
    labels : tuple of str
        Of the project, in order.
    """

    folder: Path
    about: BatchFile
    mapping: dict[str, str]
    labels: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of the batch, unique among batches."""
        return self.about.name

    @property
    def order(self) -> int:
        """Place in the order of arrival: splits are assigned in it, so that new batches move no old document."""
        return self.about.order

    @property
    def split(self) -> str | None:
        """The split that all documents of the batch belong to, if it is fixed."""
        return self.about.split

    @property
    def rules(self) -> Rules:
        """How its marks become mentions."""
        return Rules(self.mapping, self.about.overlaps, self.about.discontinuous, self.labels)

    def public_name(self, document: str) -> str:
        """Return what git may call a document of the batch; for batches without a key, the export is the key."""
        return pseudonym(self.about.key or key_of_content(self.about.sha256), f"{self.name}/{document}")


def load_batches(folder: Path, default_mapping: Path = DEFAULT_MAPPING) -> list[Batch]:
    """Describe every batch in `folder`, in their order; the exports are not read yet.

    Hidden entries are skipped: they are what an interrupted `annotation.add` leaves.

    Raises
    ------
    AnnotationError
        When an entry is not a batch, or two batches have the same order.
    """
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    batches = sorted((load_batch(entry, default_mapping) for entry in entries), key=lambda batch: batch.order)
    orders: dict[int, str] = {}
    for batch in batches:
        if batch.name != batch.folder.name:
            raise AnnotationError(
                f"lies in a folder of another name, {batch.folder.name}",
                "Restore it with dvc checkout",
                DESCRIPTION,
                batch=batch.name,
            )
        if batch.order in orders:
            raise AnnotationError(
                f"has order {batch.order} like batch {orders[batch.order]}",
                "Give the newer one the next free number; the order decides which documents stay in their split",
                DESCRIPTION,
                batch=batch.name,
            )
        orders[batch.order] = batch.name
    return batches


def load_batch(folder: Path, default_mapping: Path = DEFAULT_MAPPING) -> Batch:
    """Describe the batch in `folder`.

    Raises
    ------
    AnnotationError
        When `batch.yaml` or the mapping is missing or malformed.
    """
    try:
        about = _read_description(folder)
        labels = load_labels()
        own = read_mapping(folder / LABELS_FILE, labels) if about.mapping else None
    except AnnotationError as error:
        raise error.within(folder.name) from None
    return Batch(folder, about, read_mapping(default_mapping, labels) if own is None else own, labels)


def _read_description(folder: Path) -> BatchFile:
    path = folder / DESCRIPTION
    if folder.is_symlink() or path.is_symlink() or not path.is_file():
        raise AnnotationError(
            "is not a batch: it is a link or has no batch.yaml",
            "Add batches with python -m annotation.add",
            folder.name,
        )
    text = "\n".join(read_lines(File(DESCRIPTION, path)))
    try:
        about = BatchFile.model_validate(parse_yaml(text))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else None
        raise AnnotationError("is not valid YAML", "Restore it with dvc checkout", DESCRIPTION, line=line) from None
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise AnnotationError(f"is malformed: {faults}", "Restore it with dvc checkout", DESCRIPTION) from None
    if about.format not in READERS:
        raise AnnotationError("the format is unknown", f"Use one of {', '.join(READERS)}", DESCRIPTION)
    return about


def write_description(folder: Path, about: BatchFile) -> None:
    """Write `batch.yaml`, its fields in the order in which `BatchFile` lists them."""
    described = about.model_dump(exclude={"key"} if about.key is None else None)
    write_text(folder / DESCRIPTION, yaml.safe_dump(described, sort_keys=False, allow_unicode=True, width=100))


def read_batch(batch: Batch) -> list[Document]:
    """Read a batch's documents: labels as in the source, without those that its mapping ignores.

    Raises
    ------
    AnnotationError
        When a file was changed, added or removed since the batch came in, when the export cannot
        be read, or reads otherwise than it did then, or marks a label that the batch does not annotate.
    """
    try:
        _verify(batch)
        documents = read(batch.folder / EXPORT, batch.about.format, batch.rules)
        found = len(documents), marks_in(documents)
        if found != (batch.about.documents, batch.about.mentions):
            raise AnnotationError(
                f"reads as {counted(found[0], 'document')} and {counted(found[1], 'mention')},"
                f" not as the {batch.about.documents} and {batch.about.mentions} of {DESCRIPTION}",
                "Its bytes are unchanged, so the reader has changed what they mean: mend it, or add the export anew",
                EXPORT,
            )
        return with_labels(documents, batch.mapping, batch.about.labels, batch.labels)
    except AnnotationError as error:
        raise error.within(batch.name) from None


def _verify(batch: Batch) -> None:
    files = list_files(batch.folder / EXPORT)
    names = {file.name for file in files}
    for name in sorted(names ^ set(batch.about.sha256)):
        problem = f"is not listed in {DESCRIPTION}" if name in names else "is missing"
        raise AnnotationError(problem, "Batches are immutable: restore it with dvc checkout", name)
    for file in files:
        if digest(file.path) != batch.about.sha256[file.name]:
            raise AnnotationError(
                f"differs from its hash in {DESCRIPTION}",
                "Batches are immutable: restore it with dvc checkout, and add a correction as a new batch",
                file.name,
            )


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

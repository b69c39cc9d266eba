"""What the batches say of themselves, against which the gate holds the tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from stages.common.documents import Document
from stages.common.errors import GateError
from stages.prepare.params import PrepareParams

if TYPE_CHECKING:
    from stages.prepare.batches import Batch

ANNOTATIONS = Path("data/annotations")


@dataclass(frozen=True)
class Source:
    """A batch as far as the gate needs it.

    Parameters
    ----------
    mapping : mapping of str to str
        From the labels of the source to those of the project.
    split : str or None
        The split that all its documents belong to, if it is fixed.
    documents : mapping of str to Document
        As annotated, files of sentences cut into blocks; by the name that prepare gives them.
    public_name : callable or None
        From a document's identifier in the batch to what git may call it; None where nothing goes to git.
    """

    mapping: Mapping[str, str]
    split: str | None = None
    documents: Mapping[str, Document] = field(default_factory=dict)
    public_name: Callable[[str], str] | None = field(default=None, compare=False)


Sources = Mapping[str, Source]
"""By the name of the batch."""


def load_sources(params: PrepareParams, folder: Path = ANNOTATIONS) -> dict[str, Source]:
    """Read the batches that prepare reads: descriptions, mappings, and exports.

    Raises
    ------
    AnnotationError
        When a batch or a mapping is malformed, or an export is not what came in; names the batch and the file.
    GateError
        When there is no such folder.
    """
    from stages.prepare.batches import load_batches

    if not folder.is_dir():
        raise GateError(f"{folder} is missing: run `make data` or `dvc checkout`")
    chosen = [batch for batch in load_batches(folder) if not params.batches or batch.name in params.batches]
    return {
        batch.name: Source(batch.mapping, batch.split, _documents(batch, params), batch.public_name) for batch in chosen
    }


def _documents(batch: Batch, params: PrepareParams) -> dict[str, Document]:
    from stages.prepare.batches import read_batch

    cut = blocks(read_batch(batch), params.sentences_per_document)
    return {f"{batch.name}/{document.id}": document for document in cut}


def blocks(documents: Sequence[Document], sentences_per_document: int) -> list[Document]:
    """Cut files of sentences as prepare would, so that findings name a place and not the whole file."""
    from stages.prepare.tables import blocks_of

    return [
        block
        for document in documents
        for block in (blocks_of(document, sentences_per_document) if document.stream else [document])
    ]

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
    labels : sequence of str, optional
        Those of the project that the batch annotates; None for all.
    left_out : mapping of str to mapping of str to int
        What it marks that is no mention, by reason and by label of the source.
    """

    mapping: Mapping[str, str]
    split: str | None = None
    documents: Mapping[str, Document] = field(default_factory=dict)
    public_name: Callable[[str], str] | None = field(default=None, compare=False)
    labels: Sequence[str] | None = None
    left_out: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


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
    used = [batch for batch in load_batches(folder) if not params.batches or batch.name in params.batches]
    return {batch.name: _source(batch, params) for batch in used}


def _source(batch: Batch, params: PrepareParams) -> Source:
    from stages.prepare.annotated import left_out_of
    from stages.prepare.batches import read_batch

    whole = read_batch(batch)
    documents = {f"{batch.name}/{item.id}": item for item in blocks(whole, params.sentences_per_document)}
    labels = whole[0].labels
    return Source(batch.mapping, batch.split, documents, batch.public_name, labels, left_out_of(whole))


def annotated_by(sources: Sources) -> dict[str, Sequence[str]]:
    """Return the labels that each batch annotates; one that annotates all is left out."""
    return {name: source.labels for name, source in sources.items() if source.labels is not None}


def blocks(documents: Sequence[Document], sentences_per_document: int) -> list[Document]:
    """Cut files of sentences as prepare would, so that findings name a place and not the whole file."""
    from stages.prepare.tables import blocks_of

    return [
        block
        for document in documents
        for block in (blocks_of(document, sentences_per_document) if document.stream else [document])
    ]

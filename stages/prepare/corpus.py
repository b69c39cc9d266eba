"""Annotation batches to placed documents: blocks, duplicates, splits and contexts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from stages.common.documents import Document
from stages.common.errors import AnnotationError, ParameterError
from stages.prepare.annotated import left_out_of
from stages.prepare.batches import Batch, read_batch
from stages.prepare.params import PrepareParams
from stages.prepare.splits import Assignment, assign
from stages.prepare.tables import PlacedDocument, Tables, blocks_of, build_tables


@dataclass(frozen=True)
class _Entry:
    batch: Batch
    document: Document
    stream: str | None  # the file it was cut from, where the format has no documents


def prepare(batches: Iterable[Batch], params: PrepareParams) -> Tables:
    """Read the batches and build the tables of `data/prepared`.

    Parameters
    ----------
    batches : iterable of Batch
        In the order in which they were added.
    params : PrepareParams

    Raises
    ------
    AnnotationError
        When a batch cannot be read; names batch, file and place.
    ParameterError
        When `params.batches` names a batch that does not exist.
    """
    contents = [(batch, read_batch(batch)) for batch in _included(list(batches), params)]
    entries = [entry for batch, documents in contents for entry in _entries(batch, documents, params)]
    assignments = assign(((entry.document.text, entry.batch.split) for entry in entries), params)
    tables = build_tables(_placed(entries, assignments))
    tables.report["duplicates"] = sum(assignment.duplicate for assignment in assignments)
    tables.report["left_out"] = sum(assignment.split is None for assignment in assignments)
    tables.left_out = left_out_of(document for _, documents in contents for document in documents)
    tables.annotated = {batch.name: documents[0].labels or () for batch, documents in contents}
    return tables


def _included(batches: list[Batch], params: PrepareParams) -> list[Batch]:
    unknown = sorted(set(params.batches) - {batch.name for batch in batches})
    if unknown:
        known = ", ".join(batch.name for batch in batches)
        raise ParameterError(f"prepare.batches: no batch named {', '.join(unknown)}; there are: {known}")
    return [batch for batch in batches if not params.batches or batch.name in params.batches]


def _entries(batch: Batch, documents: list[Document], params: PrepareParams) -> list[_Entry]:
    entries = []
    for document in documents:
        for mention in document.mentions:
            if mention.label not in batch.mapping:
                raise AnnotationError(
                    f"label {mention.label} has no meaning in the mapping",
                    "Add it to data/mapping/labels.csv",
                    document=document.id,
                    offset=mention.start,
                    batch=batch.name,
                )
        if document.stream:
            blocks = blocks_of(document, params.sentences_per_document)
            entries += [_Entry(batch, block, document.id) for block in blocks]
        else:
            entries.append(_Entry(batch, document, None))
    return entries


def _placed(entries: list[_Entry], assignments: list[Assignment]) -> Iterable[PlacedDocument]:
    """Give every document its context.

    Neighbouring blocks of one file share a context as long as they are in the same split, so that
    an abbreviation carries over to where it is used, but never from one split to another.
    """
    previous: tuple[str, str | None, str | None] | None = None
    context = ""
    for entry, assignment in zip(entries, assignments, strict=True):
        place = (entry.batch.name, entry.stream, assignment.split)
        if entry.stream is None or place != previous:
            context = f"{entry.batch.name}/{entry.document.id}"
        previous = place
        if assignment.split is not None:
            batch = entry.batch
            yield PlacedDocument(
                entry.document,
                batch.name,
                context,
                assignment.group,
                assignment.split,
                batch.mapping,
                batch.public_name(entry.document.id),
            )

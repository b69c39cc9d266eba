"""Several annotations of the same documents, read and checked to be of the same text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from annotation.add import map_labels
from stages.common.documents import Document
from stages.common.errors import AnnotationError
from stages.prepare import formats
from stages.prepare.formats.rules import Rules
from stages.prepare.tables import blocks_of


@dataclass(frozen=True)
class Panel:
    """Who annotated what.

    Parameters
    ----------
    annotators : tuple of str
        Ascending.
    documents : dict of str to dict of str to Document
        By identifier and annotator, both ascending; one text for each identifier, labels of the project.
    """

    annotators: tuple[str, ...]
    documents: dict[str, dict[str, Document]]

    @property
    def shared(self) -> dict[str, dict[str, Document]]:
        """The documents that at least two have annotated."""
        return {id: versions for id, versions in self.documents.items() if len(versions) > 1}

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The pairs of annotators who share a document."""
        return [
            pair
            for pair in combinations(self.annotators, 2)
            if any(versions.keys() >= set(pair) for versions in self.documents.values())
        ]


def read_panel(
    paths: Sequence[Path], format: str, mapping: Mapping[str, str], *, sentences_per_document: int = 10
) -> Panel:
    """Read the exports.

    Parameters
    ----------
    paths : sequence of Path
        Exports that name their annotators, or one export for each annotator, named after the file.
    format : str
        A key of `stages.prepare.formats.READERS`.
    mapping : mapping of str to str
        From the labels of the source to those of the project.
    sentences_per_document : int
        How a file of sentences without documents is cut, as `prepare` does it.

    Raises
    ------
    AnnotationError
        When an export cannot be read, has a label without meaning, or when nothing was annotated
        twice; when two annotators had different texts under one identifier: names the document and
        the first character that differs.
    """
    versions_of: dict[str, dict[str, Document]] = {}
    for path in paths:
        for annotator, documents in _read(path, format, Rules(mapping)).items():
            for document in map_labels(documents, dict(mapping)):
                versions = versions_of.setdefault(document.id, {})
                if annotator in versions:
                    raise AnnotationError(
                        f"is annotated a second time by {annotator}",
                        "Rename the export, if it is another person's: its name stands for the annotator",
                        path.name,
                        document=document.id,
                    )
                versions[annotator] = document
    for versions in versions_of.values():
        _refuse_other_text(versions)
    return panel_of(dict(_cut(versions_of, sentences_per_document)))


def panel_of(documents: Mapping[str, Mapping[str, Document]]) -> Panel:
    """Put documents by identifier and annotator in order.

    Raises
    ------
    AnnotationError
        When no document has two annotators.
    """
    annotators = sorted({annotator for versions in documents.values() for annotator in versions})
    panel = Panel(tuple(annotators), {id: dict(sorted(documents[id].items())) for id in sorted(documents)})
    if not panel.shared:
        raise AnnotationError(
            f"no document was annotated by two of {', '.join(annotators)}",
            "Give the exports of several annotators, with the same identifiers",
        )
    return panel


def _read(path: Path, format: str, rules: Rules) -> dict[str, list[Document]]:
    if format in formats.READERS_BY_ANNOTATOR:
        return formats.read_by_annotator(path, format, rules)
    return {path.stem: formats.read(path, format, rules)}


def _refuse_other_text(versions: Mapping[str, Document]) -> None:
    (first, one), *others = versions.items()
    for annotator, other in others:
        if one.text != other.text:
            raise AnnotationError(
                f"{first} and {annotator} had different texts",
                "Let all annotate the same note, and give different notes different identifiers",
                document=one.id,
                offset=difference(one.text, other.text),
            )


def difference(one: str, other: str) -> int:
    """Return the offset of the first character that differs.

    >>> difference("gout", "gout.")
    4
    """
    pairs = zip(one, other, strict=False)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _cut(versions_of: Mapping[str, Mapping[str, Document]], size: int) -> Iterator[tuple[str, dict[str, Document]]]:
    """Cut streams of sentences into blocks, the same for all annotators."""
    for id, versions in versions_of.items():
        if not any(document.stream for document in versions.values()):
            yield id, dict(versions)
            continue
        blocks: dict[str, dict[str, Document]] = {}
        for annotator, document in versions.items():
            for block in blocks_of(document, size):
                blocks.setdefault(block.id, {})[annotator] = block
        for block_versions in blocks.values():
            _refuse_other_text(block_versions)
        yield from blocks.items()

"""Writers of annotation formats: from documents to a file that its tool, and our reader, takes in.

Mentions are written as annotations, or with ``predictions=True`` as what a person is to correct.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from annotation.writers import (
    bioc,
    brat,
    docbin,
    doccano,
    huggingface,
    iob,
    jsonl,
    label_studio,
    prodigy,
    pubtator,
)
from annotation.writers.files import write_folder
from stages.common.documents import Document
from stages.common.errors import AnnotationError
from stages.common.files import replacing
from stages.prepare import formats

Confidences = Sequence[Sequence[float]]
Writer = Callable[[Sequence[Document], bool, Confidences | None], bytes | dict[str, bytes]]

WRITERS: dict[str, Writer] = {
    "iob": iob.encode,
    "pubtator": pubtator.encode,
    "brat": brat.encode,
    "jsonl": jsonl.encode,
    "label-studio": label_studio.encode,
    "doccano": doccano.encode,
    "prodigy": prodigy.encode,
    "spacy": docbin.encode,
    "huggingface": huggingface.encode,
    "bioc": bioc.encode,
}
"""From the name of a format (as in `READERS`) to a function of documents, predictions and confidences
that returns the content of the file, or of the files of a folder by their names in it."""

SUFFIXES: dict[str, tuple[str, ...]] = {
    "iob": formats.iob.SUFFIXES,
    "pubtator": formats.pubtator.SUFFIXES,
    "jsonl": (".jsonl",),
    "label-studio": formats.label_studio.SUFFIXES,
    "doccano": formats.doccano.SUFFIXES,
    "prodigy": formats.prodigy.SUFFIXES,
    "spacy": formats.docbin.SUFFIXES,
    "huggingface": formats.huggingface.SUFFIXES,
    "bioc": formats.bioc.SUFFIXES,
}
"""What the file may end in, so that it can be read again; brat is a folder."""


def write(
    documents: Sequence[Document],
    path: Path,
    format: str,
    *,
    predictions: bool = False,
    confidences: Confidences | None = None,
    private: bool = False,
) -> None:
    """Write documents in a format, all or nothing.

    Parameters
    ----------
    documents : sequence of Document
        At least one, with unique identifiers.
    path : Path
        A file, which is replaced; for ``brat`` a folder that is not there yet or is empty.
    format : str
        A key of `WRITERS`.
    predictions : bool
        Write the mentions the way the tool takes pre-annotations, where it has one (Label Studio, Prodigy);
        the other formats know annotations only.
    confidences : sequence of sequence of float, optional
        From 0 to 1, one for each mention of each document. Kept where the format has a place for
        them, and only with `predictions`.
    private : bool
        Only the owner may read what is written; otherwise the umask decides.

    Raises
    ------
    AnnotationError
        When a document has what the format cannot hold; names it and the remedy. Nothing is written then.
    ValueError
        When the confidences are not parallel to the mentions.
    """
    if format not in WRITERS:
        raise AnnotationError("the format cannot be written", f"Use one of {', '.join(WRITERS)}", path.name)
    if format in SUFFIXES and path.suffix.lower() not in SUFFIXES[format]:
        wanted = " or ".join(SUFFIXES[format])
        raise AnnotationError(f"has a suffix that {format} is not read by", f"End the name in {wanted}", path.name)
    _refuse_documents(documents, path)
    if confidences is not None:
        if not predictions:
            raise ValueError("confidences are for predictions")
        if [len(row) for row in confidences] != [len(document.mentions) for document in documents]:
            raise ValueError("the confidences are not parallel to the mentions")
    content = WRITERS[format](documents, predictions, confidences)
    if isinstance(content, dict):
        write_folder(path, content, private=private)
    else:
        with replacing(path, private=private) as file:
            file.write(content)


def _refuse_documents(documents: Sequence[Document], path: Path) -> None:
    if not documents:
        raise AnnotationError("there is no document to write", "Give at least one", path.name)
    seen: set[str] = set()
    for document in documents:
        if document.id in seen:
            raise AnnotationError(
                "two documents have this identifier", "Give every document its own", path.name, document=document.id
            )
        if not document.text.strip():
            raise AnnotationError("the document has no text", "Leave it out", path.name, document=document.id)
        seen.add(document.id)

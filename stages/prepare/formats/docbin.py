"""`spacy`: the binary `DocBin` (.spacy) that spaCy trains on."""

from __future__ import annotations

import zlib
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from stages.common.documents import Document
from stages.common.errors import AnnotationError
from stages.prepare.formats.marks import Mark, make_document
from stages.prepare.formats.objects import Place, metadata_of, seconds_of
from stages.prepare.formats.source import MAX_BYTES, File, data_files, refuse_controls

if TYPE_CHECKING:
    from spacy.tokens import Doc

SUFFIXES = (".spacy",)


def read(path: Path) -> list[Document]:
    """Read a file, or a folder of files: one document a `Doc`, its entities the mentions.

    The identifier is ``doc.user_data["id"]``, or else ``FILE-1``, ``FILE-2``, …; keys of `METADATA` and
    ``seconds`` are read from the user data, too. Parses, tags and lemmas are not read.

    Raises
    ------
    AnnotationError
        When the file is no `DocBin` with entities, and on a `Doc` with span groups: they may overlap, mentions may not.
    """
    documents: list[Document] = []
    seen: set[str] = set()
    for file in data_files(path, SUFFIXES):
        stem = PurePosixPath(file.name).with_suffix("").as_posix()
        before = len(documents)
        for number, doc in enumerate(_docs(file), 1):
            document = _document(doc, f"{stem}-{number}", file.name)
            if document.id in seen:
                raise AnnotationError(
                    "a second document has this identifier",
                    'Give every Doc its own under user_data["id"], or rename the file',
                    file.name,
                    document=document.id,
                )
            seen.add(document.id)
            documents.append(document)
        if len(documents) == before:
            raise AnnotationError("holds no document", "Check that the export is complete", file.name)
    return documents


def _docs(file: File) -> list[Doc]:
    import spacy
    from spacy.attrs import ENT_IOB, ENT_TYPE, ORTH
    from spacy.tokens import DocBin

    data = file.path.read_bytes()
    try:
        if _is_bomb(data):
            raise ValueError("too large")
        docs = DocBin().from_bytes(data)
        # Only what is read: heads or sentence starts that contradict each other do no harm then.
        columns = [docs.attrs.index(attribute) for attribute in (ORTH, ENT_IOB, ENT_TYPE)]
        docs.attrs, docs.tokens = [ORTH, ENT_IOB, ENT_TYPE], [tokens[:, columns] for tokens in docs.tokens]
        return list(docs.get_docs(spacy.blank("xx").vocab))
    except Exception:  # whatever spaCy, numpy or msgpack make of bytes that are something else
        raise AnnotationError(
            f"is not a DocBin with entities, or larger than {MAX_BYTES >> 20} MiB",
            "Save it with DocBin(docs=…, store_user_data=True).to_disk, the mentions in doc.ents",
            file.name,
        ) from None


def _is_bomb(data: bytes) -> bool:
    inflating = zlib.decompressobj()
    inflating.decompress(data, MAX_BYTES)
    return bool(inflating.unconsumed_tail)


def _document(doc: Doc, name: str, file: str) -> Document:
    id = doc.user_data.get("id", name)
    place = Place(file).within(id if isinstance(id, str) else name)
    if not isinstance(id, str):
        raise place.refuse('has user_data["id"] that is not a string', "Write it as a string")
    if any(len(group) for group in doc.spans.values()):
        raise place.refuse(
            "has span groups, which may overlap",
            "Put the mentions into doc.ents and empty doc.spans: mentions are flat",
        )
    refuse_controls(doc.text, file=file, document=place.document)
    return make_document(
        doc.text,
        [Mark(entity.start_char, entity.end_char, entity.label_) for entity in doc.ents],
        id=id,
        file=file,
        metadata=metadata_of(_strings(doc.user_data), place),
        seconds=seconds_of(doc.user_data.get("seconds"), place),
    )


def _strings(user_data: dict[Any, Any]) -> dict[str, Any]:
    """Leave out what spaCy keeps there itself, under tuples."""
    return {key: value for key, value in user_data.items() if isinstance(key, str)}

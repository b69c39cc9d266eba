"""`spacy`: the binary `DocBin` (.spacy) that spaCy trains on."""

from __future__ import annotations

import gc
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from stages.common.documents import Document
from stages.common.errors import AnnotationError
from stages.prepare.formats.faults import noting
from stages.prepare.formats.marks import Mark, make_document
from stages.prepare.formats.objects import Place, metadata_of, seconds_of
from stages.prepare.formats.source import File, data_files, read_bytes, refuse_controls, refuse_identifier

if TYPE_CHECKING:
    from spacy.tokens import Doc

SUFFIXES = (".spacy",)

MOST_INFLATED = 128 << 20
"""Most bytes of a file, unpacked: some five million tokens, which take a gigabyte when they are read."""

MOST_OBJECTS = 8 << 20
"""Most bytes beside the tables of tokens: strings, user data, flags."""

_TABLES = (b"tokens", b"lengths", b"spaces")
_BYTES = (0xC4, 0xC5, 0xC6)
"""What begins a string of bytes in MessagePack."""


class _Doc(NamedTuple):
    """What is read of a `Doc`; `grouped` where it has spans outside of ``doc.ents``."""

    text: str
    marks: list[Mark]
    user_data: dict[str, Any]
    grouped: bool


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
        number = 0
        with noting:
            for number, doc in enumerate(_docs(file), 1):
                with noting:
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
            if not number:
                raise AnnotationError("holds no document", "Check that the export is complete", file.name)
    return documents


def _docs(file: File) -> Iterator[_Doc]:
    """Yield what is read of each `Doc`, which is forgotten after that: it takes far more memory than its text."""
    try:
        docs = _unpacked(read_bytes(file, MOST_INFLATED))
        while (doc := next(docs, None)) is not None:
            yield _Doc(
                doc.text,
                [Mark(entity.start_char, entity.end_char, entity.label_) for entity in doc.ents],
                {key: value for key, value in doc.user_data.items() if isinstance(key, str)},  # others are spaCy's own
                any(len(group) for group in doc.spans.values()),
            )
    except AnnotationError:
        raise
    except Exception:  # whatever spaCy, numpy or msgpack make of bytes that are something else
        raise AnnotationError(
            f"is not a DocBin with entities, or larger than {MOST_INFLATED >> 20} MiB",
            "Save it with DocBin(docs=…, store_user_data=True).to_disk, the mentions in doc.ents, or as several files",
            file.name,
        ) from None
    finally:
        gc.enable()  # srsly turns it off to unpack, and leaves it off when that fails


def _unpacked(data: bytes) -> Iterator[Doc]:
    import spacy
    from spacy.attrs import ENT_IOB, ENT_TYPE, ORTH
    from spacy.tokens import DocBin

    _refuse_bomb(data)
    docs = DocBin().from_bytes(data)
    # Only what is read: heads or sentence starts that contradict each other do no harm then.
    columns = [docs.attrs.index(attribute) for attribute in (ORTH, ENT_IOB, ENT_TYPE)]
    docs.attrs, docs.tokens = [ORTH, ENT_IOB, ENT_TYPE], [tokens[:, columns] for tokens in docs.tokens]
    return docs.get_docs(spacy.blank("xx").vocab)


def _refuse_bomb(data: bytes) -> None:
    """Refuse a few bytes that would take gigabytes, before anything is built of them.

    The tables of tokens are as large in memory as in the file; all else are objects, each of which may
    take seventy times its byte.

    Raises
    ------
    ValueError
        Also where the file is cut off or no map.
    """
    from srsly.msgpack import Unpacker

    inflated = _inflate(data)
    unpacker = Unpacker(max_buffer_size=MOST_INFLATED, max_str_len=MOST_INFLATED, max_bin_len=MOST_INFLATED, raw=False)
    unpacker.feed(inflated)
    objects = 0
    for _ in range(unpacker.read_map_header()):
        before = unpacker.tell()
        unpacker.skip()
        value = unpacker.tell()
        unpacker.skip()
        is_table = inflated[before + 1 : value] in _TABLES and inflated[value] in _BYTES
        objects += 0 if is_table else unpacker.tell() - before
    if objects > MOST_OBJECTS:
        raise ValueError("too many objects")


def _inflate(data: bytes) -> bytes:
    inflating = zlib.decompressobj()
    inflated = inflating.decompress(data, MOST_INFLATED)
    if inflating.unconsumed_tail:
        raise ValueError("too large")
    return inflated


def _document(doc: _Doc, name: str, file: str) -> Document:
    id = doc.user_data.get("id", name)
    if not isinstance(id, str):
        raise Place(file).within(name).refuse('has user_data["id"] that is not a string', "Write it as a string")
    refuse_identifier(id, doc.text, file=file)
    place = Place(file).within(id)
    if doc.grouped:
        raise place.refuse(
            "has span groups, which may overlap",
            "Put the mentions into doc.ents and empty doc.spans: mentions are flat",
        )
    refuse_controls(doc.text, file=file, document=place.document)
    return make_document(
        doc.text,
        doc.marks,
        id=id,
        file=file,
        metadata=metadata_of(doc.user_data, place),
        seconds=seconds_of(doc.user_data.get("seconds"), place),
    )

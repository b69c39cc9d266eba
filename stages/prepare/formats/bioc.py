"""`bioc`: BioC XML, as PubTator Central and many corpora are shared; offsets count characters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from stages.common.documents import METADATA, Document
from stages.common.errors import AnnotationError
from stages.prepare.formats.faults import noting
from stages.prepare.formats.marks import Mark, make_document, parse_offset
from stages.prepare.formats.objects import Place, metadata_of, seconds_of
from stages.prepare.formats.source import (
    MAX_CHARACTERS,
    File,
    data_files,
    read_text,
    refuse_controls,
    refuse_identifier,
)

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

SUFFIXES = (".xml",)


def read(path: Path) -> list[Document]:
    r"""Read a file, or a folder of files: one collection each.

    The texts of passages (or of their sentences) are put at their offsets; what lies between them is
    taken for line ends, since a passage ends its sentence. The label is the annotation's infon
    ``type``, metadata and ``seconds`` are infons of the document. Relations and other infons are
    ignored. A mention of several locations is read as one where only white space lies between
    them, as in brat.

    Raises
    ------
    AnnotationError
        On XML that does not parse or defines entities, on offsets that do not fit the texts, on
        discontinuous mentions, and when the text of an annotation is not what stands at its offset.
    """
    documents: list[Document] = []
    seen: set[str] = set()
    for file in data_files(path, SUFFIXES, beside=(".dtd", ".key")):
        elements = _root(file).findall("document")
        if not elements:
            raise AnnotationError("holds no document", "Give a BioC collection with documents", file.name)
        for element in elements:
            with noting:
                document = _document(element, Place(file.name))
                if document.id in seen:
                    raise Place(file.name, None, document.id).refuse(
                        "a second document has this identifier", "Give every document its own"
                    )
                seen.add(document.id)
                documents.append(document)
    return documents


def _root(file: File) -> Element:
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    try:
        # Of text, whatever encoding it declares: it has been read as UTF-8, and read otherwise its offsets would shift.
        root: Element = fromstring(read_text(file))
    except ParseError as error:
        line, _ = error.position
        raise AnnotationError("is not valid XML", "Export it again: it may be cut off", file.name, line=line) from None
    except (DefusedXmlException, ValueError, LookupError):
        raise AnnotationError(
            "defines entities, or is in another encoding", "Give XML in UTF-8 without them", file.name
        ) from None
    if root.tag != "collection":
        raise AnnotationError("is not a BioC collection", "Give XML whose outermost element is collection", file.name)
    return root


def _document(element: Element, place: Place) -> Document:
    id = (element.findtext("id") or "").strip()
    text = _text(element, place)
    refuse_identifier(id, text, file=place.file)
    place = place.within(id)
    refuse_controls(text, file=place.file, document=place.document)
    infons = _infons(element)
    marks = list(_marks(element, place))
    return make_document(
        text,
        marks,
        id=id,
        file=place.file,
        metadata=metadata_of({key: infons[key] for key in METADATA if key in infons}, place),
        seconds=seconds_of(_number(infons.get("seconds"), place), place),
    )


def _text(document: Element, place: Place) -> str:
    text = ""
    for passage in document.findall("passage"):
        whole = passage.find("text") is not None
        for part in [passage] if whole else passage.findall("sentence"):
            offset, content = _offset(part.findtext("offset"), place), part.findtext("text") or ""
            if not len(text) <= offset <= MAX_CHARACTERS:
                raise place.refuse(
                    f"has a text at offset {offset} where the one before it ends at {len(text)}",
                    "Count offsets in characters from the beginning of the document, in ascending order",
                )
            text += "\n" * (offset - len(text)) + content
    return text


def _marks(document: Element, place: Place) -> Iterator[Mark]:
    for annotation in document.iter("annotation"):
        with noting:
            yield _mark(annotation, place)


def _mark(annotation: Element, place: Place) -> Mark:
    parts = []
    for location in annotation.findall("location"):
        start = _offset(location.get("offset"), place)
        parts.append((start, start + _offset(location.get("length"), place)))
    if not parts:
        raise place.refuse("has an annotation without a location", "Give it one, or take it out")
    label = _infons(annotation).get("type")
    if label is None:
        raise place.refuse("has an annotation without an infon of key type", "Give it one: it is the label")
    return Mark.of_parts(parts, label, annotation.findtext("text"))


def _infons(element: Element) -> dict[str, str]:
    return {infon.get("key", ""): infon.text or "" for infon in element.findall("infon")}


def _offset(digits: str | None, place: Place) -> int:
    offset = parse_offset((digits or "").strip())
    if offset is None:
        raise place.refuse("has an offset or length that is not a whole number from 0", "Export it again")
    return offset


def _number(value: str | None, place: Place) -> float | None:
    try:
        return None if value is None else float(value)
    except ValueError:
        raise place.refuse("has an infon seconds that is no number", "Correct it or leave it out") from None

"""`bioc`: a BioC XML collection, a passage a document; holds all but sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from stages.common.documents import Document
from stages.common.errors import AnnotationError

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE collection SYSTEM "BioC.dtd">
<collection>
<source>BeHealthy</source>
<date></date>
<key></key>
"""
_NO_XML = re.compile("[\ufffe\uffff]")


def encode(documents: Sequence[Document], predictions: bool, confidences: Sequence[Sequence[float]] | None) -> bytes:
    """Return the XML; a confidence is an infon of its annotation.

    Raises
    ------
    AnnotationError
        When a text has one of the two characters that XML does not allow beside the controls.
    """
    parts = [_HEAD]
    for number, document in enumerate(documents):
        if _NO_XML.search(document.text):
            raise AnnotationError(
                "has a character that XML does not allow",
                "Remove U+FFFE and U+FFFF, or write jsonl",
                document=document.id,
            )
        parts += _lines(document, confidences[number] if confidences else None)
    return "".join([*parts, "</collection>\n"]).encode("utf-8")


def _lines(document: Document, confidences: Sequence[float] | None) -> Iterator[str]:
    yield f"<document>\n<id>{_xml(document.id)}</id>\n"
    for key, value in sorted(document.metadata.items()):
        yield _infon(key, value)
    if document.seconds is not None:
        yield _infon("seconds", repr(document.seconds))
    yield f"<passage>\n<offset>0</offset>\n<text>{_xml(document.text)}</text>\n"
    for number, (start, end, label) in enumerate(document.mentions):
        yield f'<annotation id="{number}">\n' + _infon("type", label)
        if confidences is not None:
            yield _infon("confidence", repr(confidences[number]))
        yield f'<location offset="{start}" length="{end - start}"/>\n'
        yield f"<text>{_xml(document.text[start:end])}</text>\n</annotation>\n"
    yield "</passage>\n</document>\n"


def _infon(key: str, value: str) -> str:
    return f'<infon key="{key}">{_xml(value)}</infon>\n'


def _xml(text: str) -> str:
    """Escape a text; a parser would turn CR LF into LF if CR did not stand as a reference."""
    return escape(text, {"\r": "&#13;"})

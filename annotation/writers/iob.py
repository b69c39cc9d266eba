"""`iob`: a token and its IOB2 tag a line; holds sentences of tokens, neither names nor the text between tokens."""

from __future__ import annotations

from collections.abc import Sequence

from annotation.writers.tokens import sentences_of
from stages.common.documents import Document
from stages.common.errors import AnnotationError
from stages.common.tags import to_iob2
from stages.prepare.formats.iob import DOCUMENT_START


def encode(documents: Sequence[Document], predictions: bool, confidences: object) -> bytes:
    """Return the lines; every document begins with ``-DOCSTART-``, a lone stream of sentences does not."""
    lines: list[str] = []
    stream = len(documents) == 1 and documents[0].stream
    for document in documents:
        lines += [] if stream else [f"{DOCUMENT_START}\tO", ""]
        for tokens, spans in sentences_of(document):
            if any(token.startswith(DOCUMENT_START) for token in tokens):
                raise AnnotationError(
                    f"has the token {DOCUMENT_START}, which begins a document in this format",
                    "Write another format",
                    document=document.id,
                )
            tags = to_iob2(len(tokens), spans)
            lines += [*(f"{token}\t{tag}" for token, tag in zip(tokens, tags, strict=True)), ""]
    return "\n".join(lines).encode("utf-8")

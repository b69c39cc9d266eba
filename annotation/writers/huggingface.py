"""`huggingface`: sentences of tokens with their tags as JSONL, for `datasets.load_dataset("json", …)`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from annotation.writers.lines import json_lines
from annotation.writers.tokens import sentences_of
from stages.common.documents import Document
from stages.common.tags import to_iob2


def encode(documents: Sequence[Document], predictions: bool, confidences: object) -> bytes:
    """Return a sentence a line, with its document's identifier; a lone stream of sentences has none."""
    return json_lines(_rows(documents))


def _rows(documents: Sequence[Document]) -> Iterator[dict[str, Any]]:
    stream = len(documents) == 1 and documents[0].stream
    for document in documents:
        for tokens, spans in sentences_of(document):
            name = {} if stream else {"document": document.id}
            yield {**name, "tokens": tokens, "ner_tags": to_iob2(len(tokens), spans)}

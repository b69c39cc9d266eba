"""`doccano`: a file to import into a sequence labelling project of doccano; offsets in UTF-16 units."""

from __future__ import annotations

from collections.abc import Sequence

from annotation.writers.lines import json_lines
from stages.common.documents import Document
from stages.prepare.formats.units import unit_offsets


def encode(documents: Sequence[Document], predictions: bool, confidences: object) -> bytes:
    """Return an object a line; doccano shows imported labels as the importing user's own, without confidence."""
    # A key that only some lines have would become NaN in doccano, which its database refuses.
    keys = sorted({key for document in documents for key in document.metadata})
    entries = []
    for document in documents:
        units = unit_offsets(document.text)
        spans = [[units[start], units[end], label] for start, end, label in document.mentions]
        metadata = {key: document.metadata.get(key) for key in keys}
        entries.append({"id": document.id, "text": document.text, "label": spans, **metadata})
    return json_lines(entries, ascii=True)  # doccano guesses the encoding of a file, and takes UTF-8 for others

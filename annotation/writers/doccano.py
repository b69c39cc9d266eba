"""`doccano`: a file to import into a sequence labelling project of doccano; offsets in UTF-16 units."""

from __future__ import annotations

from collections.abc import Sequence

from annotation.writers.lines import json_lines
from stages.common.documents import Document
from stages.prepare.formats.units import unit_offsets


def encode(documents: Sequence[Document], predictions: bool, confidences: object) -> bytes:
    """Return an object a line; doccano shows imported labels as the importing user's own, without confidence."""
    entries = []
    for document in documents:
        units = unit_offsets(document.text)
        spans = [[units[start], units[end], label] for start, end, label in document.mentions]
        entries.append({"id": document.id, "text": document.text, "label": spans, **document.metadata})
    return json_lines(entries)

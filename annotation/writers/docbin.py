"""`spacy`: a `DocBin` to train spaCy on; holds identifiers, texts, mentions, metadata and seconds."""

from __future__ import annotations

from collections.abc import Sequence

from annotation.writers.pieces import pieces_of
from annotation.writers.tokens import spans_over
from stages.common.documents import Document
from stages.common.tags import to_iob2


def encode(documents: Sequence[Document], predictions: bool, confidences: object) -> bytes:
    """Return the bytes of a `DocBin` with entities; identifiers and metadata are in the user data."""
    import spacy
    from spacy.tokens import Doc, DocBin

    vocab = spacy.blank("xx").vocab
    docs = DocBin(attrs=["ORTH", "ENT_IOB", "ENT_TYPE"], store_user_data=True)
    for document in documents:
        pieces = pieces_of(document)
        spans = spans_over([piece.token for piece in pieces], document.mentions)
        doc = Doc(
            vocab,
            words=[document.text[start:end] for (start, end), _ in pieces],
            spaces=[piece.space for piece in pieces],
            ents=to_iob2(len(pieces), spans),
        )
        doc.user_data = {"id": document.id, **document.metadata}
        if document.seconds is not None:
            doc.user_data["seconds"] = document.seconds
        docs.add(doc)
    return bytes(docs.to_bytes())

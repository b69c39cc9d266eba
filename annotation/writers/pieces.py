"""A whole text as spaCy and Prodigy see it: tokens, each with a space after it or not, that give the text again."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from annotation.writers.tokens import cut_tokens
from stages.common.documents import Document, Token


class Piece(NamedTuple):
    """A token, and whether one space follows that belongs to no token."""

    token: Token
    space: bool


def pieces_of(document: Document) -> list[Piece]:
    """Cut a text into tokens; white space other than a single space is a token of its own."""
    text = document.text
    tokens = cut_tokens(document, 0, len(text), document.mentions)
    borders = [Token(0, 0), *tokens, Token(len(text), len(text))]
    pieces: list[Piece] = []
    for token, following in pairwise(borders):
        space = token.end > token.start and text.startswith(" ", token.end)
        if token.end > token.start:
            pieces.append(Piece(token, space))
        gap = Token(token.end + space, following.start)
        if gap.end > gap.start:
            pieces.append(Piece(gap, False))
    return pieces

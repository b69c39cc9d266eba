"""Documents as tokens, cut so that every mention begins and ends with one."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from stages.common.documents import Document, Mention, Token
from stages.common.errors import AnnotationError
from stages.common.tags import TokenSpan
from stages.prepare.formats.sequences import Sentence
from stages.prepare.segmentation import split_sentences, tokenize

_WORD = re.compile(r"\S+")


def cut_tokens(document: Document, start: int, end: int, mentions: Sequence[Mention]) -> list[Token]:
    """List the tokens of a part of the text; those that one of the mentions begins or ends in are cut there.

    Where the format fixed the sentences, it fixed the tokens between their spaces, too.
    """
    if document.sentences is None:
        tokens = tokenize(document.text, start, end)
    else:
        tokens = [Token(*match.span()) for match in _WORD.finditer(document.text, start, end)]
    cuts = sorted({offset for mention in mentions for offset in mention[:2]})
    return [piece for token in tokens for piece in _pieces(token, cuts)]


def _pieces(token: Token, cuts: list[int]) -> Iterator[Token]:
    start = token.start
    for cut in cuts[bisect_right(cuts, token.start) : bisect_left(cuts, token.end)]:
        yield Token(start, cut)
        start = cut
    yield Token(start, token.end)


def spans_over(tokens: Sequence[Token], mentions: Sequence[Mention]) -> list[TokenSpan]:
    """Return mentions as spans of the tokens that `cut_tokens` gave for them."""
    starts, ends = [token.start for token in tokens], [token.end for token in tokens]
    return [(bisect_left(starts, start), bisect_left(ends, end) + 1, label) for start, end, label in mentions]


def sentences_of(document: Document) -> Iterator[Sentence]:
    """Yield the sentences of a document, joined where a mention runs over the end of one.

    Raises
    ------
    AnnotationError
        When a label has white space in it: formats of tokens separate columns by it.
    """
    for label in sorted({mention.label for mention in document.mentions}):
        if len(label.split()) != 1:
            raise AnnotationError("has a label with white space in it", "Rename the label", document=document.id)
    starts = [mention.start for mention in document.mentions]
    for start, end in _joined(document):
        mentions = document.mentions[bisect_left(starts, start) : bisect_left(starts, end)]
        tokens = cut_tokens(document, start, end, mentions)
        if tokens:
            yield Sentence([document.text[s:e] for s, e in tokens], spans_over(tokens, mentions))


def _joined(document: Document) -> list[tuple[int, int]]:
    bounds = document.sentences if document.sentences is not None else split_sentences(document.text)
    starts = [start for start, _ in bounds]
    continued: set[int] = set()
    for start, end, _ in document.mentions:
        continued.update(range(bisect_right(starts, start), bisect_left(starts, end)))
    joined: list[tuple[int, int]] = []
    for number, (start, end) in enumerate(bounds):
        joined.append((joined.pop()[0], end) if number in continued and joined else (start, end))
    return joined

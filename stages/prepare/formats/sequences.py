"""Sentences of tokens to a `Document`: tokens joined by a space, sentences by a line end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from stages.common.documents import Document, LeftOut, Mention
from stages.common.errors import AnnotationError
from stages.common.tags import TokenSpan
from stages.prepare.formats.rules import IGNORED, current_rules
from stages.prepare.formats.source import MAX_CHARACTERS, refuse_identifier, too_long


class Sentence(NamedTuple):
    """Tokens and the spans marked over them."""

    tokens: list[str]
    spans: list[TokenSpan]


def join_sentences(
    sentences: Sequence[Sentence], *, id: str, file: str, stream: bool, line: int | None = None
) -> Document:
    """Make a document of sentences; its `sentences` are set.

    A stream, being a whole file of sentences, may be longer than a document.

    Raises
    ------
    AnnotationError
        When there is no sentence, a document is too long, or its identifier cannot name it.
    """
    refuse_identifier(id, file=file, line=line)
    if not sentences:
        raise AnnotationError(
            "there is no sentence" if stream else "the document has no sentence",
            "Check that the export is complete" if stream else "Take the document out of the export",
            file,
            line=line,
            document=id,
        )
    texts: list[str] = []
    mentions: list[Mention] = []
    bounds: list[tuple[int, int]] = []
    at = 0
    for tokens, spans in sentences:
        starts, ends = _offsets(tokens, at)
        mentions += [Mention(starts[first], ends[last - 1], label) for first, last, label in spans]
        bounds.append((at, ends[-1]))
        texts.append(" ".join(tokens))
        at = ends[-1] + 1
    text = "\n".join(texts)
    if len(text) > MAX_CHARACTERS and not stream:
        raise too_long("the document", file=file, line=line, document=id)
    meaning = current_rules().meaning
    kept = tuple(mention for mention in mentions if meaning(mention.label) != IGNORED)
    ignored = (mention for mention in mentions if meaning(mention.label) == IGNORED)
    left_out = tuple(LeftOut(mention.start, mention.label, "ignored") for mention in ignored)
    return Document(id, text, kept, tuple(bounds), stream=stream, left_out=left_out)


def _offsets(tokens: Sequence[str], at: int) -> tuple[list[int], list[int]]:
    starts, ends = [], []
    for token in tokens:
        starts.append(at)
        ends.append(at + len(token))
        at += len(token) + 1
    return starts, ends


def refuse_spaces(token: str, *, file: str, line: int | None) -> None:
    """Refuse a token with white space in it: joined to its sentence it would be two."""
    if len(token.split()) != 1 or token != token.strip():
        raise AnnotationError(
            "the token is empty or has white space inside it",
            "Put every token on a line of its own, columns separated by one tab",
            file,
            line=line,
        )

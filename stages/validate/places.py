"""Where the rows stand: tokens in their text, mentions on their tokens, documents among their neighbours."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pandas as pd

from stages.prepare.segmentation import tokenize

PlacedSpan = tuple[str, int, int, str]
SPAN = ("document", "start", "end", "label")

_BLOCK = re.compile(r"(?P<file>.*)#(?P<number>\d{5,})", re.DOTALL)


@dataclass
class TokensOf:
    """The tokens of one document, in the order of their rows."""

    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    sentences: list[int] = field(default_factory=list)

    def touched(self, start: int, end: int) -> tuple[int, int] | None:
        """Return the first and the last token that share a character with ``[start, end)``, if any does."""
        first, last = bisect_right(self.ends, start), bisect_left(self.starts, end) - 1
        return (first, last) if first <= last else None


@dataclass(frozen=True)
class Placement:
    """A mention on the tokens.

    Parameters
    ----------
    aligned : bool
        Whether both ends are token boundaries of one sentence.
    tagged : PlacedSpan or None
        What the tags must say of it; None where no tag sequence can: it reaches over a sentence's end,
        touches no token, or shares one with the mention before it.
    """

    aligned: bool
    tagged: PlacedSpan | None


def rows_of(frame: pd.DataFrame, columns: Sequence[str]) -> list[tuple]:
    """Return some columns as a list of tuples of Python values."""
    return list(zip(*(frame[column].tolist() for column in columns), strict=True))


def tokens_by_document(tokens: pd.DataFrame) -> dict[str, TokensOf]:
    """Gather the tokens of each document."""
    tokens_of: dict[str, TokensOf] = {}
    for document, start, end, sentence in rows_of(tokens, ("document", "start", "end", "sentence")):
        own = tokens_of.setdefault(document, TokensOf())
        own.starts.append(start)
        own.ends.append(end)
        own.sentences.append(sentence)
    return tokens_of


def placements(mentions: pd.DataFrame, tokens: Mapping[str, TokensOf]) -> list[Placement]:
    """Put every mention on the tokens anew, whatever `aligned` says.

    Returns
    -------
    list of Placement
        One per row of `mentions`.
    """
    placed: dict[int, Placement] = {}
    reached: dict[str, int] = {}  # last token of the mentions placed so far
    rows = rows_of(mentions, SPAN)
    for row in sorted(range(len(rows)), key=rows.__getitem__):
        document, start, end, label = rows[row]
        own = tokens.get(document, TokensOf())
        touched = own.touched(start, end)
        if touched is None or own.sentences[touched[0]] != own.sentences[touched[1]]:
            placed[row] = Placement(aligned=False, tagged=None)
            continue
        first, last = touched
        span = document, own.starts[first], own.ends[last], label
        free = first > reached.get(document, -1)
        if free:
            reached[document] = last
        placed[row] = Placement(span[1:3] == (start, end), span if free else None)
    return [placed[row] for row in range(len(rows))]


def uncovered(text: str, tokens: TokensOf | None) -> int | None:
    """Return the offset of the first character that is neither blank nor in a token; None without one."""
    place = 0
    spans = sorted(zip(tokens.starts, tokens.ends, strict=True)) if tokens else []
    for start, end in [*spans, (len(text), len(text))]:
        gap = text[place : max(start, place)]
        if gap.strip():
            return place + len(gap) - len(gap.lstrip())
        place = max(place, end)
    return None


def tokenized(tokens: pd.DataFrame, texts: Mapping[str, str]) -> list[bool | None]:
    """Tell for each token whether the tokenizer makes it of its text; None where its offsets are not in a text."""
    cut = {document: set(tokenize(texts[document])) for document in set(tokens["document"]) & texts.keys()}
    return [
        (start, end) in cut[document] if document in cut and 0 <= start < end <= len(texts[document]) else None
        for document, start, end in rows_of(tokens, ("document", "start", "end"))
    ]


def numbered(tokens: pd.DataFrame, documents: pd.Series) -> list[bool]:
    """Tell for each row whether sentence and token count on from the row before it, from 0 in each document.

    Documents begin once each, in the order of `documents`; unknown ones may stand anywhere.
    """
    ranks = {document: rank for rank, document in enumerate(documents.tolist())}
    right = []
    before: tuple[str | None, int, int] = (None, -1, -1)
    reached = -1
    for row in rows_of(tokens, ("document", "sentence", "token")):
        document, sentence, token = row
        if document != before[0]:
            rank = ranks.get(document, len(ranks))
            right.append((sentence, token) == (0, 0) and rank > reached)
            reached = rank if document in ranks else reached
        else:
            right.append((sentence, token) in ((before[1], before[2] + 1), (before[1] + 1, 0)))
        before = row
    return right


def in_order(rows: pd.DataFrame, documents: pd.Series) -> list[bool]:
    """Tell for each row with a start and an end whether it stands after the rows before it, without overlap.

    Documents count in the order of `documents`; rows of unknown documents are passed over.
    """
    ranks = {document: rank for rank, document in enumerate(documents.tolist())}
    right = []
    before = (-1, 0)
    for document, start, end in rows_of(rows, ("document", "start", "end")):
        rank = ranks.get(document)
        if rank is None:
            right.append(True)
            continue
        right.append(before <= (rank, start))
        before = rank, end
    return right


def neighbours(documents: pd.DataFrame) -> list[bool]:
    """Tell for each document whether its context is its own, or that of the block before it in the same file."""
    rows = rows_of(documents, ("document", "batch", "context", "split"))
    first = [document == context for document, _, context, _ in rows[:1]]
    return first + [
        row[2] == row[0] or (row[1:] == before[1:] and _follows(before[0], row[0])) for before, row in pairwise(rows)
    ]


def _follows(one: str, other: str) -> bool:
    before, after = _BLOCK.fullmatch(one), _BLOCK.fullmatch(other)
    if before is None or after is None:
        return False
    return before["file"] == after["file"] and int(before["number"]) + 1 == int(after["number"])

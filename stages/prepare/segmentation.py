"""Text to sentences and tokens, with character offsets. Training and production share it.

Sentences: `sentencex` (a rule-based segmenter that never alters the text) inside of blocks; a
block ends where clinical layout ends a thought: at an empty line, before a bullet, after a short
line. Tokens: runs of letters and digits; what clinical text glues together comes apart (``500mg``,
``COPD/asthma``, ``co-amoxiclav``, ``(n=3)``), while ``T2DM``, ``HbA1c`` and ``2.5`` stay whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial

from stages.common.documents import Token

_TOKEN = re.compile(r"[0-9]+(?:[.,][0-9]+)*|[^\W\d_][^\W_]*|\S")
_token = partial(tuple.__new__, Token)  # half the time of a named tuple's own constructor
_span = re.Match.span
_LINE = re.compile(r"[^\n\r]+")
_WRAP_WIDTH = 50
_CONTINUES = re.compile(r"[a-z0-9(]")
_NUMBER = re.compile(r"\(?(?:\d{1,3}|[a-zA-Z])[.)]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_WIDE_BLANK = re.compile(r"[^\S\x00-\x7f]")
_BULLET = re.compile(r"(?:[-*•·]|\d{1,2}[.)])\s")


def tokenize(text: str, start: int = 0, end: int | None = None) -> list[Token]:
    """List the tokens of ``text[start:end]``; offsets count from the start of `text`.

    >>> text = "COPD/asthma, 500mg b.d."
    >>> [text[s:e] for s, e in tokenize(text)]
    ['COPD', '/', 'asthma', ',', '500', 'mg', 'b', '.', 'd', '.']
    """
    return list(map(_token, map(_span, _TOKEN.finditer(text, start, len(text) if end is None else end))))


def words_in(text: str) -> list[str]:
    """List the tokens of a text as strings, where nobody asks where they stand.

    >>> words_in("COPD/asthma, 500mg")
    ['COPD', '/', 'asthma', ',', '500', 'mg']
    """
    return _TOKEN.findall(text)


def split_sentences(text: str) -> list[tuple[int, int]]:
    r"""List the sentences as (start, end), without surrounding white space.

    >>> text = "Seen by the team. Plan:\n- stop aspirin\n- start 2.5 mg b.d."
    >>> [text[s:e] for s, e in split_sentences(text)]
    ['Seen by the team.', 'Plan:', '- stop aspirin', '- start 2.5 mg b.d.']
    """
    return [span for start, end in _blocks(text) for span in _sentences_of(text, start, end)]


def segment(text: str, bounds: Iterable[tuple[int, int]] | None = None) -> list[list[Token]]:
    """List the sentences that have a token, each as its tokens.

    Parameters
    ----------
    text : str
    bounds : iterable of (int, int), optional
        Start and end of each sentence, where they are fixed; by default those of `split_sentences`.

    >>> [len(tokens) for tokens in segment("Seen today. No gout.")]
    [3, 3]
    """
    sentences = split_sentences(text) if bounds is None else bounds
    return [tokens for start, end in sentences if (tokens := tokenize(text, start, end))]


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Join hard-wrapped lines; every other line is a block of its own."""
    start = end = margin = -1  # margin: where the last line of the block begins
    for match in _LINE.finditer(text):
        line = match.group()
        if not line.strip():
            continue
        if start >= 0 and _continues(text, end, match.start(), line, end - margin):
            margin = max(margin, text.rfind("\n", end, match.end()) + 1)
            end = match.end()
            continue
        if start >= 0:
            yield start, end
        start, end = match.span()
        margin = start
    if start >= 0:
        yield start, end


def _continues(text: str, end: int, start: int, line: str, width: int) -> bool:
    """Tell whether a line goes on with the sentence of the line before it."""
    if text.count("\n", end, start) > 1 or width < _WRAP_WIDTH or text[end - 1] in ".:;!?":
        return False
    stripped = line.lstrip()
    return bool(_CONTINUES.match(stripped)) and not _BULLET.match(stripped)


def _sentences_of(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    import sentencex

    # The segmenter takes no lone surrogates, and ends the process at an initial before a blank that is
    # more than one byte ("A\u00a0."); their stand-ins are as long as they are.
    block = _WIDE_BLANK.sub(" ", _SURROGATE.sub("\ufffd", text[start:end]))
    place, opened, last = 0, -1, len(block.rstrip())
    for piece in [*sentencex.segment("en", block), None]:
        # The pieces follow each other; searching keeps the offsets right should white space be trimmed.
        # What is left at the end, should a piece not be found, is a sentence, too.
        sentence = (block[place:] if piece is None else piece).strip()
        left = block.find(sentence, place) if sentence else -1
        if left < 0:
            continue
        place = left + len(sentence)
        first, opened = (left if opened < 0 else opened), -1
        if _NUMBER.fullmatch(block[first:place]) and place < last:
            opened = first  # "1." belongs to what follows it
            continue
        yield start + first, start + place

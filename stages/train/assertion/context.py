"""Find out what mentions say of the patient, by the rules of `stages.train.assertion.rules`."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate, chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.common.documents import Token
from stages.featurize.attributes.hashing import hashes_of
from stages.prepare.segmentation import segment
from stages.train.assertion.cues import queries, table
from stages.train.assertion.headings import sections
from stages.train.assertion.kernels import MAY_HOLD, find_reached
from stages.train.assertion.rules import HEADINGS, KINDS, NEGATED, POSSIBLE, PRESENT, STRONGEST


class Assertion(NamedTuple):
    """What a mention says of the patient.

    `value` is one of `rules.ASSERTIONS`, the strongest of the `kinds` that hold; where it is not `sure`, a cue stands
    near enough to be meant and not clearly so, and a person should look.
    """

    value: str
    sure: bool
    kinds: frozenset[str]


PLAIN = Assertion(PRESENT, True, frozenset())

_ALL = (1 << len(KINDS)) - 1


def assertions(
    text: str,
    sentences: Sequence[Sequence[Token]],
    words: Sequence[Sequence[str]],
    mentions: Sequence[Sequence[tuple[Any, ...]]],
    numbered: tuple[NDArray[np.uint64], NDArray[np.int64]] | None = None,
) -> list[Sequence[Assertion]]:
    """Tell what each mention of a note says of the patient.

    Parameters
    ----------
    text : str
    sentences : sequence of sequences of Token
        The tokens of each sentence.
    words : sequence of sequences of str
        The same as they are written.
    mentions : sequence of sequences of tuples
        Those of each sentence; a tuple begins with the number of its first token in the sentence, and that after
        its last.
    numbered : (uint64 array, int64 array), optional
        Hashes of the words and the first token of each sentence, where they are known: they differ in case at most.

    Returns
    -------
    list of sequences of Assertion
        Of the mentions of each sentence, in their order.

    Examples
    --------
    >>> text = "No fever or pneumonia."
    >>> sentences = segment(text)
    >>> assertions(text, sentences, [["No", "fever", "or", "pneumonia", "."]], [[(3, 4)]])[0][0].value
    'negated'
    """
    hashes, starts = numbered or _numbered(words)
    before, after = np.zeros((2, len(hashes) + 1), dtype=np.int16)
    headed = find_reached(hashes, starts, queries(text, sentences, words), *table(), before, after)
    from_left, from_right = before.tolist(), after.tolist()
    headings = _Headings(text) if headed else None
    found: list[Sequence[Assertion]] = []
    for start, tokens, spans in zip(starts.tolist(), sentences, mentions, strict=False):
        if spans:
            judged = _JUDGED[headings.over(tokens[0].start) if headings else None]
            found.append([judged[from_left[start + span[0]] | from_right[start + span[1]]] for span in spans])
        else:
            found.append(())
    return found


def _numbered(words: Sequence[Sequence[str]]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    starts = np.array([0, *accumulate(map(len, words))], dtype=np.int64)
    return hashes_of([*chain.from_iterable(words)]), starts


def assertions_of(text: str, spans: Sequence[tuple[int, int]]) -> list[Assertion]:
    """Tell the same of spans of characters, as of mentions that come from elsewhere.

    Parameters
    ----------
    text : str
    spans : sequence of (int, int)
        Start and end in characters, in any order. One that goes over the end of a sentence is read in the first.

    Returns
    -------
    list of Assertion
        Of each span; present where a span touches no token.

    Examples
    --------
    >>> [found.value for found in assertions_of("Known gout. No asthma.", [(6, 10), (15, 21)])]
    ['historical', 'negated']
    """
    sentences = segment(text)
    ends = [tokens[-1].end for tokens in sentences]
    words = [[text[start:end] for start, end in tokens] for tokens in sentences]
    placed: list[list[tuple[int, int]]] = [[] for _ in sentences]
    places: list[tuple[int, int] | None] = []
    for start, end in spans:
        number = bisect_right(ends, start)
        tokens = sentences[number] if number < len(sentences) else []
        first = bisect_right(tokens, start, key=lambda token: token.end)
        last = bisect_left(tokens, end, key=lambda token: token.start)
        if first >= last:
            places.append(None)
            continue
        places.append((number, len(placed[number])))
        placed[number].append((first, last))
    found = assertions(text, sentences, words, placed)
    return [PLAIN if place is None else found[place[0]][place[1]] for place in places]


class _Headings:
    """Tells which heading governs a place; places are asked for in their order."""

    def __init__(self, text: str) -> None:
        self._sections, self._next = sections(text), 0

    def over(self, place: int) -> str | None:
        """Return what the heading of the section says, if the rules know it."""
        while self._next < len(self._sections) and self._sections[self._next].end <= place:
            self._next += 1
        inside = self._next < len(self._sections) and self._sections[self._next].start <= place
        return self._sections[self._next].kind if inside else None


class _Judged(dict[int, Assertion]):
    """What is said of mentions below a heading, by the bits of what reaches them."""

    def __init__(self, heading: str | None) -> None:
        super().__init__()
        self._heading = heading

    def __missing__(self, bits: int) -> Assertion:
        kinds = {kind for bit, kind in enumerate(KINDS) if bits >> bit & 1}
        doubted = bits >> MAY_HOLD & ~bits & _ALL
        sure = not doubted and not {NEGATED, POSSIBLE} <= kinds
        if self._heading:
            kinds.add(self._heading)
        value = next((kind for kind in STRONGEST if kind in kinds), PRESENT)
        found = self[bits] = Assertion(value, sure, frozenset(kinds))
        return found


_JUDGED = {heading: _Judged(heading) for heading in (None, *HEADINGS)}

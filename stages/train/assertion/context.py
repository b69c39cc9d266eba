"""Find out what mentions say of the patient, by the rules of `stages.train.assertion.rules`.

Each sentence with a mention is read once forward and once backward, with one open scope of each kind at most, so
that time stays in proportion to the length of the note.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from stages.common.documents import Token
from stages.prepare.segmentation import segment
from stages.train.assertion.cues import Cue, cues, folded, without_cue
from stages.train.assertion.headings import sections, without_heading
from stages.train.assertion.rules import (
    ENDS_BACKWARD,
    LIST,
    NEGATED,
    POSSIBLE,
    PRESENT,
    SEPARATORS,
    STRONGEST,
)


class Assertion(NamedTuple):
    """What a mention says of the patient.

    `value` is one of `rules.ASSERTIONS`, the strongest of the `kinds` that hold; where it is not `sure`, a cue stands
    near enough to be meant and not clearly so, and a person should look.
    """

    value: str
    sure: bool
    kinds: frozenset[str]


PLAIN = Assertion(PRESENT, True, frozenset())

Reached = tuple[tuple[str, bool], ...]
"""Kinds of cues, and whether their scope reaches a mention; false where it may."""
_NOTHING: Reached = ()


def assertions(
    text: str,
    sentences: Sequence[Sequence[Token]],
    words: Sequence[Sequence[str]],
    mentions: Sequence[Sequence[tuple[Any, ...]]],
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
    headings = None if all(map(without_heading, words)) else _Headings(text)
    found: list[Sequence[Assertion]] = [()] * len(sentences)
    for number, spans in enumerate(mentions):
        if spans:
            heading = headings.over(sentences[number][0].start) if headings else None
            if heading is None and without_cue(words[number]):
                found[number] = _plain(len(spans))
            else:
                found[number] = _of_sentence(folded(words[number], sentences[number]), spans, heading)
    return found


@cache
def _plain(number: int) -> tuple[Assertion, ...]:
    return (PLAIN,) * number


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


def _of_sentence(words: list[str], mentions: Sequence[tuple[Any, ...]], heading: str | None) -> Sequence[Assertion]:
    found = cues(words)
    before = _before(words, found, {mention[0] for mention in mentions})
    after = _after(words, found, {mention[1] for mention in mentions})
    if not before and not after and heading is None:
        return _plain(len(mentions))
    return [_judged(before.get(mention[0], _NOTHING), after.get(mention[1], _NOTHING), heading) for mention in mentions]


@cache
def _judged(before: Reached, after: Reached, heading: str | None) -> Assertion:
    kinds = {kind for kind, holds in (*before, *after) if holds}
    doubted = any(kind not in kinds for kind, _ in before)
    sure = not doubted and not {NEGATED, POSSIBLE} <= kinds
    if heading:
        kinds.add(heading)
    if not kinds and sure:
        return PLAIN
    return Assertion(next((kind for kind in STRONGEST if kind in kinds), PRESENT), sure, frozenset(kinds))


class _Scope(NamedTuple):
    since: int  # where the cue, or the last item of its list, ends
    reach: int


class _Forward:
    """The scopes that are open at a place of a sentence, and those that a soft end has closed."""

    def __init__(self) -> None:
        self._open: dict[str, _Scope] = {}
        self._left: dict[str, _Scope] = {}

    def reached(self, place: int) -> Reached:
        """Return the kinds that hold there (true), or may (false)."""
        found = []
        for kind, (since, reach) in self._open.items():
            holds = place - since <= reach
            if holds or reach >= LIST:
                found.append((kind, holds))
        for kind, (since, reach) in self._left.items():
            if place - since <= reach:
                found.append((kind, False))
        return tuple(found)

    def read(self, cue: Cue, *, new_item: bool) -> None:
        """End and open what a cue ends and opens."""
        for kind, soft in cue.said.ends.items():
            scope = self._open.get(kind)
            if not soft:
                self._left.pop(kind, None)
            if scope is not None and not (soft and scope.since == cue.first):
                del self._open[kind]
                if soft and kind != POSSIBLE and scope.reach >= LIST:
                    self._left[kind] = scope
        for kind, reach in cue.said.forward:
            self._begin(kind, _Scope(cue.end, reach), new_item)

    def _begin(self, kind: str, scope: _Scope, new_item: bool) -> None:
        """Open a scope; of doubt and negation the later one holds, unless doubt is negated (*no signs to suggest*)."""
        if kind == POSSIBLE and NEGATED in self._open:
            if not new_item:
                return
            del self._open[NEGATED]
        elif kind == NEGATED:
            self._open.pop(POSSIBLE, None)
        self._open[kind] = scope

    def begin_item(self, place: int) -> None:
        """Let lists that reach there go on after it."""
        for kind, (since, reach) in self._open.items():
            if reach >= LIST and 0 <= place - since <= reach:
                self._open[kind] = _Scope(place + 1, reach)


def _before(words: Sequence[str], found: Sequence[Cue], starts: set[int]) -> dict[int, Reached]:
    """Return what reaches the mentions that start at each place, from the left; nothing where a place is missing."""
    first = next((cue.first for cue in found if cue.said.forward), len(words))
    if first > max(starts):
        return {}
    scopes, by_place = _Forward(), {cue.first: cue for cue in found}
    reached: dict[int, Reached] = {}
    for place in range(first, max(starts) + 1):
        if place in starts:
            reached[place] = scopes.reached(place)
        if place in by_place:
            scopes.read(by_place[place], new_item=not place or words[place - 1] == ",")
        if words[place] in SEPARATORS:
            scopes.begin_item(place)
    return reached


def _after(words: Sequence[str], found: Sequence[Cue], ends: set[int]) -> dict[int, Reached]:
    """Return the same of the mentions that end at each place, from the right."""
    last = next((cue.end for cue in reversed(found) if cue.said.backward), 0)
    if last < min(ends):
        return {}
    scopes: dict[str, _Scope] = {}
    by_place = {cue.end: cue for cue in found}
    reached: dict[int, Reached] = {}
    for place in range(last, min(ends) - 1, -1):
        if place in by_place:
            cue = by_place[place]
            for kind in cue.said.ends:
                scopes.pop(kind, None)
            scopes.update((kind, _Scope(cue.first, reach)) for kind, reach in cue.said.backward)
        if place in ends:
            reached[place] = tuple((kind, True) for kind, (until, reach) in scopes.items() if until - place <= reach)
        if words[place - 1] in ENDS_BACKWARD:
            scopes.clear()
    return reached

"""What reaches mentions in plain Python: every phrase at every place, and scopes as objects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from stages.common.documents import Token
from stages.train.assertion.context import Assertion
from stages.train.assertion.rules import (
    BACKWARD,
    ENDS,
    ENDS_BACKWARD,
    FORWARD,
    LIST,
    NEGATED,
    POSSIBLE,
    PRESENT,
    QUERY,
    RULES,
    SEPARATORS,
    STRONGEST,
    words_of,
)

Reached = tuple[tuple[str, bool], ...]
"""Kinds of cues, and whether their scope reaches a mention; false where it may."""


class Said(NamedTuple):
    """What a phrase does: opens a scope of each kind with its reach, and ends scopes, softly or not."""

    forward: tuple[tuple[str, int], ...]
    backward: tuple[tuple[str, int], ...]
    ends: dict[str, bool]


class Cue(NamedTuple):
    """A phrase as the words ``first`` to ``end`` (exclusive) of a sentence."""

    first: int
    end: int
    said: Said


def _phrases() -> dict[tuple[str, ...], Said]:
    opened: dict[tuple[str, ...], dict[str, list[tuple[str, int]]]] = defaultdict(lambda: defaultdict(list))
    ended: dict[tuple[str, ...], dict[str, bool]] = defaultdict(dict)
    for rule in RULES:
        for phrase in {rule.phrase, rule.phrase.replace("'", "\u2019")}:
            opened[words_of(phrase)][rule.direction].append((rule.kind, rule.reach))
    for end in ENDS:
        ended[words_of(end.phrase)].update(dict.fromkeys(end.kinds, end.soft))
    return {
        words: Said(tuple(opened[words][FORWARD]), tuple(opened[words][BACKWARD]), ended.get(words, {}))
        for words in {*opened, *ended}
    }


_PHRASES = _phrases()
_LONGEST = max(map(len, _PHRASES))


def folded(text: str, tokens: Sequence[Token]) -> list[str]:
    """Return the words of a sentence in lower case; a question mark before what it doubts is a word, too."""
    words = [text[start:end].lower() for start, end in tokens]
    for place, word in enumerate(words[:-1]):
        if word == "?" and (not place or tokens[place - 1].end < tokens[place].start):
            words[place] = QUERY
    return words


def cues(words: Sequence[str]) -> list[Cue]:
    """Find the longest phrases from left to right; none begins inside of another."""
    found, place = [], 0
    while place < len(words):
        ends = range(min(place + _LONGEST, len(words)), place, -1)
        end = next((end for end in ends if tuple(words[place:end]) in _PHRASES), None)
        if end is not None:
            found.append(Cue(place, end, _PHRASES[tuple(words[place:end])]))
        place = end or place + 1
    return found


def said(text: str, tokens: Sequence[Token], mentions: Sequence[tuple[int, int]]) -> list[Assertion]:
    """Tell what each mention of a sentence says, as its first token and that after its last; no heading counts."""
    words = folded(text, tokens)
    found = cues(words)
    before = _before(words, found, {first for first, _ in mentions})
    after = _after(words, found, {end for _, end in mentions})
    return [_judged(before[first], after[end]) for first, end in mentions]


def _judged(before: Reached, after: Reached) -> Assertion:
    kinds = {kind for kind, holds in (*before, *after) if holds}
    doubted = any(kind not in kinds for kind, _ in before)
    sure = not doubted and not {NEGATED, POSSIBLE} <= kinds
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
    """Return what reaches the mentions that start at each place, from the left."""
    scopes, by_place = _Forward(), {cue.first: cue for cue in found}
    reached: dict[int, Reached] = {}
    for place in range(max(starts) + 1):
        if place in starts:
            reached[place] = scopes.reached(place)
        if place in by_place:
            scopes.read(by_place[place], new_item=not place or words[place - 1] == ",")
        if words[place] in SEPARATORS:
            scopes.begin_item(place)
    return reached


def _after(words: Sequence[str], found: Sequence[Cue], ends: set[int]) -> dict[int, Reached]:
    """Return the same of the mentions that end at each place, from the right."""
    scopes: dict[str, _Scope] = {}
    by_place = {cue.end: cue for cue in found}
    reached: dict[int, Reached] = {}
    for place in range(len(words), min(ends) - 1, -1):
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

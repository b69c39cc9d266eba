"""Compiled loops that find the cues of a note by the numbers of its words, and how far their scopes reach.

Each sentence is read once forward and once backward, with one open scope of each kind at most, so that time stays in
proportion to the length of the note. What the columns, bits and numbers mean is written where they are filled:
`stages.train.assertion.cues`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stages.common.compiled import kernel
from stages.featurize.attributes.kernels import find
from stages.train.assertion import rules

KINDS = len(rules.KINDS)
NEGATED, POSSIBLE = rules.KINDS.index(rules.NEGATED), rules.KINDS.index(rules.POSSIBLE)
"""Places of two kinds in `stages.train.assertion.rules.KINDS`."""
HARD, SOFT = 1, 2

MOST_WORDS = 6
WORDS, OPENS, OPENS_BACK, CLOSES = 1, 1 + MOST_WORDS, 1 + MOST_WORDS + KINDS, 1 + MOST_WORDS + 2 * KINDS
"""First columns of a phrase: its words, its reach forward and backward and how it ends scopes, by kind."""
COLUMNS = CLOSES + KINDS

SEPARATES, ENDS_BACKWARD, COMMA, IN_HEADING = 1, 2, 4, 8
"""What a word does by itself, one bit each."""

MAY_HOLD = KINDS
"""First bit of the kinds that may reach a mention; before it stand those that do."""

_LIST = np.int64(rules.LIST)
_LEFT = KINDS
_NEVER = -1

Uint64 = NDArray[np.uint64]
Int32 = NDArray[np.int32]
Int16 = NDArray[np.int16]
Int64 = NDArray[np.int64]


@kernel
def find_reached(
    hashes: Uint64,
    sentence_starts: Int64,
    queries: Int64,
    keys: Uint64,
    numbers: Int32,
    phrases: Int16,
    first_phrases: Int16,
    marks: Int16,
    query: int,
    before: Int16,
    after: Int16,
) -> bool:
    """Find which kinds reach the mentions that begin or end with each token.

    Parameters
    ----------
    hashes : uint64 array of shape (tokens,)
        Of the words as they are written.
    sentence_starts : int64 array of shape (sentences + 1,)
    queries : int64 array
        Tokens that are a question mark before what it doubts.
    keys, numbers
        From `build_table`: the number of each word of the phrases, from 1.
    phrases : int16 array of shape (phrases, `COLUMNS`)
        Length, words, and what it opens and ends; those with the same first word together, the longest first.
    first_phrases : int16 array of shape (words + 1,)
        First phrase of each word.
    marks : int16 array of shape (words,)
        What words do by themselves.
    query : int
        Number that such a question mark has.
    before, after : int16 arrays of shape (tokens + 1,)
        Zeros; bits of the kinds that reach, from the left, a mention that begins at a token, and, from the right, one
        whose last token stands before it.

    Returns
    -------
    bool
        Whether a word of a heading is among the words.
    """
    in_heading = False
    words = np.empty(len(hashes), dtype=np.int16)
    found = np.empty(len(words), dtype=np.int16)  # the phrase that begins with a token
    ending = np.empty(len(words), dtype=np.int16)  # and the one that ends with it
    scopes = np.empty((2 * KINDS, 2), dtype=np.int64)
    for t in range(len(words)):
        number = find(hashes[t], keys, numbers)
        words[t] = number if number > 0 else 0
        found[t] = ending[t] = _NEVER
        if marks[words[t]] & IN_HEADING:
            in_heading = True
    for i in range(len(queries)):
        words[queries[i]] = query
    for s in range(len(sentence_starts) - 1):
        start, stop = sentence_starts[s], sentence_starts[s + 1]
        if _find_phrases(words, start, stop, phrases, first_phrases, found, ending):
            _read_forward(words, start, stop, phrases, marks, found, scopes, before)
            _read_backward(words, start, stop, phrases, marks, ending, scopes, after)
    return in_heading


@kernel(inner=True)
def _find_phrases(
    words: Int16, start: int, stop: int, phrases: Int16, first_phrases: Int16, found: Int16, ending: Int16
) -> bool:
    """Find the longest phrases from left to right, none inside of another; tell whether any opens a scope."""
    t, opens = start, False
    while t < stop:
        end = t + 1
        for p in range(first_phrases[words[t]], first_phrases[words[t] + 1]):
            length = phrases[p, 0]
            same = t + length <= stop
            for i in range(1, length):
                if not same or words[t + i] != phrases[p, WORDS + i]:
                    same = False
                    break
            if same:
                end = t + length
                found[t] = ending[end - 1] = p
                for column in range(OPENS, CLOSES):
                    if phrases[p, column]:
                        opens = True
                break
        t = end
    return opens


@kernel(inner=True)
def _read_forward(
    words: Int16, start: int, stop: int, phrases: Int16, marks: Int16, found: Int16, scopes: Int64, before: Int16
) -> None:
    """Read a sentence from the left; `scopes` are those that are open, and those that a soft end has closed."""
    for row in range(2 * KINDS):
        scopes[row, 0], scopes[row, 1] = _NEVER, 0
    for t in range(start, stop):
        for kind in range(KINDS):
            since, reach = scopes[kind, 0], scopes[kind, 1]
            if since >= 0 and t - since <= reach:
                before[t] |= 1 << kind
            elif since >= 0 and reach >= _LIST:
                before[t] |= 1 << (MAY_HOLD + kind)
            if scopes[_LEFT + kind, 0] >= 0 and t - scopes[_LEFT + kind, 0] <= scopes[_LEFT + kind, 1]:
                before[t] |= 1 << (MAY_HOLD + kind)
        if found[t] >= 0:
            new_item = t == start or marks[words[t - 1]] & COMMA != 0
            _end_and_open(t, phrases, np.int64(found[t]), new_item, scopes)
        if marks[words[t]] & SEPARATES:
            for kind in range(KINDS):
                since, reach = scopes[kind, 0], scopes[kind, 1]
                if since >= 0 and reach >= _LIST and 0 <= t - since <= reach:
                    scopes[kind, 0] = t + 1


@kernel(inner=True)
def _end_and_open(place: int, phrases: Int16, p: int, new_item: bool, scopes: Int64) -> None:
    """End and open what a phrase ends and opens.

    Of doubt and negation the later one holds, unless doubt is negated (*no signs to suggest*).
    """
    for kind in range(KINDS):
        end, since = phrases[p, CLOSES + kind], scopes[kind, 0]
        if end == HARD:
            scopes[_LEFT + kind, 0] = _NEVER
        if end != 0 and since >= 0 and not (end == SOFT and since == place):
            if end == SOFT and kind != POSSIBLE and scopes[kind, 1] >= _LIST:
                scopes[_LEFT + kind, 0], scopes[_LEFT + kind, 1] = since, scopes[kind, 1]
            scopes[kind, 0] = _NEVER
    for kind in range(KINDS):
        reach = phrases[p, OPENS + kind]
        if reach == 0:
            continue
        if kind == NEGATED:
            scopes[POSSIBLE, 0] = _NEVER
        elif kind == POSSIBLE and scopes[NEGATED, 0] >= 0:
            if not new_item:
                continue
            scopes[NEGATED, 0] = _NEVER
        scopes[kind, 0], scopes[kind, 1] = place + phrases[p, 0], reach


@kernel(inner=True)
def _read_backward(
    words: Int16, start: int, stop: int, phrases: Int16, marks: Int16, ending: Int16, scopes: Int64, after: Int16
) -> None:
    """Read a sentence from the right."""
    for kind in range(KINDS):
        scopes[kind, 0] = _NEVER
    for t in range(stop - 1, start - 1, -1):
        p = ending[t]
        if p >= 0:
            for kind in range(KINDS):
                if phrases[p, OPENS_BACK + kind]:
                    scopes[kind, 0], scopes[kind, 1] = t + 1 - phrases[p, 0], phrases[p, OPENS_BACK + kind]
                elif phrases[p, CLOSES + kind]:
                    scopes[kind, 0] = _NEVER
        for kind in range(KINDS):
            if scopes[kind, 0] >= 0 and scopes[kind, 0] - (t + 1) <= scopes[kind, 1]:
                after[t + 1] |= 1 << kind
        if marks[words[t]] & ENDS_BACKWARD:
            for kind in range(KINDS):
                scopes[kind, 0] = _NEVER

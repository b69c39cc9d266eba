"""The table of `stages.train.assertion.rules` as numbers: words, phrases, and what they do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.common.documents import Token
from stages.featurize.attributes.hashing import hashes_of
from stages.featurize.attributes.kernels import build_table
from stages.train.assertion import headings, kernels
from stages.train.assertion.rules import (
    BACKWARD,
    ENDS,
    ENDS_BACKWARD,
    FORWARD,
    KINDS,
    QUERY,
    RULES,
    SEPARATORS,
    words_of,
)

_FIRST_COLUMN = {FORWARD: kernels.OPENS, BACKWARD: kernels.OPENS_BACK}


class Table(NamedTuple):
    """Words by their hashes, phrases and what they do, as `kernels.find_reached` takes them."""

    keys: NDArray[np.uint64]
    numbers: NDArray[np.int32]
    phrases: NDArray[np.int16]
    first_phrases: NDArray[np.int16]
    marks: NDArray[np.int16]
    query: int


def _effects() -> dict[tuple[str, ...], NDArray[np.int16]]:
    """Return what each phrase does, as a row of the table."""
    rows: dict[tuple[str, ...], NDArray[np.int16]] = defaultdict(lambda: np.zeros(kernels.COLUMNS, dtype=np.int16))
    for rule in RULES:
        for phrase in {rule.phrase, rule.phrase.replace("'", "\u2019")}:
            row = rows[words_of(phrase)]
            if rule.direction in _FIRST_COLUMN:
                row[_FIRST_COLUMN[rule.direction] + KINDS.index(rule.kind)] = rule.reach
    for end in ENDS:
        for kind in end.kinds:
            how = kernels.SOFT if end.soft else kernels.HARD
            rows[words_of(end.phrase)][kernels.CLOSES + KINDS.index(kind)] = how
    return rows


def _numbered(words: Iterable[str]) -> dict[str, int]:
    return {word: number for number, word in enumerate(sorted(set(words)), start=1)}


def _table(effects: dict[tuple[str, ...], NDArray[np.int16]], numbers: dict[str, int]) -> Table:
    """Lay out the phrases by their first words, the longest first."""
    ordered = sorted(effects, key=lambda words: (numbers[words[0]], -len(words), words))
    for words in ordered:
        effects[words][: 1 + len(words)] = len(words), *(numbers[word] for word in words)
    firsts = [numbers[words[0]] for words in ordered]
    first_phrases = np.searchsorted(firsts, np.arange(len(numbers) + 2)).astype(np.int16)
    return Table(
        *_lookup(numbers),
        np.stack([effects[words] for words in ordered]),
        first_phrases,
        _marks(numbers),
        numbers[QUERY],
    )


def _marks(numbers: dict[str, int]) -> NDArray[np.int16]:
    marks = np.zeros(len(numbers) + 1, dtype=np.int16)
    for words, bit in _MARKED:
        marks[[numbers[word] for word in words]] |= bit
    return marks


_MARKED = (
    (sorted(SEPARATORS), kernels.SEPARATES),
    (sorted(ENDS_BACKWARD), kernels.ENDS_BACKWARD),
    ([","], kernels.COMMA),
    (sorted(headings.CLUES), kernels.IN_HEADING),
)


def _spelled(word: str) -> set[str]:
    """Return a word as notes spell it: small, with a capital, in capitals, and abbreviated as in *PMHx*."""
    return {word, word.capitalize(), word.upper(), word[:-1].upper() + word[-1]}


def _lookup(numbers: dict[str, int]) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    spelled = {form: number for word, number in numbers.items() for form in _spelled(word)}
    return build_table(hashes_of([*spelled]), np.fromiter(spelled.values(), dtype=np.int32))


_EFFECTS = _effects()
_NUMBERS = _numbered(chain(*_EFFECTS, *(words for words, _ in _MARKED), [QUERY]))


@cache
def table() -> Table:
    """Return the table; it is made when it is first asked for."""
    return _table(_EFFECTS, _NUMBERS)


def queries(text: str, sentences: Sequence[Sequence[Token]], words: Sequence[Sequence[str]]) -> NDArray[np.int64]:
    """Find the question marks that stand before what they doubt (*?gout*): behind a blank, with a word after them."""
    return np.array([*_queries(sentences, words)] if "?" in text else (), dtype=np.int64)


def _queries(sentences: Sequence[Sequence[Token]], words: Sequence[Sequence[str]]) -> Iterator[int]:
    first = 0
    for tokens, written in zip(sentences, words, strict=True):
        for place, word in enumerate(written[:-1]):
            if word == "?" and (not place or tokens[place - 1].end < tokens[place].start):
                yield first + place
        first += len(tokens)

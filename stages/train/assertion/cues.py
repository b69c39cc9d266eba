"""Find the phrases of `stages.train.assertion.rules` in a sentence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from stages.common.documents import Token
from stages.train.assertion.rules import BACKWARD, ENDS, FORWARD, QUERY, RULES, words_of


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


def _lexicon() -> dict[str, list[tuple[tuple[str, ...], Said]]]:
    """Return phrases by their first word, the longest first."""
    opened: dict[tuple[str, ...], dict[str, list[tuple[str, int]]]] = defaultdict(lambda: defaultdict(list))
    ended: dict[tuple[str, ...], dict[str, bool]] = defaultdict(dict)
    for rule in RULES:
        for phrase in {rule.phrase, rule.phrase.replace("'", "\u2019")}:
            opened[words_of(phrase)][rule.direction].append((rule.kind, rule.reach))
    for end in ENDS:
        ended[words_of(end.phrase)].update(dict.fromkeys(end.kinds, end.soft))
    lexicon = defaultdict(list)
    for words in sorted({*opened, *ended}, key=lambda words: (-len(words), words)):
        scopes = opened.get(words, {})
        said = Said(tuple(scopes.get(FORWARD, ())), tuple(scopes.get(BACKWARD, ())), ended.get(words, {}))
        lexicon[words[0]].append((words, said))
    return dict(lexicon)


_LEXICON = _lexicon()


def folded(text: str, tokens: Sequence[Token]) -> list[str]:
    """Return the words of a sentence in lower case; a question mark before what it doubts (*?gout*) is a word, too."""
    words = [text[start:end].casefold() for start, end in tokens]
    if "?" in words:
        for place, word in enumerate(words[:-1]):
            if word == "?" and (not place or tokens[place - 1].end < tokens[place].start):
                words[place] = QUERY
    return words


def cues(words: Sequence[str]) -> Iterator[Cue]:
    """Find the longest phrases from left to right; none begins inside of another."""
    free = 0
    for place, word in enumerate(words):
        if place < free or word not in _LEXICON:
            continue
        for phrase, said in _LEXICON[word]:
            if len(phrase) == 1 or tuple(words[place : place + len(phrase)]) == phrase:
                free = place + len(phrase)
                yield Cue(place, free, said)
                break

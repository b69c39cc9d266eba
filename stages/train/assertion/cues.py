"""Find the phrases of `stages.train.assertion.rules` in a sentence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
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


class _Phrases(NamedTuple):
    """The phrases that begin with a word: it alone, and by their second word the longer ones, the longest first."""

    alone: Said | None
    longer: dict[str, list[tuple[tuple[str, ...], Said]]]


def _by_first_word(phrases: dict[tuple[str, ...], Said]) -> dict[str, _Phrases]:
    found: dict[str, _Phrases] = {}
    for words, said in sorted(phrases.items(), key=lambda phrase: (-len(phrase[0]), phrase[0])):
        if words[0] not in found:
            found[words[0]] = _Phrases(phrases.get(words[:1]), {})
        if len(words) > 1:
            found[words[0]].longer.setdefault(words[1], []).append((words, said))
    return found


_FREQUENT = frozenset(
    ("for", "to", "in", "of", "is", "her", "his", "have", "would", "were", "year", "years", "months", "last", "/", "-",
     "h", "s", "w", "r", "'", "t")
)  # fmt: skip


def _clues(phrases: dict[tuple[str, ...], Said]) -> frozenset[str]:
    """Return words, as they may be written, one of which is in every sentence with a cue; rare ones where possible."""
    cues = [words for words, said in phrases.items() if said.forward or said.backward]
    alone = {words[0] for words in cues if len(words) == 1} | {"?"}
    rest = {max(words, key=lambda w: (w not in _FREQUENT, len(w))) for words in cues if alone.isdisjoint(words)}
    return frozenset(spelled for word in alone | rest for spelled in (word, word.capitalize(), word.upper()))


_ALL = _phrases()
_LEXICON = _by_first_word(_ALL)
without_cue = _clues(_ALL).isdisjoint
"""Tells of the words of a sentence, as they are written, that no cue is among them: cheap, and true of most."""


def folded(written: Sequence[str], tokens: Sequence[Token]) -> list[str]:
    """Return the words of a sentence in lower case; a question mark before what it doubts (*?gout*) is a word, too."""
    words = list(map(str.lower, written))
    if "?" in words:
        for place, word in enumerate(words[:-1]):
            if word == "?" and (not place or tokens[place - 1].end < tokens[place].start):
                words[place] = QUERY
    return words


def cues(words: Sequence[str]) -> list[Cue]:
    """Find the longest phrases from left to right; none begins inside of another."""
    found, free, last = [], 0, len(words)
    for place, phrases in enumerate(map(_LEXICON.get, words)):
        if phrases is None or place < free:
            continue
        said, longer = phrases
        free = place + 1
        if longer and free < last and words[free] in longer:
            for phrase, of_phrase in longer[words[free]]:
                if tuple(words[place : place + len(phrase)]) == phrase:
                    said, free = of_phrase, place + len(phrase)
                    break
        if said is not None:
            found.append(Cue(place, free, said))
    return found

"""What a note's mentions are paired by: their sentences, and which of the note's names they are.

The pairs are a view of the database (`production.database.schema.PAIRS`), by the rule of the record.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

from production.inference.host import FoundMention
from production.record.names import Abbreviations, expanded, identity_of
from production.record.notes import Note
from production.record.pairs import Sides, closest_pairs, own_abbreviations, tag
from stages.prepare.segmentation import split_sentences

MOST_PAIRS = 100_000
"""Of a note: beyond, its names are no clinical text, and whoever reads the pairs would have no room for them."""
_MANY = 1000
"""Mentions of one side times those of the other from which on only those are named that a pair needs."""


class Place(NamedTuple):
    """Where a mention stands among the pairs of its note; all None for what is in none.

    Names of diseases are paired with those of treatments, by the alphabet: pair `disease` + `treatment` is of both.
    """

    sentence: int | None = None
    disease: int | None = None
    treatment: int | None = None


NOWHERE = Place()
_place = partial(tuple.__new__, Place)  # half the time of a named tuple's own constructor


class TooManyPairsError(Exception):
    """A note has more names of either side than can be paired; the message says nothing of them."""


class _Found(NamedTuple):
    """Says what is known already; shaped as what the record asks."""

    mentions: Sequence[FoundMention]

    def extract(self, _: str) -> Any:
        """Return the mentions."""
        return self


def places_in(
    text: str, mentions: Sequence[FoundMention], sides: Sides, ends: Sequence[int] | None = None
) -> dict[int, Place]:
    """Return by their starts the places of the mentions that pairs are made of; no two mentions overlap.

    Raises
    ------
    TooManyPairsError
        When there would be more than `MOST_PAIRS`.
    """
    labels = {mention[2] for mention in mentions}
    if sides.disease not in labels or sides.treatment not in labels:
        return {}
    last_of = [end for _, end in split_sentences(text)] if ends is None else ends
    diseases, treatments = _named(text, mentions, sides, last_of)
    names, others = _numbered(diseases), _numbered(treatments)
    number, last = len(others), len(last_of) - 1
    if len(names) * number > MOST_PAIRS:
        raise TooManyPairsError(f"has more than {MOST_PAIRS:,} pairs of different names")
    places = {
        start: _place((min(bisect(last_of, start), last), names[name] * number, None))
        for start, name in diseases.items()
    }
    for start, name in treatments.items():
        places[start] = _place((min(bisect(last_of, start), last), None, others[name]))
    if len(diseases) * len(treatments) > _MANY:
        return {start: places[start] for start in _needed(text, mentions, sides, ends)}
    return places


def _named(
    text: str, mentions: Sequence[FoundMention], sides: Sides, last_of: Sequence[int]
) -> tuple[dict[int, str], dict[int, str]]:
    """Return the names of either side by their starts, as `production.record.pairs.tag` would: it takes longer."""
    found: dict[str, dict[int, str]] = {sides.disease: {}, sides.treatment: {}}
    own: Abbreviations = {}
    if "(" in text:
        spans = [mention[:2] for mention in mentions if mention[2] in found]
        own = own_abbreviations(text, pairwise((0, *last_of)), spans)
    for start, end, label, _, _, _ in mentions:
        if label in found and (name := _identity(text[start:end], own) if own else identity_of(text[start:end])):
            found[label][start] = name
    return found[sides.disease], found[sides.treatment]


def _numbered(named: Mapping[int, str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(sorted(set(named.values())))}


def _needed(text: str, mentions: Sequence[FoundMention], sides: Sides, ends: Sequence[int] | None) -> Iterator[int]:
    """Yield where names are closest: two that stand in a note a thousand times each would have a million candidates."""
    note = tag(Note("", text), _Found(mentions), sides=sides, ends=ends, identity=_identity)
    for pair in closest_pairs(note.mentions):
        yield from (pair.disease.start, pair.treatment.start)


def _identity(surface: str, own: Abbreviations) -> str:
    return identity_of(expanded(surface, own, {}) if own else surface)

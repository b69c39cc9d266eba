"""What a note's mentions are paired by: their sentences, and which of the note's names they are.

The pairs are a view of the database (`production.database.schema.PAIRS`), by the rule of the record.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Iterator, Sequence
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
    if not {sides.disease, sides.treatment} <= {mention.label for mention in mentions}:
        return {}
    bounds = split_sentences(text) if ends is None else list(pairwise((0, *ends)))
    diseases, treatments = _named(text, mentions, sides, bounds)
    names, others = _numbered(diseases), _numbered(treatments)
    if len(names) * len(others) > MOST_PAIRS:
        raise TooManyPairsError(f"has more than {MOST_PAIRS:,} pairs of different names")
    first = {name: number * len(others) for name, number in names.items()}
    places = {one.start: Place(one.sentence, first[one.name]) for one in diseases}
    places |= {one.start: Place(one.sentence, None, others[one.name]) for one in treatments}
    if len(diseases) * len(treatments) > _MANY:
        return {start: places[start] for start in _needed(text, mentions, sides, ends)}
    return places


class _Named(NamedTuple):
    start: int
    sentence: int
    name: str


def _named(
    text: str, mentions: Sequence[FoundMention], sides: Sides, bounds: Sequence[tuple[int, int]]
) -> tuple[list[_Named], list[_Named]]:
    """Return the mentions of either side that have a name, as `production.record.pairs.tag` would: it takes longer."""
    found: dict[str, list[_Named]] = {sides.disease: [], sides.treatment: []}
    sided = [mention[:3] for mention in mentions if mention.label in found]
    own = own_abbreviations(text, bounds, [(start, end) for start, end, _ in sided])
    last_of, last = [end for _, end in bounds], len(bounds) - 1
    for start, end, label in sided:
        if name := _identity(text[start:end], own):
            found[label].append(_Named(start, min(bisect(last_of, start), last), name))
    return found[sides.disease], found[sides.treatment]


def _numbered(named: Iterable[_Named]) -> dict[str, int]:
    return {name: number for number, name in enumerate(sorted({one.name for one in named}))}


def _needed(text: str, mentions: Sequence[FoundMention], sides: Sides, ends: Sequence[int] | None) -> Iterator[int]:
    """Yield where names are closest: two that stand in a note a thousand times each would have a million candidates."""
    note = tag(Note("", text), _Found(mentions), sides=sides, ends=ends, identity=_identity)
    for pair in closest_pairs(note.mentions):
        yield from (pair.disease.start, pair.treatment.start)


def _identity(surface: str, own: Abbreviations) -> str:
    return identity_of(expanded(surface, own, {}) if own else surface)

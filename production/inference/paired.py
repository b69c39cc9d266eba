"""What a note's mentions are paired by: their sentences, and which of the note's names they are.

The pairs are a view of the database (`production.database.schema.PAIRS`), by the rule of the record.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from production.inference.host import FoundMention
from production.record.names import Abbreviations, expanded, identity_of
from production.record.notes import Note
from production.record.pairs import DISEASE, TREATMENT, Sides, TaggedMention, closest_pairs, tag

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
    note = tag(Note("", text), _Found(mentions), sides=sides, ends=ends, identity=_identity)
    diseases, treatments = (_of_side(note.mentions, side) for side in (DISEASE, TREATMENT))
    names, others = _numbered(diseases), _numbered(treatments)
    if len(names) * len(others) > MOST_PAIRS:
        raise TooManyPairsError(f"has more than {MOST_PAIRS:,} pairs of different names")
    if len(diseases) * len(treatments) > _MANY:
        diseases, treatments = _needed(note.mentions)
    first = {name: number * len(others) for name, number in names.items()}
    places = {one.start: Place(one.sentence, first[one.identity]) for one in diseases}
    return places | {one.start: Place(one.sentence, None, others[one.identity]) for one in treatments}


def _of_side(mentions: Iterable[TaggedMention], side: str) -> list[TaggedMention]:
    return [one for one in mentions if one.label == side and one.identity]


def _numbered(mentions: Iterable[TaggedMention]) -> dict[str, int]:
    return {name: number for number, name in enumerate(sorted({one.identity for one in mentions}))}


def _needed(mentions: Iterable[TaggedMention]) -> tuple[list[TaggedMention], list[TaggedMention]]:
    """Return the mentions at which names are closest: a name that stands there a thousand times has a million pairs."""
    closest = list(closest_pairs(mentions))
    return list({pair.disease for pair in closest}), list({pair.treatment for pair in closest})


def _identity(surface: str, own: Abbreviations) -> str:
    return identity_of(expanded(surface, own, {}) if own else surface)

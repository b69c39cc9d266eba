"""Diseases beside treatments of one note, by the rules of the record, from mentions that were found before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from production.inference.host import FoundMention
from production.record.names import Abbreviations, expanded, identity_of
from production.record.notes import Note
from production.record.pairs import Sides, closest_pairs, tag


class Pair(NamedTuple):
    """Numbers of two mentions of a note, and how sure and close they are; `flag` says why a pair does not count."""

    disease: int
    treatment: int
    weight: float
    confidence: float
    flag: str


class _Found(NamedTuple):
    """Says what is known already; shaped as what the record asks."""

    mentions: Sequence[FoundMention]

    def extract(self, _: str) -> Any:
        """Return the mentions."""
        return self


def pairs_in(
    text: str, mentions: Sequence[FoundMention], sides: Sides, ends: Sequence[int] | None = None
) -> Iterator[Pair]:
    """Pair the diseases and treatments of a note, each two names once, at their closest; no two mentions overlap."""
    if not {sides.disease, sides.treatment} <= {mention.label for mention in mentions}:
        return
    note = tag(Note("", text), _Found(mentions), sides=sides, ends=ends, identity=_identity)
    numbers = {mention.start: number for number, mention in enumerate(mentions)}
    for disease, treatment, weight, flag in closest_pairs(note.mentions):
        confidence = disease.confidence * treatment.confidence
        yield Pair(numbers[disease.start], numbers[treatment.start], weight, confidence, flag)


def _identity(surface: str, own: Abbreviations) -> str:
    return identity_of(expanded(surface, own, {}) if own else surface)

"""Diseases beside treatments in one note.

A treatment in the sentence of a disease belongs to it more often than one three sentences away, so
a pair weighs 1 in one sentence, 0.5 in adjacent ones, 0.2 elsewhere in the note; a note counts a
pair once, at its closest. Where either mention is negated or of a relative (`cues`), the pair is
kept with that flag and not counted, unless the same two stand in the note without one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from production.record.cues import FAMILY, flag_of
from production.record.names import Abbreviations, abbreviations_of
from production.record.notes import Note
from stages.prepare.segmentation import split_sentences, tokenize

if TYPE_CHECKING:
    from stages.train.extractor import Extraction

SAME_SENTENCE, ADJACENT, SAME_NOTE = 1.0, 0.5, 0.2
DISEASE, TREATMENT = "Disease", "Treatment"
"""The sides of the record, as it calls them whatever labels they have in a model."""


class Sides(NamedTuple):
    """The labels of a model that are the sides of the record; its mentions of other labels are left out."""

    disease: str = DISEASE
    treatment: str = TREATMENT

    def side_of(self, label: str) -> str | None:
        """Return `DISEASE`, `TREATMENT` or None."""
        return {self.disease: DISEASE, self.treatment: TREATMENT}.get(label)


SIDES = Sides()


class Extracts(Protocol):
    """Finds the mentions of a text; `stages.train.extractor.Extractor` does."""

    def extract(self, text: str) -> Extraction:
        """Return what was found."""
        ...


class TaggedMention(NamedTuple):
    """A mention in its note; `sentence` counts from 0, `flag` is one of `cues.FLAGS` or empty.

    `label` is its side of the record: `DISEASE` or `TREATMENT`. `identity` says which name it is; it is empty
    until the abbreviations of all notes are known.
    """

    start: int
    end: int
    label: str
    confidence: float
    surface: str
    sentence: int
    flag: str
    identity: str = ""


@dataclass(frozen=True)
class TaggedNote:
    """What is kept of a note: its mentions, not its text.

    Parameters
    ----------
    id : str
    mentions : tuple of TaggedMention
    abbreviations : mapping of str to str
        Long forms that the note itself introduces.
    sentences : dict of int to str
        Text of the sentences that hold a mention; empty unless asked for.
    """

    id: str
    mentions: tuple[TaggedMention, ...]
    abbreviations: Abbreviations
    sentences: dict[int, str]


class Evidence(NamedTuple):
    """Where a pair stands: offsets in the note, sentences from 0.

    `confidence` is the product of both mentions': the chance that both are right, if they err independently.
    """

    note: str
    disease_sentence: int
    disease_start: int
    disease_end: int
    treatment_sentence: int
    treatment_start: int
    treatment_end: int
    weight: float
    confidence: float
    flag: str
    text: str | None


class NotePair(NamedTuple):
    """A pair in one note: identities, its closest evidence, sentences that hold both without a flag."""

    disease: str
    treatment: str
    evidence: Evidence
    sentences: int


def tag(note: Note, extractor: Extracts, *, with_text: bool = False, sides: Sides = SIDES) -> TaggedNote:
    """Find the mentions of a note on either side of the record, the sentence of each, and what flags it."""
    text = note.text
    bounds = split_sentences(text)
    mentions, kept = [], {}
    for mention in extractor.extract(text).mentions:
        side = sides.side_of(mention.label)
        if side is None:
            continue
        number = next((n for n, (_, end) in enumerate(bounds) if mention.start < end), len(bounds) - 1)
        flag = flag_of(mention.assertion)
        surface = text[mention.start : mention.end]
        mentions.append(TaggedMention(mention.start, mention.end, side, mention.confidence, surface, number, flag))
        if with_text:
            kept[number] = text[slice(*bounds[number])]
    spans = [(mention.start, mention.end) for mention in mentions]
    abbreviations = abbreviations_of(text, (tokenize(text, *span) for span in bounds), spans) if "(" in text else {}
    return TaggedNote(note.id, tuple(mentions), abbreviations, kept)


def pairs_of(note: TaggedNote) -> Iterator[NotePair]:
    """Pair the diseases and treatments of a note, in order of their identities; mentions without one are left out."""
    groups: dict[str, dict[str, list[TaggedMention]]] = {DISEASE: defaultdict(list), TREATMENT: defaultdict(list)}
    for mention in note.mentions:
        if mention.identity and mention.label in groups:
            groups[mention.label][mention.identity].append(mention)
    for disease, ours in sorted(groups[DISEASE].items()):
        for treatment, theirs in sorted(groups[TREATMENT].items()):
            evidence = [_evidence(note, d, t) for d in ours for t in theirs]
            both = {e.disease_sentence for e in evidence if not e.flag and e.weight == SAME_SENTENCE}
            yield NotePair(disease, treatment, min(evidence, key=_order), len(both))


def _order(evidence: Evidence) -> tuple[bool, float, float, int, int]:
    """Sort what counts before what does not, then the closest, the surest, the first."""
    e = evidence
    return bool(e.flag), -e.weight, -e.confidence, e.disease_start, e.treatment_start


def _evidence(note: TaggedNote, disease: TaggedMention, treatment: TaggedMention) -> Evidence:
    first, last = sorted((disease.sentence, treatment.sentence))
    weight = (SAME_SENTENCE, ADJACENT, SAME_NOTE)[min(last - first, 2)]
    flags = {disease.flag, treatment.flag} - {""}
    flag = FAMILY if FAMILY in flags else next(iter(flags), "")
    places = dict.fromkeys((disease.sentence, treatment.sentence))
    text = " … ".join(note.sentences[n] for n in sorted(places)) if note.sentences else None
    return Evidence(
        note.id,
        disease.sentence,
        disease.start,
        disease.end,
        treatment.sentence,
        treatment.start,
        treatment.end,
        weight,
        disease.confidence * treatment.confidence,
        flag,
        text,
    )

"""Diseases beside treatments in one note.

A treatment in the sentence of a disease belongs to it more often than one three sentences away, so
a pair weighs 1 in one sentence, 0.5 in adjacent ones, 0.2 elsewhere in the note; a note counts a
pair once, at its closest. Where either mention is negated or of a relative (`cues`), the pair is
kept with that flag and not counted, unless the same two stand in the note without one.
"""

from __future__ import annotations

import re
from bisect import bisect, bisect_left
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product, starmap
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple, Protocol

from production.record.cues import FAMILY, flag_of
from production.record.names import Abbreviations, abbreviations_of
from production.record.notes import Note
from stages.prepare.segmentation import split_sentences, tokenize

if TYPE_CHECKING:
    from stages.train.extractor import Extraction

SAME_SENTENCE, ADJACENT, SAME_NOTE = 1.0, 0.5, 0.2
_WEIGHTS = {0: SAME_SENTENCE, 1: ADJACENT}
_FEW = 16
_BRACKETED = re.compile(r"\((?=((?:\s*[^\s)\];]){2,10})\s*[)\];,])")
"""What `abbreviations_of` may take for a short form, and more; the brackets in one are looked at, too."""
DISEASE, TREATMENT = "Disease", "Treatment"
"""The sides of the record, as it calls them whatever labels they have in a model."""


class Sides(NamedTuple):
    """The labels of a model that are the sides of the record; its mentions of other labels are left out."""

    disease: str = DISEASE
    treatment: str = TREATMENT

    def by_label(self) -> dict[str, str]:
        """Return `DISEASE` or `TREATMENT` by label."""
        return {self.disease: DISEASE, self.treatment: TREATMENT}


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


def tag(
    note: Note,
    extractor: Extracts,
    *,
    with_text: bool = False,
    sides: Sides = SIDES,
    ends: Sequence[int] | None = None,
    identity: Callable[[str, Abbreviations], str] = lambda *_: "",
) -> TaggedNote:
    """Find the mentions of a note on either side of the record, the sentence of each, and what flags it.

    `ends` are those of the sentences, where they are known; `identity` makes one of a surface and the note's own
    abbreviations, where those are enough.
    """
    text, side_of = note.text, sides.by_label()
    bounds = split_sentences(text) if ends is None else list(pairwise((0, *ends)))
    found = [mention for mention in extractor.extract(text).mentions if mention.label in side_of]
    own = own_abbreviations(text, bounds, [(mention.start, mention.end) for mention in found])
    last_of, last = [end for _, end in bounds], len(bounds) - 1
    mentions = []
    for one in found:
        surface = text[one.start : one.end]
        sentence, flag = min(bisect(last_of, one.start), last), flag_of(one.assertion)
        of_mention = side_of[one.label], one.confidence, surface, sentence, flag, identity(surface, own)
        mentions.append(TaggedMention(one.start, one.end, *of_mention))
    kept = {mention.sentence: text[slice(*bounds[mention.sentence])] for mention in mentions} if with_text else {}
    return TaggedNote(note.id, tuple(mentions), own, kept)


def own_abbreviations(
    text: str, bounds: Iterable[tuple[int, int]], mentions: Sequence[tuple[int, int]]
) -> Abbreviations:
    """Return the long forms that a note itself introduces for its mentions; `bounds` are those of its sentences."""
    opened = _introducing(text, {end for _, end in mentions}) if "(" in text else []
    if not opened:
        return {}
    bracketed = (
        tokenize(text, *span) for span in bounds if bisect_left(opened, span[0]) < bisect_left(opened, span[1])
    )
    return abbreviations_of(text, bracketed, mentions)


def _introducing(text: str, ends: Collection[int]) -> list[int]:
    """Return where brackets open after one of the ends that may hold a short form; most sentences need no tokens."""
    found = []
    for match in _BRACKETED.finditer(text):
        end = match.start()
        while text[end - 1 : end].isspace():
            end -= 1
        if end in ends and sum(map(str.isupper, match[1])) >= 2:
            found.append(match.start())
    return found


class Closest(NamedTuple):
    """Two mentions of a pair, of all in the note those at which it is counted; `flag` says why it does not count."""

    disease: TaggedMention
    treatment: TaggedMention
    weight: float
    flag: str


def pairs_of(note: TaggedNote) -> Iterator[NotePair]:
    """Pair the diseases and treatments of a note, in order of their identities; mentions without one are left out."""
    for disease, treatment, ours, theirs in _pairs_of(note.mentions):
        both = {one.sentence for one in ours if not one.flag} & {one.sentence for one in theirs if not one.flag}
        yield NotePair(disease, treatment, _evidence(note, _closest(ours, theirs)), len(both))


def closest_pairs(mentions: Iterable[TaggedMention]) -> Iterator[Closest]:
    """Yield the pairs of `pairs_of` by their mentions alone, which takes a third of the time."""
    for _, _, ours, theirs in _pairs_of(mentions):
        yield _closest(ours, theirs)


def _pairs_of(mentions: Iterable[TaggedMention]) -> Iterator[tuple[str, str, list[TaggedMention], list[TaggedMention]]]:
    """Yield the identities of each pair, in their order, and the mentions of either."""
    groups: dict[str, dict[str, list[TaggedMention]]] = {DISEASE: defaultdict(list), TREATMENT: defaultdict(list)}
    for mention in mentions:
        if mention.identity and mention.label in groups:
            groups[mention.label][mention.identity].append(mention)
    treatments = sorted(groups[TREATMENT].items())
    for disease, ours in sorted(groups[DISEASE].items()):
        for treatment, theirs in treatments:
            yield disease, treatment, ours, theirs


def _closest(ours: Sequence[TaggedMention], theirs: Sequence[TaggedMention]) -> Closest:
    number = len(ours) * len(theirs)
    if number == 1:
        return _candidate(ours[0], theirs[0])
    near = product(ours, theirs) if number <= _FEW else _near(_surest(ours), _surest(theirs))
    return min(starmap(_candidate, near), key=_order)


def _surest(
    mentions: Iterable[TaggedMention], of: Callable[[TaggedMention], object] = attrgetter("sentence", "flag")
) -> list[TaggedMention]:
    """Keep for each sentence and flag, or for whatever `of` tells apart, the surest; the first, of equals."""
    kept: dict[object, TaggedMention] = {}
    for one in mentions:
        known = kept.setdefault(of(one), one)
        if (-one.confidence, one.start) < (-known.confidence, known.start):
            kept[of(one)] = one
    return list(kept.values())


def _near(ours: list[TaggedMention], theirs: list[TaggedMention]) -> Iterator[tuple[TaggedMention, TaggedMention]]:
    """Yield what can be the closest: adjacent ones, and for each flag the surest of the note. All would be too many."""
    by_sentence: dict[int, list[TaggedMention]] = defaultdict(list)
    for one in theirs:
        by_sentence[one.sentence].append(one)
    for one in ours:
        for sentence in (one.sentence - 1, one.sentence, one.sentence + 1):
            yield from ((one, other) for other in by_sentence.get(sentence, ()))
    yield from product(_surest(ours, attrgetter("flag")), _surest(theirs, attrgetter("flag")))


def _candidate(disease: TaggedMention, treatment: TaggedMention) -> Closest:
    weight = _WEIGHTS.get(abs(disease.sentence - treatment.sentence), SAME_NOTE)
    flag = FAMILY if treatment.flag == FAMILY else disease.flag or treatment.flag
    return Closest(disease, treatment, weight, flag)


def _order(candidate: Closest) -> tuple[bool, float, float, int, int]:
    """Sort what counts before what does not, then the closest, the surest, the first."""
    disease, treatment, weight, flag = candidate
    return bool(flag), -weight, -disease.confidence * treatment.confidence, disease.start, treatment.start


def _evidence(note: TaggedNote, best: Closest) -> Evidence:
    disease, treatment, weight, flag = best
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

"""Pairs of many notes as one table: a row per disease and treatment, with counts, strength, evidence."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from production.record.cues import FAMILY, NEGATED
from production.record.names import Name, expanded, identity_of, name_forms, unambiguous
from production.record.notes import Note
from production.record.pairs import (
    DISEASE,
    SIDES,
    TREATMENT,
    Extracts,
    NotePair,
    Sides,
    TaggedMention,
    TaggedNote,
    pairs_of,
    tag,
)
from stages.common.errors import BeHealthyError
from stages.common.files import read_table

EVIDENCE = pa.struct(
    [
        pa.field("note", pa.string(), nullable=False),
        *[
            pa.field(f"{side}_{what}", pa.int32(), nullable=False)
            for side in ("disease", "treatment")
            for what in ("sentence", "start", "end")  # sentence from 0; offsets in characters of the note
        ],
        pa.field("weight", pa.float32(), nullable=False),  # 1 same sentence, 0.5 adjacent, 0.2 same note
        pa.field("confidence", pa.float32(), nullable=False),
        pa.field("flag", pa.string(), nullable=False),  # empty, negated or family; flagged evidence is not counted
        pa.field("text", pa.string()),  # null unless built with --with-text
    ]
)

RECORD = pa.schema(
    [
        pa.field("disease", pa.string(), nullable=False),  # most frequent surface form
        pa.field("treatment", pa.string(), nullable=False),
        pa.field("notes", pa.int32(), nullable=False),  # notes that count the pair
        pa.field("sentences", pa.int32(), nullable=False),  # sentences with both
        pa.field("closeness", pa.float32()),  # mean weight over the notes; null without any
        pa.field("strength", pa.float32(), nullable=False),  # log-likelihood ratio against chance
        pa.field("confidence", pa.float32()),  # mean over the notes
        pa.field("negated", pa.int32(), nullable=False),  # notes that only have the pair negated
        pa.field("family", pa.int32(), nullable=False),  # notes that only have it of a relative
        pa.field("disease_notes", pa.int32(), nullable=False),  # notes with the disease, unflagged
        pa.field("treatment_notes", pa.int32(), nullable=False),
        pa.field("total_notes", pa.int32(), nullable=False),
        pa.field("disease_id", pa.string(), nullable=False),  # folded spelling: what makes two forms one name
        pa.field("treatment_id", pa.string(), nullable=False),
        pa.field("disease_forms", pa.list_(pa.string()), nullable=False),  # most frequent first
        pa.field("treatment_forms", pa.list_(pa.string()), nullable=False),
        pa.field("evidence", pa.list_(EVIDENCE), nullable=False),  # the closest and surest first
    ]
)
"""One row per disease and treatment that stand in one note, ordered by their identities."""


PAST_CHANCE = 10.83
"""Strength that names which have nothing to do with each other exceed in 0.1% of pairs (chi-squared, one degree)."""


def log_likelihood_ratio(both: int, first: int, second: int, total: int) -> float:
    """Tell how much more often two names share a note than chance would have it.

    ``G² = 2 Σ k ln(k / E)`` over the two-by-two table of notes (Dunning 1993, Computational
    Linguistics 19:61-74). It stays meaningful where counts are small, which is where pointwise
    mutual information puts every pair seen once on top. 3.84 is exceeded by chance in 5% of
    independent pairs, 10.83 in 0.1%.

    Parameters
    ----------
    both, first, second, total : int
        Notes with both names, with either, and all.

    Returns
    -------
    float
        0 when they share a note no more often than by chance.

    >>> round(log_likelihood_ratio(10, 12, 15, 400), 1)
    69.6
    """
    if both * total <= first * second:
        return 0.0
    rows, columns = (first, total - first), (second, total - second)
    observed = ((both, first - both), (second - both, total - first - second + both))
    return 2 * sum(
        k * math.log(k * total / (rows[i] * columns[j]))
        for i, row in enumerate(observed)
        for j, k in enumerate(row)
        if k
    )


def rank(record: pd.DataFrame) -> pd.Series:
    """Return what answers are ordered by: strength, less what rests on few notes or on distance.

    ``strength * closeness * k / (k + 1) * m / (m + 1)`` with k notes for the pair and m for the rarer
    of its names: the discount of Pantel & Lin (2002, KDD) for counts too small to be believed.
    """
    k = record["notes"]
    m = record[["disease_notes", "treatment_notes"]].min(axis=1)
    return (record["strength"] * record["closeness"] * k / (k + 1) * m / (m + 1)).fillna(0.0)


def build_record(
    notes: Iterable[Note],
    extractor: Extracts,
    *,
    examples: int = 5,
    with_text: bool = False,
    sides: Sides = SIDES,
) -> pd.DataFrame:
    """Tag notes and gather their pairs.

    Parameters
    ----------
    notes : iterable of Note
    extractor : Extracts
    examples : int
        Pieces of evidence kept per pair.
    with_text : bool
        Keep the sentences of the evidence; without it, the only words of a note in the table are
        the names of diseases and treatments.
    sides : Sides
        Which labels of the extractor are diseases, and which are treatments.

    Returns
    -------
    DataFrame
        Columns of `RECORD`.
    """
    tagged = _identified([tag(note, extractor, with_text=with_text, sides=sides) for note in notes])
    names, counts = _names(tagged), _notes_with(tagged)
    gathered: dict[tuple[str, str], list[NotePair]] = defaultdict(list)
    for note in tagged:
        for pair in pairs_of(note):
            gathered[pair.disease, pair.treatment].append(pair)
    rows = [_row(pairs, names, counts, len(tagged), examples) for _, pairs in sorted(gathered.items())]
    return pd.DataFrame(rows, columns=RECORD.names)


def _identified(notes: Sequence[TaggedNote]) -> list[TaggedNote]:
    """Name every mention, now that the abbreviations of all notes are known."""
    shared = unambiguous(note.abbreviations for note in notes)

    def identified(note: TaggedNote, mention: TaggedMention) -> TaggedMention:
        return mention._replace(identity=identity_of(expanded(mention.surface, note.abbreviations, shared)))

    return [replace(note, mentions=tuple(identified(note, m) for m in note.mentions)) for note in notes]


def _names(notes: Iterable[TaggedNote]) -> dict[str, dict[str, Name]]:
    mentions = [mention for note in notes for mention in note.mentions]
    return {
        side: name_forms((m.identity, m.surface) for m in mentions if m.label == side) for side in (DISEASE, TREATMENT)
    }


def _notes_with(notes: Iterable[TaggedNote]) -> Counter[tuple[str, str]]:
    """Count the notes with an unflagged mention of each name, by label and identity."""
    return Counter(name for note in notes for name in {(m.label, m.identity) for m in note.mentions if not m.flag})


def _row(
    pairs: Sequence[NotePair],
    names: dict[str, dict[str, Name]],
    counts: Counter[tuple[str, str]],
    total: int,
    examples: int,
) -> dict[str, object]:
    disease, treatment = names[DISEASE][pairs[0].disease], names[TREATMENT][pairs[0].treatment]
    counted = [pair for pair in pairs if not pair.evidence.flag]
    flags = Counter(pair.evidence.flag for pair in pairs)
    first, second = counts[DISEASE, disease.identity], counts[TREATMENT, treatment.identity]
    evidence = sorted((pair.evidence for pair in pairs), key=lambda e: (bool(e.flag), -e.weight, -e.confidence, e.note))
    return {
        "disease": disease.display,
        "treatment": treatment.display,
        "notes": len(counted),
        "sentences": sum(pair.sentences for pair in counted),
        "closeness": _mean([pair.evidence.weight for pair in counted]),
        "strength": log_likelihood_ratio(len(counted), first, second, total),
        "confidence": _mean([pair.evidence.confidence for pair in counted]),
        "negated": flags[NEGATED],
        "family": flags[FAMILY],
        "disease_notes": first,
        "treatment_notes": second,
        "total_notes": total,
        "disease_id": disease.identity,
        "treatment_id": treatment.identity,
        "disease_forms": list(disease.forms),
        "treatment_forms": list(treatment.forms),
        "evidence": [piece._asdict() for piece in evidence[:examples]],
    }


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def places_of(evidence: Iterable[Mapping[str, Any]]) -> list[str]:
    """Name the evidence of a pair as note and sentence, or range of sentences, counted from 1; flagged one is not."""
    places = []
    for piece in evidence:
        first, last = sorted((piece["disease_sentence"] + 1, piece["treatment_sentence"] + 1))
        if not piece["flag"]:
            places.append(f"{piece['note']}:{first}" + (f"-{last}" if last > first else ""))
    return places


def read_record(path: Path) -> pd.DataFrame:
    """Read a record.

    Raises
    ------
    BeHealthyError
        When there is none, or the file is none.
    """
    build = "build it with `python -m production.record build NOTES --to FILE`"
    if not path.is_file():
        raise BeHealthyError(f"there is no record at {path}: {build}")
    try:
        return read_table(path, RECORD.names)
    except (pa.ArrowInvalid, KeyError):
        raise BeHealthyError(f"{path} is not a record of diseases and treatments: {build}") from None

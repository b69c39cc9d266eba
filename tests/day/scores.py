"""How right a version was on notes, by their gold annotations, and whether another one is shown to be better."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine, select

from delivery.registry.noninferiority import bounded_difference
from production.database.engine import reading
from production.database.schema import MENTIONS, NOTE_TEXTS, NOTES, RESULTS
from stages.common.documents import Mention

Measure = Callable[[NDArray], NDArray]
"""Of rows of counts: right, found, annotated, accepted, and right of these."""


def precision(counts: NDArray) -> NDArray:
    """Return the share of what was found that is right."""
    return counts[..., 0] / np.maximum(counts[..., 1], 1)


def f1(counts: NDArray) -> NDArray:
    """Return strict F1."""
    return 2 * counts[..., 0] / np.maximum(counts[..., 1] + counts[..., 2], 1)


def accepted_precision(counts: NDArray) -> NDArray:
    """Return the share of what was accepted without a person that is right."""
    return counts[..., 4] / np.maximum(counts[..., 3], 1)


@dataclass(frozen=True)
class Score:
    """Strict matches of a version, a row of counts for each note."""

    counts: NDArray[np.int64]

    def __str__(self) -> str:
        """Return it in words."""
        whole = self.counts.sum(axis=0)
        accepted = f"of the accepted {accepted_precision(whole):.3f} ({whole[4]:,} of {whole[3]:,})"
        return f"strict F1 {f1(whole):.3f}, precision {precision(whole):.3f}, {accepted}; {len(self.counts)} notes"


def least_gain(before: Score, after: Score, measure: Measure) -> float:
    """Return what the gain is above, with a confidence of 95%: a paired bootstrap over notes, as the gate's."""
    found = bounded_difference(before.counts, after.counts, measure, confidence=0.95, resamples=2000, seed=1)
    return found.low


def read_by(engine: Engine, version: str) -> set[str]:
    """Return the names of the notes that a version looked at."""
    query = select(NOTES.c.source_id).join(RESULTS, RESULTS.c.note_id == NOTES.c.note_id)
    with reading(engine) as connection:
        return set(connection.execute(query.where(RESULTS.c.model_version == version)).scalars())


def score(engine: Engine, version: str, gold: Mapping[str, set[Mention]], names: Collection[str]) -> Score:
    """Hold what a version found in some notes against what is annotated; notes are in the order of their names."""
    found = (
        select(NOTES.c.source_id, NOTE_TEXTS.c.text, MENTIONS.c.start, MENTIONS.c.end, MENTIONS.c.label)
        .add_columns(MENTIONS.c.accepted)
        .join(NOTE_TEXTS, NOTE_TEXTS.c.note_id == NOTES.c.note_id)
        .join(MENTIONS, MENTIONS.c.note_id == NOTES.c.note_id)
        .where(NOTES.c.source_id.in_(names), MENTIONS.c.model_version == version, MENTIONS.c.kind == "mention")
    )
    texts = select(NOTES.c.source_id, NOTE_TEXTS.c.text).join(NOTE_TEXTS, NOTE_TEXTS.c.note_id == NOTES.c.note_id)
    with reading(engine) as connection:
        rows = connection.execute(found).all()
        notes = connection.execute(texts.where(NOTES.c.source_id.in_(names)).order_by(NOTES.c.source_id)).all()
    counts = {name: np.array([0, 0, len(gold[text]), 0, 0]) for name, text in notes}
    for row in rows:
        right = Mention(row.start, row.end, row.label) in gold[row.text]
        counts[row.source_id] += [right, 1, 0, row.accepted, right and row.accepted]
    return Score(np.array(list(counts.values())))

"""How right a version was on notes, by their gold annotations."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Engine, select

from production.database.engine import reading
from production.database.schema import MENTIONS, NOTE_TEXTS, NOTES, RESULTS
from stages.common.documents import Mention


@dataclass(frozen=True)
class Score:
    """Strict matches of a version."""

    notes: int
    right: int
    found: int
    annotated: int
    accepted: int
    accepted_right: int

    @property
    def precision(self) -> float:
        """Return the share of what was found that is right."""
        return self.right / max(1, self.found)

    @property
    def f1(self) -> float:
        """Return strict F1."""
        return 2 * self.right / max(1, self.found + self.annotated)

    @property
    def accepted_precision(self) -> float:
        """Return the share of what was accepted without a person that is right."""
        return self.accepted_right / max(1, self.accepted)

    def __str__(self) -> str:
        """Return it in words."""
        accepted = f"of the accepted {self.accepted_precision:.3f} ({self.accepted_right} of {self.accepted})"
        return f"strict F1 {self.f1:.3f}, precision {self.precision:.3f}, {accepted}; {self.notes} notes"


def read_by(engine: Engine, version: str) -> set[str]:
    """Return the names of the notes that a version looked at."""
    query = select(NOTES.c.source_id).join(RESULTS, RESULTS.c.note_id == NOTES.c.note_id)
    with reading(engine) as connection:
        return set(connection.execute(query.where(RESULTS.c.model_version == version)).scalars())


def score(engine: Engine, version: str, gold: Mapping[str, set[Mention]], names: Collection[str]) -> Score:
    """Hold what a version found in some notes against what is annotated."""
    query = (
        select(NOTES.c.source_id, NOTE_TEXTS.c.text, MENTIONS.c.start, MENTIONS.c.end, MENTIONS.c.label)
        .add_columns(MENTIONS.c.accepted)
        .join(NOTE_TEXTS, NOTE_TEXTS.c.note_id == NOTES.c.note_id)
        .join(MENTIONS, MENTIONS.c.note_id == NOTES.c.note_id)
        .where(NOTES.c.source_id.in_(names), MENTIONS.c.model_version == version, MENTIONS.c.kind == "mention")
    )
    texts = select(NOTES.c.source_id, NOTE_TEXTS.c.text).join(NOTE_TEXTS, NOTE_TEXTS.c.note_id == NOTES.c.note_id)
    with reading(engine) as connection:
        rows = connection.execute(query).all()
        annotated = [gold[text] for _, text in connection.execute(texts.where(NOTES.c.source_id.in_(names)))]
    right = [(Mention(row.start, row.end, row.label) in gold[row.text], row.accepted) for row in rows]
    return Score(
        len(names),
        sum(ok for ok, _ in right),
        len(right),
        sum(map(len, annotated)),
        sum(accepted for _, accepted in right),
        sum(ok for ok, accepted in right if accepted),
    )

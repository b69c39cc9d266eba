"""How far two versions agree on the notes that both looked at: by label, by slice, and where they do not."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, select

from production.database.engine import DatabaseError, reading
from production.database.schema import MENTIONS, MODEL_VERSIONS, NOTE_TEXTS, NOTES, RESULTS

SLICE = "note_type"


class Counts(NamedTuple):
    """Mentions that both found, and those that one alone did; equal are offsets and label."""

    both: int = 0
    champion_only: int = 0
    challenger_only: int = 0

    @property
    def f1(self) -> float | None:
        """Agreement: F1 of one version against the other; None where neither found anything."""
        total = 2 * self.both + self.champion_only + self.challenger_only
        return 2 * self.both / total if total else None


@dataclass
class Agreement:
    """What two versions said of the same texts.

    Parameters
    ----------
    champion, challenger : str
        The versions.
    """

    champion: str
    challenger: str
    notes: int = 0
    differing: list[tuple[str, str]] = field(default_factory=list)
    labels: dict[str, Counts] = field(default_factory=dict)
    slices: dict[str, Counts] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON types."""

        def shown(counts: Mapping[str, Counts]) -> dict[str, Any]:
            return {name: {**one._asdict(), "f1": one.f1} for name, one in counts.items()}

        return {
            "champion": self.champion,
            "challenger": self.challenger,
            "notes": self.notes,
            "labels": shown(self.labels),
            "slices": shown(self.slices),
            "differing": [list(names) for names in self.differing],
        }


Spans = frozenset[tuple[int, int, str]]


def versions_of(engine: Engine) -> tuple[str, str]:
    """Return the champion and the version whose hidden results are the newest.

    Raises
    ------
    DatabaseError
        When there are no hidden results, or no champion.
    """
    champions = select(MODEL_VERSIONS.c.model_version).where(MODEL_VERSIONS.c.champion_since.is_not(None))
    shadows = select(RESULTS.c.model_version).where(RESULTS.c.shadow).order_by(RESULTS.c.created_at.desc())
    with reading(engine) as connection:
        champion = connection.execute(champions.order_by(MODEL_VERSIONS.c.champion_since.desc()).limit(1)).scalar()
        challenger = connection.execute(shadows.limit(1)).scalar()
    if champion is None or challenger is None:
        raise DatabaseError(
            "no challenger has looked at any note beside a champion: `python -m production.infer --shadow challenger`"
        )
    return champion, challenger


def agreement(engine: Engine, champion: str, challenger: str) -> Agreement:
    """Compare what two versions found, note by note: memory grows with the notes that differ only."""
    found = Agreement(champion, challenger)
    by_label: defaultdict[str, Counter[str]] = defaultdict(Counter)
    by_slice: defaultdict[str, Counter[str]] = defaultdict(Counter)
    with reading(engine) as connection:
        for row, old, new in _both(connection, champion, challenger):
            found.notes += 1
            if old != new:
                found.differing.append((row.source, row.source_id))
            for spans, kind in ((old & new, "both"), (old - new, "champion_only"), (new - old, "challenger_only")):
                for _, _, label in spans:
                    by_label[label][kind] += 1
                    by_slice[str(row.metadata.get(SLICE) or "(none)")][kind] += 1
    found.labels, found.slices = _counts(by_label), _counts(by_slice)
    return found


def _counts(counted: Mapping[str, Counter[str]]) -> dict[str, Counts]:
    return {name: Counts(**counted[name]) for name in sorted(counted)}


def _both(connection: Connection, champion: str, challenger: str) -> Iterator[tuple[Any, Spans, Spans]]:
    """Yield each text that both looked at, with what each found; texts without any mention too."""
    old, new = RESULTS.alias("old"), RESULTS.alias("new")
    same = (old.c.note_id == new.c.note_id) & (old.c.text_hash == new.c.text_hash)
    of_text = (MENTIONS.c.note_id == old.c.note_id) & (MENTIONS.c.text_hash == old.c.text_hash)
    chosen = of_text & (MENTIONS.c.kind == "mention") & MENTIONS.c.model_version.in_((champion, challenger))
    text_of = (NOTE_TEXTS.c.note_id == old.c.note_id) & (NOTE_TEXTS.c.text_hash == old.c.text_hash)
    columns = [MENTIONS.c[name] for name in ("model_version", "start", "end", "label")]
    query = (
        select(old.c.note_id, old.c.text_hash, NOTES.c.source, NOTES.c.source_id, NOTE_TEXTS.c.metadata, *columns)
        .select_from(old.join(new, same).join(NOTE_TEXTS, text_of).join(NOTES, NOTES.c.note_id == old.c.note_id))
        .outerjoin(MENTIONS, chosen)
        .where(old.c.model_version == champion, new.c.model_version == challenger)
        .order_by(old.c.note_id, old.c.text_hash)
    )
    rows = connection.execution_options(yield_per=1000).execute(query)
    for _, group in groupby(rows, key=lambda row: (row.note_id, row.text_hash)):
        listed = list(group)
        yield listed[0], _spans(listed, champion), _spans(listed, challenger)


def _spans(rows: Sequence[Any], version: str) -> Spans:
    return frozenset((row.start, row.end, row.label) for row in rows if row.model_version == version)

"""All notes that a plan covers: what the model found in each, and the counts and sums that no person is needed for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from production.database.engine import reading
from production.database.schema import MENTIONS, NOTE_TEXTS, NOTES
from production.export.results import CURRENT
from production.review.sampling import stratum_of
from production.review.seen import Frame, Part, Sums

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

STEP = 2_000
"""Numbers of notes that are looked at at once."""
LONGEST_VALUE = 60
"""Characters of a value that makes a slice; longer ones are no kind of note."""


class Window(NamedTuple):
    """Results of a version that were written from `since` on and before `until`."""

    version: str
    since: datetime
    until: datetime


class Seen(NamedTuple):
    """A note of the frame."""

    note_id: int
    text_hash: str
    stratum: str
    characters: int
    spans: int


@dataclass
class Counting:
    """Counts and sums of a stratum, and of its slices, that grow note by note."""

    notes: int = 0
    labels: dict[str, Sums] = field(default_factory=dict)
    most: int = 0  # accepted mentions of one note

    def add(self, sums: Mapping[str, Sums]) -> None:
        """Count one note more."""
        self.notes += 1
        self.most = max(self.most, sum(one.accepted for one in sums.values()))
        for label, more in sums.items():
            self.labels[label] = added(self.labels.get(label, Sums()), more)


@dataclass
class WholeFrame:
    """The notes, and their counts by stratum, and by stratum and slice."""

    notes: list[Seen] = field(default_factory=list)
    strata: dict[str, Counting] = field(default_factory=lambda: defaultdict(Counting))
    slices: dict[tuple[str, str, str], Counting] = field(default_factory=lambda: defaultdict(Counting))

    def add(self, seen: Seen, slices: Mapping[str, str], sums: Mapping[str, Sums]) -> None:
        """Take one note more."""
        self.notes.append(seen)
        self.strata[seen.stratum].add(sums)
        for name, value in slices.items():
            self.slices[name, value, seen.stratum].add(sums)


def added(one: Sums, other: Sums) -> Sums:
    """Return the sums of both."""
    return Sums(
        one.predicted + other.predicted,
        one.accepted + other.accepted,
        one.confidence + other.confidence,
        one.accepted_confidence + other.accepted_confidence,
    )


def slices_of(metadata: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
    """Return what metadata says under the names of slices; what is no short text is left out."""
    said = {name: metadata.get(name) for name in names}
    return {name: value for name, value in said.items() if isinstance(value, str) and 0 < len(value) <= LONGEST_VALUE}


def read_frame(engine: Engine, window: Window, slices: Sequence[str]) -> WholeFrame:
    """Read all notes of a window, some thousand at a time; nobody is kept from writing meanwhile."""
    frame = WholeFrame()
    with reading(engine) as connection:
        first, last = connection.execute(sa.select(sa.func.min(NOTES.c.note_id), sa.func.max(NOTES.c.note_id))).one()
        for low in range(first or 0, (last or -1) + 1, STEP):
            for seen, metadata, sums in _read(connection, window, low, low + STEP - 1):
                frame.add(seen, slices_of(metadata, slices), sums)
    return frame


def _read(
    connection: Connection, window: Window, low: int, high: int
) -> Iterator[tuple[Seen, Mapping[str, Any], dict[str, Sums]]]:
    notes = connection.execute(_notes(window, low, high)).all()
    if not notes:
        return
    mentions: dict[tuple[int, str], dict[str, Sums]] = defaultdict(dict)
    suggestions: dict[tuple[int, str], int] = defaultdict(int)
    for row in connection.execute(_spans(window.version, low, high)):
        if row.kind == "suggestion":
            suggestions[row.note_id, row.text_hash] += row.spans
        else:
            mentions[row.note_id, row.text_hash][row.label] = Sums(row.spans, *row[5:])
    for note_id, text_hash, metadata, characters in notes:
        key = note_id, text_hash
        sums, suggested = mentions.get(key, {}), suggestions.get(key, 0)
        shown = sum(one.predicted for one in sums.values())
        stratum = stratum_of(shown, sum(one.accepted for one in sums.values()), suggested)
        yield Seen(*key, stratum, characters, shown + suggested), metadata, sums


def _notes(window: Window, low: int, high: int) -> sa.Select[Any]:
    same_text = sa.and_(NOTE_TEXTS.c.note_id == CURRENT.c.note_id, NOTE_TEXTS.c.text_hash == CURRENT.c.text_hash)
    columns = CURRENT.c.note_id, CURRENT.c.text_hash, NOTE_TEXTS.c.metadata, sa.func.length(NOTE_TEXTS.c.text)
    return (
        sa.select(*columns)
        .select_from(CURRENT.join(NOTE_TEXTS, same_text))
        .where(CURRENT.c.note_id.between(low, high), CURRENT.c.model_version == window.version)
        .where(CURRENT.c.created_at >= window.since, CURRENT.c.created_at < window.until)
        .order_by(CURRENT.c.note_id)
    )


def _spans(version: str, low: int, high: int) -> sa.Select[Any]:
    of = MENTIONS.c.note_id, MENTIONS.c.text_hash, MENTIONS.c.kind, MENTIONS.c.label
    sure = sa.case((MENTIONS.c.accepted, MENTIONS.c.confidence), else_=0.0)
    sums = (
        sa.func.count().label("spans"),
        sa.func.sum(sa.case((MENTIONS.c.accepted, 1), else_=0)),
        sa.func.sum(MENTIONS.c.confidence),
        sa.func.sum(sure),
    )
    return (
        sa.select(*of, *sums)
        .where(MENTIONS.c.note_id.between(low, high), MENTIONS.c.model_version == version)
        .group_by(*of)
    )


def as_json(frame: WholeFrame) -> dict[str, Any]:
    """Return counts and sums as a plan keeps them: by stratum, and within it by slice."""
    strata: dict[str, Any] = {
        name: {**_counts(one), "most": one.most, "slices": []} for name, one in frame.strata.items()
    }
    for (name, value, stratum), one in sorted(frame.slices.items()):
        strata[stratum]["slices"].append({"name": name, "value": value, **_counts(one)})
    return strata


def _counts(one: Counting) -> dict[str, Any]:
    return {"notes": one.notes, "labels": {label: list(sums) for label, sums in sorted(one.labels.items())}}


def frame_of(plans: Sequence[Mapping[str, Any]]) -> Frame:
    """Return what several plans kept as one frame."""
    whole = WholeFrame()
    for plan in plans:
        for stratum, kept in plan.items():
            _join(whole.strata[stratum], kept)
            for one in kept["slices"]:
                _join(whole.slices[one["name"], one["value"], stratum], one)
    slices: dict[tuple[str, str], dict[str, Part]] = defaultdict(dict)
    for (name, value, stratum), one in whole.slices.items():
        slices[name, value][stratum] = Part(one.notes, one.labels)
    return Frame({stratum: Part(one.notes, one.labels) for stratum, one in whole.strata.items()}, dict(slices))


def _join(counting: Counting, kept: Mapping[str, Any]) -> None:
    counting.notes += kept["notes"]
    for label, sums in kept["labels"].items():
        counting.labels[label] = added(counting.labels.get(label, Sums()), Sums(*sums))

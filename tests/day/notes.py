"""Notes of two hospitals, of which people said what is in them: the project's own, and MACCROBAT's case reports."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from stages.common.documents import Document, Mention
from stages.prepare.batches import load_batches, read_batch
from stages.prepare.formats import read
from stages.prepare.formats.rules import IGNORED, Rules
from stages.prepare.mapping import read_mapping
from tests.maccrobat import MACCROBAT, TWO, labels_of, mapping_of
from tests.repository import ROOT

CANARY = "Quillfeather"
"""A name that stands in a few notes, and may stand nowhere else than in the database of the notes."""
HOME, OTHER = "home", "case-reports"
_CASE = {"note_type": "case_report", "speciality": "case_reports"}


@dataclass(frozen=True)
class Note:
    """A note, and what is right: its gold annotation; None where nobody annotated it."""

    source: str
    document: Document
    annotated: bool = True

    def line(self) -> str:
        """Return it as `production.notes add` takes it."""
        note = {"id": self.document.id, "text": self.document.text, "metadata": self.document.metadata}
        return json.dumps(note, ensure_ascii=False)


def home_notes(first: int) -> tuple[list[Document], list[Note]]:
    """Return the notes that the hospital had annotated before its first day, and those that arrive later."""
    documents = [document for batch in load_batches(ROOT / "data/annotations") for document in read_batch(batch)]
    learned = {round(place * len(documents) / first) for place in range(first)}
    before = [one for place, one in enumerate(documents) if place in learned]
    later = [Note(HOME, one) for place, one in enumerate(documents) if place not in learned]
    random.Random(1).shuffle(later)  # they are in the order of specialities, and would be a drift
    return before, later


def unread_notes() -> list[Note]:
    """Return notes of the home hospital that nobody annotated."""
    lines = (ROOT / "data/incoming/notes.jsonl").read_text(encoding="utf-8").splitlines()
    notes = map(json.loads, lines)
    return [Note(HOME, Document(one["id"], one["text"], metadata=one["metadata"]), annotated=False) for one in notes]


def case_reports(folder: Path) -> list[Note]:
    """Return MACCROBAT with the labels of the project."""
    mapping = read_mapping(mapping_of(TWO, folder / "maccrobat.csv"), labels_of(TWO))
    documents = read(MACCROBAT, "brat", Rules(mapping, "longest", "join", tuple(labels_of(TWO))))
    return [Note(OTHER, replace(one, mentions=_mapped(one, mapping), metadata=dict(_CASE))) for one in documents]


def _mapped(document: Document, mapping: Mapping[str, str]) -> tuple[Mention, ...]:
    meant = (mention._replace(label=mapping[mention.label]) for mention in document.mentions)
    return tuple(mention for mention in meant if mention.label != IGNORED)


def with_canary(note: Note) -> Note:
    """Put the name at the end of a note."""
    return replace(note, document=replace(note.document, text=f"{note.document.text.rstrip()} Seen by Dr {CANARY}."))


def write_jsonl(path: Path, documents: Iterable[Document]) -> Path:
    """Write annotated documents in the project's own format."""
    rows = [
        {"id": one.id, "text": one.text, "mentions": [m._asdict() for m in one.mentions], "metadata": one.metadata}
        for one in documents
    ]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@dataclass
class Gold:
    """What is right in each text."""

    mentions: dict[str, set[Mention]] = field(default_factory=dict)

    @classmethod
    def of(cls, notes: Sequence[Note]) -> Gold:
        """Take the annotations of notes that have some."""
        return cls({one.document.text: set(one.document.mentions) for one in notes if one.annotated})

"""Notes of two hospitals, of which people said what is in them: BC5CDR's abstracts, and MACCROBAT's case reports."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from stages.common.documents import Document, Mention
from stages.prepare.formats import read
from stages.prepare.formats.rules import IGNORED, Rules
from stages.prepare.mapping import DEFAULT_MAPPING, read_mapping
from stages.prepare.tables import blocks_of
from tests.maccrobat import MACCROBAT, TWO, labels_of, mapping_of
from tests.repository import ROOT

CANARY = "Quillfeather"
"""A name that stands in a few notes, and may stand nowhere else than in the database of the notes."""
HOME, OTHER = "home", "case-reports"
BC5CDR = MACCROBAT.parent / "bc5cdr"
"""1,000 abstracts in which diseases, with their signs and symptoms, and chemicals are annotated (public domain)."""
SENTENCES = 10
"""Of a home note: the corpus does not say where an abstract ends."""
MEANINGS = {**TWO, "Sign_symptom": "Disease"}
"""What MACCROBAT's types are in the home hospital's words: a symptom is annotated as a disease there."""
_ABSTRACT = {"note_type": "abstract", "speciality": "pharmacology"}
_CASE = {"note_type": "case_report", "speciality": "case_reports"}


@dataclass(frozen=True)
class Note:
    """A note, and what is right: its gold annotation."""

    source: str
    document: Document

    def line(self) -> str:
        """Return it as `production.notes add` takes it."""
        note = {"id": self.document.id, "text": self.document.text, "metadata": self.document.metadata}
        return json.dumps(note, ensure_ascii=False)


def home_notes(first: int) -> tuple[list[Document], list[Note]]:
    """Return the notes that the hospital had annotated before its first day, and those that arrive later."""
    mapping = read_mapping(ROOT / DEFAULT_MAPPING, labels_of(TWO))
    documents = [one for name in ("train", "devel") for one in _blocks(name, mapping)]
    return documents[:first], [Note(HOME, one) for one in documents[first:]]


def _blocks(name: str, mapping: Mapping[str, str]) -> Iterator[Document]:
    for stream in read(BC5CDR / f"{name}.tsv", "iob"):
        for number, block in enumerate(blocks_of(stream, SENTENCES)):
            yield replace(block, id=f"{name}-{number:03}", mentions=_mapped(block, mapping), metadata=dict(_ABSTRACT))


def case_reports(folder: Path) -> list[Note]:
    """Return MACCROBAT with the labels of the project."""
    mapping = read_mapping(mapping_of(MEANINGS, folder / "maccrobat.csv"), labels_of(TWO))
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
        """Take the annotations of notes."""
        return cls({one.document.text: set(one.document.mentions) for one in notes})

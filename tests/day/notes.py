"""Notes of two hospitals, of which people said what is in them: letters of the home one, MACCROBAT's case reports.

A letter of the home hospital is a line of the seed's notes, and ten sentences of BC5CDR's abstracts. Its people
annotate signs and symptoms as diseases, as BC5CDR does; lines of the seed that leave one unmarked are not used.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle
from pathlib import Path

from stages.common.documents import Document, Mention
from stages.prepare.batches import load_batches, read_batch
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
MEANINGS = {**TWO, "Sign_symptom": "Disease"}
"""What MACCROBAT's types are in the home hospital's words: a symptom is annotated as a disease there."""
_SENTENCES = 10
"""Of an abstract: the corpus does not say where one ends."""
_SHORTEST = 4
"""Characters of a disease of BC5CDR that is looked for in the seed: abbreviations mean something else there."""
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
    abstracts = [one for name in ("train", "devel") for one in _abstracts(name, mapping)]
    lines = _lines(
        {one.text[m.start : m.end].lower() for one in abstracts for m in one.mentions if m.label == "Disease"}
    )
    letters = [_letter(line, one) for line, one in zip(cycle(lines), abstracts, strict=False)]
    return letters[:first], [Note(HOME, one) for one in letters[first:]]


def _abstracts(name: str, mapping: Mapping[str, str]) -> Iterator[Document]:
    for stream in read(BC5CDR / f"{name}.tsv", "iob"):
        for number, block in enumerate(blocks_of(stream, _SENTENCES)):
            yield replace(block, id=f"{name}-{number:03}", mentions=_mapped(block, mapping), sentences=None)


def _lines(diseases: set[str]) -> list[Document]:
    """Return the lines of the seed's notes in which none of these stands unmarked, in any order."""
    named = re.compile("|".join(rf"\b{re.escape(one)}\b" for one in diseases if len(one) >= _SHORTEST), re.IGNORECASE)
    notes = (note for batch in load_batches(ROOT / "data/annotations") for note in read_batch(batch))
    lines = [line for note in notes for line in _cut(note)]
    kept = [line for line in lines if all(_marked(line, *found.span()) for found in named.finditer(line.text))]
    random.Random(1).shuffle(kept)  # they are in the order of specialities, and would be a drift
    return kept


def _cut(note: Document) -> Iterator[Document]:
    """Cut a note into its lines; those in which a mention does not end are left out."""
    for found in re.finditer(r"\S.*\S", note.text):
        start, end = found.span()
        inside = [one for one in note.mentions if start < one.end and one.start < end]
        if all(start <= one.start and one.end <= end for one in inside):
            moved = tuple(Mention(one.start - start, one.end - start, one.label) for one in inside)
            yield Document(note.id, found.group(), moved, metadata=note.metadata)


def _marked(line: Document, start: int, end: int) -> bool:
    return any(one.start < end and start < one.end for one in line.mentions)


def _letter(line: Document, abstract: Document) -> Document:
    before = len(line.text) + 1
    moved = tuple(Mention(one.start + before, one.end + before, one.label) for one in abstract.mentions)
    text, mentions = f"{line.text}\n{abstract.text}", (*line.mentions, *moved)
    return Document(abstract.id, text, mentions, metadata=line.metadata)


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

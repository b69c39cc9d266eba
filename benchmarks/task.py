"""What a contestant is given and what it gives back, as JSON. Standard library only, for the peers' environment."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

Sentences = list[list[str]]
Spans = list[tuple[int, int, str]]


@dataclass(frozen=True)
class Note:
    """A document, segmented.

    Parameters
    ----------
    name : str
    text : str
    sentences : list of list of str
        Token texts.
    offsets : list of list of (int, int)
        Where the tokens stand in the text.
    spans : list of list of (first, end, label)
        Gold mentions in tokens, by sentence.
    """

    name: str
    text: str
    sentences: Sentences
    offsets: list[list[tuple[int, int]]]
    spans: list[Spans]


@dataclass(frozen=True)
class Task:
    """Notes to learn from and notes to tag.

    Parameters
    ----------
    train, test : list of Note
    prepared : str
        Folder with the same notes as tables; this project's tagger reads them from there.
    params : str
        Path of `params.yaml`.
    epochs : int
        Most passes of the neural peer over the training notes.
    clusters : dict of str to list of str
        Word clusters, for the peer that uses this project's attributes.
    """

    train: list[Note]
    test: list[Note]
    prepared: str
    params: str
    epochs: int = 10
    clusters: dict[str, list[str]] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write the task."""
        path.write_text(json.dumps(asdict(self), ensure_ascii=False), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Task:
        """Read what `write` wrote."""
        content = json.loads(path.read_text(encoding="utf-8"))
        content["train"] = [_note(note) for note in content["train"]]
        content["test"] = [_note(note) for note in content["test"]]
        return cls(**content)


def _note(content: dict) -> Note:
    content["spans"] = [[(first, end, label) for first, end, label in spans] for spans in content["spans"]]
    return Note(**content)


def token_count(notes: Sequence[Note]) -> int:
    """Return the number of tokens."""
    return sum(len(sentence) for note in notes for sentence in note.sentences)

"""Taggers that are compared: this project's and its peers, behind one protocol."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from benchmarks.task import Sentences, Spans, Task

OURS = "behealthy"
CONTESTANTS = {
    OURS: "benchmarks.contestants.ours",
    "python-crfsuite": "benchmarks.contestants.plain_crfsuite",
    "sklearn-crfsuite": "benchmarks.contestants.notebooks",
    "spacy": "benchmarks.contestants.spacy_ner",
}
"""Module of each contestant; it offers `learn` and `load`."""


class Tagger(Protocol):
    """A model in memory."""

    def tag(self, notes: Sequence[Sentences]) -> list[list[Spans]]:
        """Return the mentions of each note by sentence."""
        ...

    def read(self, texts: Sequence[str]) -> int:
        """Find the mentions of raw texts; return how many tokens they had."""
        ...


class Contestant(Protocol):
    """Learns from a task's training notes into a folder, and loads from there."""

    def learn(self, task: Task, folder: Path) -> None:
        """Train and write the model to `folder`."""
        ...

    def load(self, folder: Path) -> Tagger:
        """Load a model, its caches empty."""
        ...


def contestant(name: str) -> Contestant:
    """Return the module of a contestant."""
    return cast(Contestant, import_module(CONTESTANTS[name]))


class TokenTagger:
    """Reads raw text through the project's segmentation; `tag` is the subclass's."""

    def tag(self, notes: Sequence[Sentences]) -> list[list[Spans]]:
        """Return the mentions of each note by sentence."""
        raise NotImplementedError

    def read(self, texts: Sequence[str]) -> int:
        """Find the mentions of raw texts; return how many tokens they had."""
        notes = [segmented(text) for text in texts]
        self.tag(
            [[[text[s:e] for s, e in sentence] for sentence in note] for text, note in zip(texts, notes, strict=True)]
        )
        return sum(len(sentence) for note in notes for sentence in note)


def segmented(text: str) -> list[list[tuple[int, int]]]:
    """Return the offsets of the tokens of a text, by sentence, as the project segments it."""
    from stages.prepare.segmentation import segment

    return [[(token.start, token.end) for token in tokens] for tokens in segment(text)]

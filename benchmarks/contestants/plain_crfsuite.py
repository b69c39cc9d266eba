"""python-crfsuite over this project's attributes as strings: what the compiled path is measured against."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.contestants import TokenTagger
from benchmarks.strings import StringAttributes
from benchmarks.task import Sentences, Spans, Task
from stages.common.tags import spans_of, to_bioes

MODEL, CLUSTERS = "model.crfsuite", "clusters.json"
ITERATIONS = 10


class PlainTagger(TokenTagger):
    """A `pycrfsuite.Tagger` and the attributes it was trained on; it gives no span confidence."""

    def __init__(self, tagger: Any, attributes: StringAttributes) -> None:
        self.tagger, self.attributes = tagger, attributes

    def tag(self, notes: Sequence[Sentences]) -> list[list[Spans]]:
        """Return the mentions of each note by sentence."""
        from pycrfsuite import ItemSequence

        return [
            [spans_of(self.tagger.tag(ItemSequence(names))) for names in self.attributes.of_note(sentences)]
            for sentences in notes
        ]


def learn(task: Task, folder: Path) -> None:
    """Train by passive-aggressive updates on BIOES tags."""
    import pycrfsuite

    trainer = pycrfsuite.Trainer(algorithm="pa", verbose=False)
    trainer.set_params({"max_iterations": ITERATIONS})
    attributes = StringAttributes(_tuples(task.clusters))
    for note in task.train:
        names = attributes.of_note(note.sentences)
        for sentence, tokens, spans in zip(names, note.sentences, note.spans, strict=True):
            trainer.append(pycrfsuite.ItemSequence(sentence), to_bioes(len(tokens), spans))
    trainer.train(str(folder / MODEL))
    (folder / CLUSTERS).write_text(json.dumps(task.clusters), encoding="utf-8")


def load(folder: Path) -> PlainTagger:
    """Load what `learn` wrote."""
    import pycrfsuite

    tagger = pycrfsuite.Tagger()
    tagger.open(str(folder / MODEL))
    clusters = json.loads((folder / CLUSTERS).read_text(encoding="utf-8"))
    return PlainTagger(tagger, StringAttributes(_tuples(clusters)))


def _tuples(clusters: dict[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {word: tuple(names) for word, names in clusters.items()}

"""spaCy's named entity recogniser, trained from scratch on the CPU: blank English, default settings."""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from benchmarks.contestants import TokenTagger
from benchmarks.task import Note, Sentences, Spans, Task

SEED = 1
DEV_SHARE = 8  # every eighth training note, by hash, chooses the best epoch
PATIENCE = 3
DROPOUT = 0.1
BATCH = 256


class SpacyTagger(TokenTagger):
    """A spaCy pipeline with nothing but `ner`; it gives no confidence."""

    def __init__(self, nlp: Any) -> None:
        self.nlp = nlp

    def tag(self, notes: Sequence[Sentences]) -> list[list[Spans]]:
        """Return the mentions of each note by sentence; sentences of all notes are batched."""
        from spacy.tokens import Doc

        documents = (Doc(self.nlp.vocab, words=tokens) for sentences in notes for tokens in sentences)
        tagged = iter(
            [(span.start, span.end, span.label_) for span in document.ents]
            for document in self.nlp.pipe(documents, batch_size=BATCH)
        )
        return [[next(tagged) for _ in sentences] for sentences in notes]


def learn(task: Task, folder: Path) -> None:
    """Train for at most `task.epochs`; keep the epoch that is best on every eighth training note."""
    import spacy
    from spacy.util import fix_random_seed

    fix_random_seed(SEED)
    ordered = sorted(task.train, key=lambda note: sha256(f"{SEED}/{note.name}".encode()).hexdigest())
    part = len(ordered) // DEV_SHARE
    dev, train = ordered[:part], ordered[part:]
    nlp = spacy.blank("en")
    ner = nlp.add_pipe("ner")
    for label in sorted({label for note in task.train for spans in note.spans for _, _, label in spans}):
        ner.add_label(label)  # type: ignore[attr-defined]
    examples = _examples(nlp, train)
    optimizer = nlp.initialize(lambda: examples)
    best, waited = -1.0, 0
    generator = random.Random(SEED)  # noqa: S311  # an order, not a secret
    for epoch in range(1, task.epochs + 1):
        _pass_over(nlp, examples, optimizer, generator)
        score = nlp.evaluate(_examples(nlp, dev))["ents_f"] or 0.0 if dev else float(epoch)
        print(f"spacy: epoch {epoch}, F1 {score:.3f} on {len(dev)} held-out notes", file=sys.stderr, flush=True)
        waited = 0 if score > best else waited + 1
        if score > best:
            best = score
            nlp.to_disk(folder)
        if waited == PATIENCE:
            break


def _pass_over(nlp: Any, examples: list[Any], optimizer: Any, generator: random.Random) -> None:
    from spacy.util import compounding, minibatch

    generator.shuffle(examples)
    for batch in minibatch(examples, size=compounding(8.0, 64.0, 1.01)):
        nlp.update(batch, sgd=optimizer, drop=DROPOUT)


def load(folder: Path) -> SpacyTagger:
    """Load what `learn` wrote."""
    import spacy

    return SpacyTagger(spacy.load(folder))


def _examples(nlp: Any, notes: Sequence[Note]) -> list[Any]:
    from spacy.tokens import Doc
    from spacy.training import Example

    return [
        Example.from_dict(
            Doc(nlp.vocab, words=tokens),
            {"entities": _bilou(len(tokens), spans)},
        )
        for note in notes
        for tokens, spans in zip(note.sentences, note.spans, strict=True)
    ]


def _bilou(length: int, spans: Spans) -> list[str]:
    from stages.common.tags import to_bioes

    names = {"E": "L", "S": "U"}
    return [names.get(tag[0], tag[0]) + tag[1:] for tag in to_bioes(length, spans)]

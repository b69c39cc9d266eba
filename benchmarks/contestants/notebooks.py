"""The CRF of the public notebooks on this case: sklearn-crfsuite over a handful of features, BIO tags.

Their part-of-speech features are left out: no tagger runs in production.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.contestants import TokenTagger
from benchmarks.task import Sentences, Spans, Task
from stages.common.tags import spans_of, to_iob2

ITERATIONS = 300
MODEL = "crf.pickle"


class NotebookTagger(TokenTagger):
    """A fitted `sklearn_crfsuite.CRF`."""

    def __init__(self, crf: Any) -> None:
        self.crf = crf

    def tag(self, notes: Sequence[Sentences]) -> list[list[Spans]]:
        """Return the mentions of each note by sentence."""
        return [
            [spans_of(self.crf.predict_single(features_of(sentence))) for sentence in sentences] for sentences in notes
        ]


def learn(task: Task, folder: Path) -> None:
    """Fit with the notebooks' settings."""
    import sklearn_crfsuite

    crf = sklearn_crfsuite.CRF(max_iterations=ITERATIONS)
    sentences = [pair for note in task.train for pair in zip(note.sentences, note.spans, strict=True)]
    crf.fit(
        [features_of(tokens) for tokens, _ in sentences], [to_iob2(len(tokens), spans) for tokens, spans in sentences]
    )
    with (folder / MODEL).open("wb") as file:
        pickle.dump(crf, file)


def load(folder: Path) -> NotebookTagger:
    """Load the model that `learn` wrote a moment ago."""
    with (folder / MODEL).open("rb") as file:
        return NotebookTagger(pickle.load(file))  # noqa: S301  # our own file, in a temporary folder


def features_of(tokens: Sequence[str]) -> list[dict[str, Any]]:
    """Return the notebooks' features of each token of a sentence."""
    return [_features_at(tokens, place) for place in range(len(tokens))]


def _features_at(tokens: Sequence[str], place: int) -> dict[str, Any]:
    word = tokens[place]
    features: dict[str, Any] = {
        "bias": 1.0,
        "word.lower()": word.lower(),
        "word[-3:]": word[-3:],
        "word[-2:]": word[-2:],
        "word.isupper()": word.isupper(),
        "word.istitle()": word.istitle(),
        "word.isdigit()": word.isdigit(),
    }
    for offset, edge in ((-1, "BOS"), (1, "EOS")):
        if 0 <= place + offset < len(tokens):
            near = tokens[place + offset]
            features[f"{offset:+d}:word.lower()"] = near.lower()
            features[f"{offset:+d}:word.istitle()"] = near.istitle()
            features[f"{offset:+d}:word.isupper()"] = near.isupper()
            features[f"{offset:+d}:word.isdigit()"] = near.isdigit()
        else:
            features[edge] = True
    return features

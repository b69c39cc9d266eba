"""The project's tagger, through the stages' own code: featurize, train, evaluate."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.task import Sentences, Spans, Task
from stages.evaluate.predictions import predict
from stages.featurize.attributes.extractor import AttributeExtractor
from stages.featurize.learning import learn_attributes
from stages.featurize.store import SplitSentences, read_contexts, read_features, write_features
from stages.params import Params, load_params
from stages.train.extractor import Extractor
from stages.train.held_out import held_out_of
from stages.train.learning import learn_extractor

FEATURES = "features"


class OurTagger:
    """The extractor, called once per note as production does."""

    def __init__(self, extractor: Extractor) -> None:
        self.extractor = extractor

    def tag(self, notes: Sequence[Sentences]) -> list[list[Spans]]:
        """Return the mentions of each note by sentence; their confidence is computed too."""
        tagged = [self.extractor.tagger.tag(self.extractor.read(sentences)) for sentences in notes]
        return [[[span[:3] for span in spans] for spans in note] for note in tagged]

    def read(self, texts: Sequence[str]) -> int:
        """Extract the mentions of raw texts; return how many tokens they had."""
        return sum(extraction.tokens for extraction in self.extractor.extract_all(texts))


def learn(task: Task, folder: Path) -> None:
    """Do what the stages featurize and train do; write the model to `folder`."""
    params = load_params(Path(task.params))
    attributes = learned_attributes(Path(task.prepared), folder / FEATURES, params)
    train, dev = (read_features(folder / FEATURES / f"{split}.parquet") for split in ("train", "dev"))
    seen, held_out = held_out_of(train, dev, params.train.seed)
    _say(f"{params.train.family}, {len(train.tokens)} tokens, {sum(map(len, train.spans))} mentions")
    learn_extractor(train, seen, held_out, attributes, params.train).extractor.save(folder)


def learned_attributes(prepared: Path, features: Path, params: Params) -> AttributeExtractor:
    """Do what the stage featurize does; write the tables to `features`."""
    _say("word clusters and attributes")
    extractor = learn_attributes(SplitSentences(prepared, "train"), params.featurize)
    _say(f"{extractor.n_rows} attributes")
    for split in ("train", "dev"):
        write_features(features / f"{split}.parquet", read_contexts(prepared, split), extractor)
    return extractor


def load(folder: Path) -> OurTagger:
    """Load the extractor."""
    return OurTagger(Extractor.load(folder))


def mentions_of_test(task: Task, folder: Path) -> dict[str, list[tuple[int, int, str]]]:
    """Return the mentions of the test split by document, as the stage evaluate finds them."""
    frame = predict(Path(task.prepared), ["test"], Extractor.load(folder)).mentions
    mentions: dict[str, list[tuple[int, int, str]]] = {note.name: [] for note in task.test}
    for document, start, end, label in frame[["document", "start", "end", "label"]].itertuples(index=False):
        mentions.setdefault(document, []).append((start, end, label))
    return mentions


def _say(message: str) -> None:
    print(f"behealthy: {message}", file=sys.stderr, flush=True)

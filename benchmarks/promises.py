"""What a model accepts of any test split without a person, and what others would, trained on parts of the documents."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.contest import say
from benchmarks.corpora import Corpus
from stages.params import Params

if TYPE_CHECKING:
    from stages.train.extractor import Extractor

_KEPT = ("acceptance", "calibration", "suggestions")


def promises_of(prepared: Path, corpus: Corpus, extractor: Extractor, params: Params) -> dict[str, Any]:
    """Score what is promised, as the stage evaluate does.

    Parameters
    ----------
    prepared : Path
        Where the tables of the corpus were written.
    corpus : Corpus
    extractor : Extractor
    params : Params

    Returns
    -------
    dict
        ``acceptance``, ``calibration`` and ``suggestions`` as in `metrics/evaluation.json`, not rounded.
    """
    from stages.evaluate.accepted import accepted
    from stages.evaluate.matching import match_documents
    from stages.evaluate.predictions import predict
    from stages.evaluate.scores import evaluation

    documents, mentions = corpus.tables.documents, corpus.tables.mentions
    test = match_documents(documents[documents["split"] == "test"], mentions, *predict(prepared, ["test"], extractor))
    labels = sorted(set(mentions["label"]))
    scores = evaluation(
        test, [], accepted(test, extractor.acceptance, labels), extractor.tagger.temperature, labels, params.evaluate
    )
    return {name: scores[name] for name in _KEPT}


def resampled(corpus: Corpus, params: Params, trainings: int, share: float) -> Iterator[dict[str, Any]]:
    """Train anew on parts of the training documents, and score each model on the whole test split.

    Documents are drawn without replacement, since a copy in another fold would be no unseen text; blocks
    of one file go together as `stages.train.clustered.clusters_of` has them. The seed of each training is its own, so
    that at a share of 1 chance in learning alone is left.

    Yields
    ------
    dict
        ``seed``, ``documents``, and what `promises_of` returns.
    """
    for number in range(1, trainings + 1):
        part = _part_of(corpus, share, number)
        settings = params.model_copy(update={"train": params.train.model_copy(update={"seed": number})})
        say(f"training {number} of {trainings} on {share:.0%} of the documents")
        with tempfile.TemporaryDirectory(prefix="behealthy-resampled-") as name:
            part.write(Path(name))
            found = promises_of(Path(name), part, _trained(Path(name), settings), settings)
        documents = int((part.tables.documents["split"] != "test").sum())
        yield {"seed": number, "documents": documents, **found}


def _part_of(corpus: Corpus, share: float, seed: int) -> Corpus:
    from stages.train.clustered import clusters_of

    documents = corpus.tables.documents
    clusters = clusters_of(documents["context"].tolist())
    learned = np.unique(clusters[(documents["split"] != "test").to_numpy()])
    drawn = np.random.default_rng(seed).choice(learned, max(1, round(share * len(learned))), replace=False)
    kept = documents[(documents["split"] == "test") | np.isin(clusters, drawn)]
    tokens, mentions = (
        table[table["document"].isin(kept["document"])] for table in (corpus.tables.tokens, corpus.tables.mentions)
    )
    return Corpus(replace(corpus.tables, documents=kept, tokens=tokens, mentions=mentions))


def _trained(prepared: Path, params: Params) -> Extractor:
    from benchmarks.contestants.ours import FEATURES, learned_attributes
    from stages.featurize.store import read_features
    from stages.train.held_out import held_out_of
    from stages.train.learning import learn_extractor

    attributes = learned_attributes(prepared, prepared / FEATURES, params)
    train, dev = (read_features(prepared / FEATURES / f"{split}.parquet") for split in ("train", "dev"))
    return learn_extractor(train, *held_out_of(train, dev, params.train.seed), attributes, params.train).extractor

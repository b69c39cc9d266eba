"""Small models that run through every kernel; what they say is of no interest."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from production.explain.explanation import explain
from stages.featurize.attributes.extractor import AttributeExtractor
from stages.featurize.attributes.terminology import CATEGORIES, Terminology
from stages.featurize.attributes.tokens import SparseTokens, Surface
from stages.featurize.clusters import Clusters
from stages.featurize.collecting import collect_attributes
from stages.featurize.store import FeatureTable
from stages.train.extractor import Extractor, load_extractor
from stages.train.learning import fit, learn_extractor
from stages.train.params import TrainParams, load_params

DISEASES = ("chronic obstructive pulmonary disease", "gout", "rheumatoid arthritis", "asthma", "type 2 diabetes")
TREATMENTS = ("methotrexate", "tiotropium 18 mcg", "warfarin", "metformin", "allopurinol 100 mg")
_SENTENCES = (
    "Known {} , no {} . ( COPD ) -like cough .",
    "Start {} once daily ; {} was stopped .",
    "No fever .",
)
_NOTES = 20
ASKED = (
    "Walk.",
    "Known COPD, no asthma. Start tiotropium 18 mcg once daily.",
    "Chronic obstructive pulmonary disease (COPD) with gout; COPD-like cough, qxzwv.\n- metformin 500 mg\n",
    "ASTHMA AND GOUT. WARFARIN STOPPED. RHEUMATOID ARTHRITIS, NO FEVER, NO COUGH. START METHOTREXATE ONCE DAILY.",
    *("Gout.", "Asthma.", "Warfarin.", "Metformin.", "Known gout.", "Start warfarin once daily.", "No asthma."),
)
"""Without, with one and with many spans to judge: arrays of one row have other types than those of many."""


def learn_attributes_only() -> AttributeExtractor:
    """Learn attributes from the invented notes, and read them.

    The terminology and the clusters are invented, too: to read the one and to learn the other took 5 s.
    """
    contexts = [sentences for sentences, _ in invented_notes()]
    terminology = Terminology.of([(name, "disease") for name in DISEASES])
    clusters: Clusters = {word: ("c2=0", "t2=1") for name in TREATMENTS for word in name.split()}
    attributes = collect_attributes(contexts, clusters, terminology, named_documents=3)
    attributes.counts(contexts)
    return attributes


def learn_taggers() -> None:
    """Learn a chain and a span model from tokens that stand for the invented notes."""
    table = invented_features()
    params = small_train_params()
    for name in ("crf", "stacked"):
        tagger = fit(table, int(table.tokens.rows.max()) + 1, params.model_copy(update={"family": name}))
        tagger.tag(table.tokens)
        tagger.calibrated(table.tokens, table.spans)


def learn_and_ask(attributes: AttributeExtractor) -> None:
    """Save a model with these attributes, load it, ask and explain, as production does."""
    table, params = invented_features(), small_train_params()
    tokens = attributes.transform([sentence for sentences, _ in invented_notes() for sentence in sentences])
    table = FeatureTable(tokens, table.spans, table.documents)
    with tempfile.TemporaryDirectory(prefix="behealthy-compile-") as folder:
        learn_extractor(table, table, table, attributes, params).extractor.save(Path(folder))
        extractor: Extractor = load_extractor(Path(folder))
        extractor.extract_all(ASKED)
        explain(extractor, ASKED[1])


def small_train_params() -> TrainParams:
    """Return the project's parameters of training, for so little text."""
    params = load_params()
    crf = params.crf.model_copy(update={"runs": 1, "iterations": 3})
    span = params.span.model_copy(update={"folds": 2, "trees": 5})
    return params.model_copy(update={"family": "stacked", "crf": crf, "span": span})


def invented_notes() -> list[tuple[list[list[str]], list[list[tuple[int, int, str]]]]]:
    """Return the sentences of each note, and the spans of each sentence."""
    notes = []
    for number in range(_NOTES):
        sentences, spans = [], []
        for place, (pattern, names, label) in enumerate(
            zip(_SENTENCES, (DISEASES, TREATMENTS, ()), ("Disease", "Treatment", ""), strict=True)
        ):
            words: list[str] = []
            marked = []
            mentioned = iter([names[(number + place) % 5], names[(number + place + 2) % 5]] if names else [])
            for word in pattern.split():
                if word == "{}":
                    name = next(mentioned).split()
                    marked.append((len(words), len(words) + len(name), label))
                    words += name
                else:
                    words.append(word)
            sentences.append(words)
            spans.append(marked)
        notes.append((sentences, spans))
    return notes


def invented_features() -> FeatureTable:
    """Return the invented notes with one attribute a token: which word it is."""
    sentences = [sentence for note, _ in invented_notes() for sentence in note]
    spans = [marked for _, note in invented_notes() for marked in note]
    documents = [f"note {number}" for number, (note, _) in enumerate(invented_notes()) for _ in note]
    words = [word for sentence in sentences for word in sentence]
    numbers = {word: number for number, word in enumerate(dict.fromkeys(words))}
    rows = np.array([numbers[word] for word in words], dtype=np.int32)
    count = len(words)
    surface = Surface(
        words=rows.astype(np.uint64), stems=rows.astype(np.uint64),
        lengths=np.array(list(map(len, words)), dtype=np.int16), flags=np.zeros(count, dtype=np.int8),
        long_forms=np.zeros(count, dtype=np.int16), terms=np.zeros((count, len(CATEGORIES)), dtype=np.int8),
        contexts=np.repeat(np.arange(_NOTES, dtype=np.int32), len(_SENTENCES)),
    )  # fmt: skip
    starts = np.cumsum([0, *map(len, sentences)], dtype=np.int64)
    tokens = SparseTokens(np.arange(count + 1, dtype=np.int64), rows, starts, surface)
    return FeatureTable(tokens, spans, documents)

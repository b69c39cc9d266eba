"""What a small model, trained on the seed notes, can be relied on for; see `checklist.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

from stages.common.tags import spans_of
from stages.featurize.attributes.terminology import TERMINOLOGIES, Terminology
from stages.featurize.clusters import learn_clusters
from stages.featurize.collecting import collect_attributes
from stages.params import load_params
from stages.prepare.batches import load_batch
from stages.prepare.corpus import prepare
from stages.train.extractor import Extractor
from stages.train.taggers.chain.crf import CrfTagger
from tests.model.checklist import CAPABILITIES, Capability, Finder, Found, pass_rates

SEED = Path(__file__).parents[2] / "data/annotations/seed-notes"

THRESHOLDS = {
    "common diseases": 9 / 12,
    "common treatments": 11 / 12,
    "doses glued to units": 11 / 12,
    "negated diseases": 11 / 12,
    "simple notes": 12 / 16,
    "nothing to find": 5 / 6,
    "upper case": 12 / 16,
    "lower case": 13 / 16,
    "extra spaces": 1.0,  # white space makes no token: no margin
    "bullets": 13 / 16,
    "trailing punctuation removed": 14 / 16,
    "other doses": 9 / 10,
    "typos elsewhere": 12 / 14,
    "a sentence before": 14 / 16,
    "a disease more": 14 / 16,
    "a treatment more": 14 / 16,
    "a mention less": 14 / 16,
}
"""Pass rates measured on this small model, less a margin of one or two cases."""


@pytest.fixture(scope="session")
def find() -> Finder:
    """Train on the training split of the seed notes, with few clusters and two runs."""
    if not (SEED / "export/notes.jsonl").is_file():
        pytest.skip("the seed notes are not here: run make data")
    params = load_params()
    tables = prepare([load_batch(SEED)], params.prepare.model_copy(update={"batches": []}))
    documents = tables.documents.set_index("document")["split"]
    train = tables.tokens[tables.tokens["document"].map(documents) == "train"]
    contexts, gold = [], []
    for _, document in train.groupby("document", sort=False):
        sentences = [frame for _, frame in document.groupby("sentence")]
        contexts.append([sentence["text"].tolist() for sentence in sentences])
        gold += [spans_of(sentence["tag"].tolist()) for sentence in sentences]
    few = params.featurize.model_copy(update={"clusters": [64], "topic_clusters": [], "epochs": 5})
    terminology = Terminology.read(TERMINOLOGIES / "mesh.tsv")
    flat = [sentence for context in contexts for sentence in context]
    attributes = collect_attributes(contexts, learn_clusters(flat, few), terminology)
    short = params.train.model_copy(update={"crf": params.train.crf.model_copy(update={"runs": 2})})
    tagger = CrfTagger.fit(attributes.transform(flat), gold, n_rows=attributes.n_rows, params=short)
    extractor = Extractor(attributes, tagger)

    def found_in(text: str) -> list[Found]:
        return [(text[mention.start : mention.end], mention.label) for mention in extractor.extract(text).mentions]

    return found_in


@pytest.mark.parametrize("capability", CAPABILITIES, ids=lambda capability: capability.name.replace(" ", "-"))
def test_a_capability_holds(capability: Capability, find: Finder) -> None:
    failures = [(case.changed or case.text, got) for case, got in capability.failures(find)]
    assert capability.pass_rate(find) >= THRESHOLDS[capability.name], failures


def test_every_capability_has_a_threshold_that_can_fail() -> None:
    assert THRESHOLDS.keys() == {capability.name for capability in CAPABILITIES}
    assert all(0.5 < threshold <= 1 for threshold in THRESHOLDS.values())
    assert {capability.kind for capability in CAPABILITIES} == {"minimum functionality", "invariance", "directional"}
    assert all(len(capability.cases) >= 6 for capability in CAPABILITIES)


def _blind(text: str) -> list[Found]:
    return []


def _greedy(text: str) -> list[Found]:
    return [(word, "Disease") for word in text.split()]


@pytest.mark.parametrize("bad", [_blind, _greedy])
def test_an_extractor_that_finds_nothing_or_everything_fails(bad: Finder) -> None:
    """The list must tell a good extractor from one that cannot read."""
    rates = pass_rates(CAPABILITIES, bad)
    red = [name for of_kind in rates.values() for name, rate in of_kind.items() if rate < THRESHOLDS[name]]
    assert len(red) >= 6
    assert rates["minimum functionality"]["simple notes"] == 0
    assert rates["directional"]["a disease more"] == 0


def test_pass_rates_are_numbers_that_can_be_committed(find: Finder) -> None:
    rates = pass_rates(CAPABILITIES, find)
    assert sum(map(len, rates.values())) == len(CAPABILITIES)
    assert all(0 <= rate <= 1 for of_kind in rates.values() for rate in of_kind.values())

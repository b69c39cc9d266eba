"""A new family is one module and one line: every room works with it, and none of them asks for its class."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest

from annotation.queue.doubts import find_doubts
from production.explain.explanation import explain
from stages.evaluate.importance import top_attributes
from stages.featurize.attributes.extractor import AttributeExtractor
from stages.featurize.collecting import collect_attributes
from stages.featurize.store import FeatureTable
from stages.params import load_params
from stages.train.extractor import Extractor
from stages.train.learning import learn_extractor, learning_curve
from stages.train.params import TrainParams
from stages.train.taggers.tagger import FAMILIES

ROOT = Path(__file__).parents[2]
DISEASES, DRUGS = ("asthma", "gout", "eczema"), ("aspirin", "insulin", "colchicine")


@pytest.fixture
def params(monkeypatch: pytest.MonkeyPatch) -> TrainParams:
    monkeypatch.setitem(FAMILIES, "toy", "tests.toy_family:ToyTagger")
    return load_params(ROOT / "params.yaml").train.model_copy(update={"family": "toy"})


def learned(params: TrainParams) -> tuple[AttributeExtractor, FeatureTable, Extractor]:
    pairs = list(product(DISEASES, DRUGS)) * 36  # 162 documents, in runs of five: nothing is tested on less than thirty
    sentences = [f"Known {disease} , takes {drug} .".split() for disease, drug in pairs]
    spans = [[(1, 2, "Disease"), (4, 5, "Treatment")] for _ in pairs]
    attributes = collect_attributes([sentences], {})
    documents = [f"d{number // 2}" for number in range(len(pairs))]
    table = FeatureTable(attributes.transform(sentences), spans, documents)
    return attributes, table, learn_extractor(table, table, table, attributes, params).extractor


def test_it_is_learned_saved_loaded_and_accepts_what_is_sure(params: TrainParams, tmp_path: Path) -> None:
    attributes, table, extractor = learned(params)
    extractor.save(tmp_path)
    text = "Known gout, takes insulin."
    found = Extractor.load(tmp_path).extract(text)
    assert [(text[m.start : m.end], m.label) for m in found.mentions] == [("gout", "Disease"), ("insulin", "Treatment")]
    assert found == extractor.extract(text)
    assert found.accepted
    assert learning_curve(table, table, attributes.n_rows, params)["f1"].tolist() == [1.0] * 4


def test_it_is_explained_and_queued(params: TrainParams) -> None:
    attributes, _, extractor = learned(params)
    spans = explain(extractor, "Known gout, takes insulin.")
    assert [(span.start, span.label, span.span_model, span.chain) for span in spans] == [
        (6, "Disease", None, None),
        (18, "Treatment", None, None),
    ]
    assert top_attributes(extractor).empty
    doubts = find_doubts(extractor.tagger, attributes.transform(["Known gout , takes insulin .".split()]))
    assert doubts.taken.all()
    assert doubts.errors == pytest.approx([1 - spans[0].confidence] * 2)


def test_nobody_asks_for_the_class_of_a_tagger() -> None:
    probe = re.compile(r"(isinstance|getattr|hasattr)\([^)]*(tagger\b|\w*Tagger\b|TokenLogistic|TokenAutoml)")
    rooms = ("stages", "annotation", "delivery", "production", "benchmarks", "dashboard")
    files = [path for room in rooms for path in (ROOT / room).rglob("*.py")]
    assert not [str(path) for path in files if probe.search(path.read_text(encoding="utf-8"))]

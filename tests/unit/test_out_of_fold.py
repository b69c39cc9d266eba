"""What is said of a candidate comes from the other folds: a fold that knows itself promises too much."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from stages.common.tags import TokenSpan
from stages.featurize.attributes.tokens import SparseTokens
from stages.featurize.collecting import collect_attributes
from stages.params import load_params
from stages.train.params import TrainParams
from stages.train.taggers.chain.candidates import Candidates
from stages.train.taggers.chain.crf import CrfTagger
from stages.train.taggers.spans import out_of_fold
from stages.train.taggers.spans.evidence.evidence import NAMES
from stages.train.taggers.spans.out_of_fold import cross_scores, fold_of, propose_out_of_fold
from tests.repository import ROOT

FOLDS = 3
DISEASES = ["asthma", "gout", "acute gout", "heart failure", "migraine", "iritis"]
OPENINGS = ["Known", "No", "She has", "Treated for"]
PLANTED = "kuru"
"""A disease of one document only, where it stands often."""

Corpus = tuple[list[list[str]], list[list[TokenSpan]], list[str]]


def params() -> TrainParams:
    train = load_params(ROOT / "params.yaml").train
    crf = train.crf.model_copy(update={"runs": 1, "iterations": 4})
    return train.model_copy(update={"crf": crf, "span": train.span.model_copy(update={"folds": FOLDS, "trees": 30})})


def corpus() -> Corpus:
    sentences: list[list[str]] = []
    spans: list[list[TokenSpan]] = []
    documents: list[str] = []
    for number in range(24):
        diseases = [PLANTED] * 4 if number == 10 else DISEASES[number % 3 :: 2]
        for place, disease in enumerate(diseases):
            opening = OPENINGS[(number + place) % len(OPENINGS)].split()
            words = disease.split()
            sentences.append([*opening, *words, "today", "."])
            spans.append([(len(opening), len(opening) + len(words), "Disease")])
            documents.append(f"d{number}")
    return sentences, spans, documents


@pytest.fixture(scope="module")
def text() -> tuple[Corpus, SparseTokens, np.ndarray, int]:
    sentences, spans, documents = corpus()
    attributes = collect_attributes([sentences], {})
    folds = fold_of(documents, FOLDS)
    return (sentences, spans, documents), attributes.transform(sentences), folds, attributes.n_rows


def test_documents_are_dealt_to_folds_one_by_one_where_they_are_few() -> None:
    """Ten documents are too few for four runs to each of two folds; a document stays in one fold wherever it stands."""
    documents = [*"aabcccdefghij", "a"]
    assert fold_of(documents, 2).tolist() == [0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0]


def test_documents_are_dealt_to_folds_in_runs_where_they_are_many() -> None:
    """Twenty documents and two folds: four runs of two to each, and what is left goes on in turn."""
    assert fold_of([f"d{number}" for number in range(20)], 2).tolist() == [0, 0, 1, 1] * 5


def test_folds_of_no_documents_are_still_numbers_to_compare_with() -> None:
    assert fold_of([], FOLDS).dtype == np.int64


def column(table: np.ndarray, name: str) -> list[float]:
    return table[:, NAMES.index(name)].tolist()


def test_the_evidence_of_a_fold_counts_the_other_folds_only(text) -> None:
    (sentences, spans, _), tokens, folds, n_rows = text
    crf = CrfTagger.fit(tokens, spans, n_rows=n_rows, params=params())
    _, candidates, table = propose_out_of_fold(crf, tokens, spans, folds, n_rows, params())
    marked = Counter(
        (int(folds[s]), tuple(sentences[s][a:b]), label) for s, own in enumerate(spans) for a, b, label in own
    )
    found = {"planted": 0, "others": 0}
    starts = tokens.sentence_starts
    for (s, first, end, label), count in zip(
        candidates.spans.tolist(), column(table, "times seen with this label"), strict=True
    ):
        phrase = tuple(sentences[s][first - starts[s] : end - starts[s]])
        name = crf.tag_set.labels[label]
        elsewhere = sum(marked[fold, phrase, name] for fold in range(FOLDS) if fold != folds[s])
        assert count == elsewhere, phrase
        found["planted"] += phrase == (PLANTED,) and name == "Disease"
        found["others"] += elsewhere > 0
    assert found["planted"], "the planted mention was not even proposed: the example shows nothing"
    assert found["others"]


def test_the_chain_of_a_fold_has_not_read_it(text, monkeypatch: pytest.MonkeyPatch) -> None:
    (_, spans, _), tokens, folds, n_rows = text
    crf = CrfTagger.fit(tokens, spans, n_rows=n_rows, params=params())
    learned: list[int] = []
    fit = CrfTagger.fit

    def noted(part: SparseTokens, own: list[list[TokenSpan]], **more: object) -> CrfTagger:
        learned.append(part.sentences)
        assert len(own) == part.sentences
        return fit(part, own, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(CrfTagger, "fit", noted)
    propose_out_of_fold(crf, tokens, spans, folds, n_rows, params())
    assert learned == [int((folds != fold).sum()) for fold in range(FOLDS)]


def with_a_rare_label(spans: list[list[TokenSpan]], documents: list[str]) -> list[list[TokenSpan]]:
    """Mark openings as allergies in one document: the chain without its fold knows nothing of them."""
    return [[(0, 1, "Allergy"), *own] if name == "d10" else own for own, name in zip(spans, documents, strict=True)]


def test_candidates_are_those_of_each_sentence_under_the_chain_without_its_fold(text) -> None:
    """Against one sentence at a time: numbers, labels, posteriors, all at the temperature of the first fold."""
    (_, spans, documents), tokens, folds, n_rows = text
    spans = with_a_rare_label(spans, documents)
    crf = CrfTagger.fit(tokens, spans, n_rows=n_rows, params=params())
    calibrated, candidates, _ = propose_out_of_fold(crf, tokens, spans, folds, n_rows, params())
    rows: list[tuple[int, int, int, int, float]] = []
    outside = np.full(len(tokens), np.nan)
    temperature = None
    for fold in range(FOLDS):
        inside, held = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        own = [spans[s] for s in inside]
        labels = ("Allergy", "Disease")
        chain = CrfTagger.fit(tokens.take(inside), own, n_rows=n_rows, params=params(), labels=labels)
        if temperature is None:
            temperature = chain.calibrated(tokens.take(held), [spans[s] for s in held]).temperature
        for s in held.tolist():
            start, end = tokens.sentence_starts[[s, s + 1]].tolist()
            single = chain.at(temperature).candidates(tokens.take(np.array([s])))
            outside[start:end] = single.outside
            for (_, a, b, label), p in zip(single.spans.tolist(), single.posteriors.tolist(), strict=True):
                rows.append((s, start + a, start + b, label, p))
    rows.sort()
    assert temperature not in {None, 1.0}
    assert calibrated.temperature == temperature
    assert calibrated.weights is crf.weights
    assert candidates.spans.tolist() == [list(row[:4]) for row in rows]
    assert candidates.posteriors.tolist() == [row[4] for row in rows]
    assert candidates.outside.tolist() == outside.tolist()


def test_candidates_of_one_place_are_in_the_order_of_their_ends(text, monkeypatch: pytest.MonkeyPatch) -> None:
    """By sentence, first token, end and label, whatever order a chain lists them in."""
    (_, spans, _), tokens, folds, n_rows = text
    crf = CrfTagger.fit(tokens, spans, n_rows=n_rows, params=params())
    listed = [(1, 3, 0), (0, 2, 1), (0, 3, 0), (0, 1, 1), (0, 1, 0)]

    def candidates(self: CrfTagger, part: SparseTokens) -> Candidates:
        rows = [(s, start + a, start + b, n) for s, start in enumerate(part.sentence_starts[:-1]) for a, b, n in listed]
        posteriors = np.tile([0.1, 0.2, 0.3, 0.4, 0.5], part.sentences)
        return Candidates(np.array(rows, dtype=np.int32), posteriors, np.zeros(len(part)))

    monkeypatch.setattr(CrfTagger, "candidates", candidates)
    monkeypatch.setattr(out_of_fold, "gather_evidence", lambda listed, *_: np.zeros((len(listed.spans), len(NAMES))))
    _, merged, table = propose_out_of_fold(crf, tokens, spans, folds, n_rows, params())
    assert merged.spans.tolist() == [
        [s, start + a, start + b, label]
        for s, start in enumerate(tokens.sentence_starts[:-1].tolist())
        for a, b, label in sorted(listed)
    ]
    assert merged.posteriors.tolist() == [0.5, 0.4, 0.2, 0.3, 0.1] * tokens.sentences
    assert merged.spans.dtype == np.int32
    assert table.dtype == np.float32


def test_the_work_on_each_fold_is_announced(text, capsys: pytest.CaptureFixture[str]) -> None:
    (_, spans, _), tokens, folds, n_rows = text
    crf = CrfTagger.fit(tokens, spans, n_rows=n_rows, params=params())
    propose_out_of_fold(crf, tokens, spans, folds, n_rows, params())
    assert capsys.readouterr().err.splitlines() == [
        f"train: chain without fold {number} of {FOLDS}" for number in range(1, FOLDS + 1)
    ]


def test_scores_of_a_fold_come_from_trees_that_have_not_seen_it() -> None:
    generator = np.random.default_rng(1)
    table = generator.normal(size=(900, len(NAMES))).astype(np.float32)
    right = generator.random(900) < 0.5  # nothing in the table tells which: who knows has seen it
    odds = cross_scores(table, right, np.arange(900) % FOLDS, params())
    assert abs(roc_auc_score(right, odds) - 0.5) < 0.07


def test_scores_of_a_fold_learn_from_all_the_others() -> None:
    generator = np.random.default_rng(2)
    table = generator.normal(size=(900, len(NAMES))).astype(np.float32)
    right = table[:, 0] > 0
    odds = cross_scores(table, right, np.arange(900) % FOLDS, params())
    assert roc_auc_score(right, odds) > 0.95


def test_trees_score_the_fold_that_they_have_not_learned_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trees that say how often they saw each candidate: never, wherever they score."""
    asked: list[tuple[set[int], int]] = []

    class Memory:
        def __init__(self, seen: set[int]) -> None:
            self.seen = seen

        @classmethod
        def fit(cls, table: np.ndarray, right: np.ndarray, span: object, seed: int) -> Memory:
            assert len(table) == len(right)
            asked.append((set(table[:, 0].astype(int)), seed))
            return cls(asked[-1][0])

        def log_odds(self, table: np.ndarray) -> np.ndarray:
            return np.array([float(number in self.seen) for number in table[:, 0].astype(int)])

    monkeypatch.setattr(out_of_fold, "BoostedTrees", Memory)
    table, folds = np.arange(30, dtype=np.float32)[:, None], np.arange(30) % FOLDS
    odds = cross_scores(table, np.ones(30, dtype=bool), folds, params())
    assert odds.dtype == np.float64
    assert odds.tolist() == [0.0] * 30
    assert [seen for seen, _ in asked] == [set(np.flatnonzero(folds != fold).tolist()) for fold in range(FOLDS)]
    assert {seed for _, seed in asked} == {params().seed}

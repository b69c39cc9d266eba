"""The span model: candidates, evidence, trees, selection, and the tagger that they make."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.common.tags import TokenSpan
from stages.featurize.attributes.extractor import AttributeExtractor
from stages.featurize.attributes.tokens import SparseTokens
from stages.featurize.collecting import collect_attributes
from stages.params import Params, load_params
from stages.train.taggers.chain.candidates import Candidates
from stages.train.taggers.chain.crf import CrfTagger
from stages.train.taggers.spans import tree_kernels
from stages.train.taggers.spans.evidence.evidence import NAMES, gather_evidence
from stages.train.taggers.spans.key_kernels import pair_keys
from stages.train.taggers.spans.out_of_fold import fold_of
from stages.train.taggers.spans.stacked import StackedTagger
from stages.train.taggers.spans.statistics import SpanStatistics
from stages.train.taggers.spans.trees import BoostedTrees

ROOT = Path(__file__).parents[2]
DISEASES = ["asthma", "gout", "acute gout", "type 2 diabetes", "heart failure", "migraine"]
DRUGS = ["aspirin", "insulin", "oral insulin", "colchicine", "metformin", "warfarin"]
FRAMES = ["She has {} and takes {} .", "Known {} , now on {} .", "No {} ; stop {} today .", "For {} we gave {} ."]


def small() -> Params:
    params = load_params(ROOT / "params.yaml")
    crf = params.train.crf.model_copy(update={"runs": 2, "iterations": 4})
    span = params.train.span.model_copy(update={"folds": 3, "trees": 20})
    return params.model_copy(update={"train": params.train.model_copy(update={"crf": crf, "span": span})})


def corpus(repeats: int = 4) -> tuple[list[list[str]], list[list[TokenSpan]], list[str]]:
    sentences, spans, documents = [], [], []
    for number, (frame, disease, drug) in enumerate(itertools.product(FRAMES * repeats, DISEASES, DRUGS)):
        words, marked = [], []
        for part in frame.split():
            if part == "{}":
                label, phrase = ("Disease", disease) if not marked else ("Treatment", drug)
                marked.append((len(words), len(words) + len(phrase.split()), label))
                words += phrase.split()
            else:
                words.append(part)
        sentences.append(words)
        spans.append(marked)
        documents.append(f"d{number // 5}")
    return sentences, spans, documents


@pytest.fixture(scope="module")
def learned() -> tuple[AttributeExtractor, SparseTokens, list[list[TokenSpan]], StackedTagger]:
    sentences, spans, documents = corpus(1)
    attributes = collect_attributes([sentences], {})
    tokens = attributes.transform(sentences)
    tagger = StackedTagger.fit(tokens, spans, documents=documents, n_rows=attributes.n_rows, params=small().train)
    return attributes, tokens, spans, tagger


def test_it_learns_what_can_be_learned(learned) -> None:
    attributes, _, _, tagger = learned
    words = "Known heart failure , now on oral insulin .".split()
    assert tagger.spans(attributes.transform([words])) == [[(1, 3, "Disease"), (6, 8, "Treatment")]]


def test_confidence_is_a_probability_and_spans_do_not_overlap(learned) -> None:
    _, tokens, _, tagger = learned
    for sentence in tagger.tag(tokens):
        assert all(0 <= span.confidence <= 1 for span in sentence)
        assert all(a.end <= b.first for a, b in itertools.pairwise(sentence))


def test_saved_and_loaded_it_says_the_same(learned, tmp_path: Path) -> None:
    _, tokens, _, tagger = learned
    tagger.save(tmp_path)
    assert StackedTagger.load(tmp_path).tag(tokens) == tagger.tag(tokens)
    assert not [path for path in tmp_path.rglob("*.*") if path.suffix not in (".json", ".npy")]


def test_pruned_it_says_the_same(learned) -> None:
    attributes, _, _, tagger = learned
    keep = tagger.used_rows()
    sentences = corpus(1)[0]
    less = tagger.pruned(keep).tag(attributes.pruned(keep).transform(sentences))
    assert less == tagger.tag(attributes.transform(sentences))


def test_learning_twice_gives_the_same_bytes(learned, tmp_path: Path) -> None:
    attributes, tokens, spans, tagger = learned
    documents = corpus(1)[2]
    again = StackedTagger.fit(tokens, spans, documents=documents, n_rows=attributes.n_rows, params=small().train)
    for name, model in (("a", tagger), ("b", again)):
        model.save(tmp_path / name)
    one = sorted(path for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert one
    for path in one:
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes(), path.name


def test_out_of_fold_mentions_are_reported(learned) -> None:
    _, _, _, tagger = learned
    found = tagger.out_of_fold
    assert found is not None
    assert found.evidence.shape == (len(found.right), len(NAMES))
    assert found.right.mean() > 0.9


def test_no_text_at_all(learned) -> None:
    attributes, _, _, tagger = learned
    assert tagger.tag(attributes.transform([[]])) == [[]]


def test_candidates_are_all_spans_above_the_bar(learned) -> None:
    attributes, _, _, tagger = learned
    tokens = attributes.transform(["She has acute gout and takes colchicine .".split()])
    found = tagger.crf.candidates(tokens, least=1e-4)
    length, labels = len(tokens), tagger.crf.tag_set.labels
    every = [(a, b, label) for a in range(length) for b in range(a + 1, length + 1) for label in labels]
    p = tagger.crf.posteriors(tokens, [every], tagger.crf.temperature)
    expected = {(a, b, labels.index(label)): q for (a, b, label), q in zip(every, p, strict=True) if q >= 1e-4}
    assert {tuple(span[1:]) for span in found.spans.tolist()} == set(expected)
    got = [expected[tuple(span[1:])] for span in found.spans.tolist()]
    np.testing.assert_allclose(found.posteriors, got, rtol=1e-9)
    # The probability of being in no mention is what all spans over a token leave.
    for t in range(length):
        over = sum(q for (a, b, _), q in zip(every, p, strict=True) if a <= t < b)
        assert found.outside[t] == pytest.approx(1 - over, abs=1e-6)


@pytest.mark.parametrize(("family", "least"), [("stacked", 1e-9), ("chain", 0.02)])
def test_suggestions_are_likely_and_beside_the_mentions(learned, family: str, least: float) -> None:
    attributes, _, _, stacked = learned
    tagger = stacked if family == "stacked" else stacked.crf
    words = "She has acute unheard gout and unknown colchicine , no insulin or asthma .".split()
    tokens = attributes.transform([words, [], words[::-1]])
    mentions, suggestions = tagger.tag_and_suggest(tokens, least)
    assert mentions == tagger.tag(tokens)
    assert any(suggestions), "the example shows nothing"
    for found, possible in zip(mentions, suggestions, strict=True):
        assert all(span.confidence >= least for span in possible)
        covered = [t for span in (*found, *possible) for t in range(span.first, span.end)]
        assert len(covered) == len(set(covered))
    surest = max(span.confidence for sentence in suggestions for span in sentence)
    assert any(tagger.tag_and_suggest(tokens, surest)[1])
    assert not any(tagger.tag_and_suggest(tokens, np.nextafter(surest, 1))[1])


def column(table: np.ndarray, name: str) -> np.ndarray:
    return table[:, NAMES.index(name)]


def test_evidence_of_abbreviations_and_repetition(learned) -> None:
    attributes, _, _, tagger = learned
    tokens = attributes.transform(
        [
            "She has heart failure ( HF ) .".split(),
            "Known HF , now on aspirin .".split(),
            "No HF ; stop aspirin .".split(),
        ]
    )
    candidates = tagger.crf.candidates(tokens, least=1e-9)
    table = gather_evidence(candidates, tokens, tagger.statistics)
    spans = candidates.spans.tolist()
    disease = tagger.crf.tag_set.labels.index("Disease")
    later = [i for i, (s, a, b, label) in enumerate(spans) if s == 1 and (a, b) == (9, 10) and label == disease]
    long_form = [i for i, (s, a, b, label) in enumerate(spans) if (s, a, b, label) == (0, 2, 4, disease)]
    assert later and long_form
    assert column(table, "long form found exactly")[later[0]] == pytest.approx(candidates.posteriors[long_form[0]])
    assert column(table, "starts where the long form starts")[long_form[0]] == 1.0
    aspirin = [
        i for i, (s, a, b, _) in enumerate(spans) if s == 1 and tokens.sentence_starts[1] + 5 == a and b == a + 1
    ]
    assert all(column(table, "same phrase nearby, count")[aspirin] >= 1)


def test_nothing_is_nearby_in_another_context(learned) -> None:
    attributes, _, _, tagger = learned
    both = attributes.transform(["Known gout .".split(), "Known gout .".split()])
    assert both.surface is not None
    both.surface.contexts[1] = 1
    candidates = tagger.crf.candidates(both)
    table = gather_evidence(candidates, both, tagger.statistics)
    assert len(table) and not column(table, "same phrase nearby, count").any()


def test_statistics_count_by_hand() -> None:
    attributes = collect_attributes([[["a", "b", "b", "c"]]], {})
    tokens = attributes.transform([["a", "b", "b", "c"], ["b", "c"]])
    found = SpanStatistics.learn(tokens, [[(1, 2, "Disease")], []], ["Disease", "Treatment"])
    assert found.phrase_counts.tolist() == [[1, 0, 3]]
    surface = tokens.surface
    assert surface is not None
    of = {
        word: found.stem_counts[np.searchsorted(found.stem_keys, surface.stems[i])].tolist()
        for i, word in ((0, "a"), (1, "b"), (3, "c"))
    }
    assert of == {"a": [0, 0, 1, 0, 0, 1], "b": [1, 1, 0, 1, 1, 3], "c": [0, 0, 0, 0, 0, 2]}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(1, 4), st.integers(-5, 9)), max_size=8))
def test_selection_is_the_best_of_all(drawn: list[tuple[int, int, int]]) -> None:
    rows = sorted({(a, a + n): gain / 10 for a, n, gain in drawn}.items())
    spans = np.array([(0, a, b, 0) for (a, b), _ in rows], dtype=np.int32).reshape(-1, 4)
    gains = np.array([gain for _, gain in rows], dtype=np.float64)
    chosen = tree_kernels.select(spans, gains, np.array([0, len(spans)], dtype=np.int64))
    best = 0.0
    for size in range(len(rows) + 1):
        for subset in itertools.combinations(rows, size):
            if all(x[0][1] <= y[0][0] for x, y in itertools.pairwise(subset)):
                best = max(best, sum(gain for _, gain in subset))
    picked = [rows[i] for i in np.flatnonzero(chosen)]
    assert all(x[0][1] <= y[0][0] for x, y in itertools.pairwise(picked))
    assert sum(gain for _, gain in picked) == pytest.approx(best)


def test_the_trees_score_as_lightgbm_does() -> None:
    import lightgbm

    generator = np.random.default_rng(1)
    table = generator.normal(size=(500, 6)).astype(np.float32)
    right = table[:, 0] * table[:, 1] + generator.normal(size=500) > 0
    booster = lightgbm.train(
        {"objective": "binary", "verbosity": -1, "num_threads": 1}, lightgbm.Dataset(table, right.astype(int)), 30
    )
    trees = BoostedTrees.of(booster)
    np.testing.assert_allclose(trees.log_odds(table), booster.predict(table, raw_score=True), rtol=1e-9)
    shares = trees.contributions(table[0])
    assert shares.sum() == pytest.approx(trees.log_odds(table[:1])[0])


def test_the_trees_are_those_that_lightgbm_dumps() -> None:
    import lightgbm

    generator = np.random.default_rng(2)
    table = generator.normal(size=(300, 6)).astype(np.float32)
    table[generator.random(table.shape) < 0.3] = 0
    settings = {"objective": "binary", "verbosity": -1, "num_threads": 1, "num_leaves": 15}
    booster = lightgbm.train(settings, lightgbm.Dataset(table, (table[:, 0] > 0).astype(int)), 20)
    trees = BoostedTrees.of(booster)

    def follow(node: int, dumped: dict) -> None:
        if "leaf_value" in dumped:
            assert (trees.features[node], trees.values[node]) == (-1, dumped["leaf_value"])
            return
        assert trees.features[node] == dumped["split_feature"]
        assert trees.thresholds[node] == dumped["threshold"]
        assert trees.values[node] == pytest.approx(dumped["internal_value"], rel=1e-12)
        follow(trees.lefts[node], dumped["left_child"])
        follow(trees.rights[node], dumped["right_child"])

    for root, dumped in zip(trees.roots, booster.dump_model()["tree_info"], strict=True):
        follow(root, dumped["tree_structure"])


def test_a_tree_may_be_a_single_leaf() -> None:
    import lightgbm

    table = np.zeros((4, 2), dtype=np.float32)  # nothing to split
    booster = lightgbm.train({"objective": "binary", "verbosity": -1}, lightgbm.Dataset(table, [0, 1, 1, 1]), 1)
    trees = BoostedTrees.of(booster)
    assert trees.features.tolist() == [-1]
    np.testing.assert_allclose(trees.log_odds(table), booster.predict(table, raw_score=True))


def test_neighbours_share_a_fold() -> None:
    documents = [f"d{i // 3}" for i in range(300)]
    folds = fold_of(documents, 5)
    assert set(folds.tolist()) == {0, 1, 2, 3, 4}
    assert all(len({folds[i], folds[i + 1], folds[i + 2]}) == 1 for i in range(0, 300, 3))
    assert (folds[1:] != folds[:-1]).sum() < 25, "documents are dealt out in runs"
    assert np.bincount(folds).max() <= 1.5 * np.bincount(folds).min()


def test_a_chain_does_not_need_the_documents() -> None:
    sentences, spans, _ = corpus(1)
    attributes = collect_attributes([sentences], {})
    tagger = CrfTagger.fit(attributes.transform(sentences), spans, n_rows=attributes.n_rows, params=small().train)
    with pytest.raises(ValueError, match="surface"):
        bare = SparseTokens(
            *(getattr(attributes.transform(sentences), n) for n in ("starts", "rows", "sentence_starts"))
        )
        SpanStatistics.learn(bare, spans, tagger.tag_set.labels)


def test_pairs_and_labels_are_counted_by_hand() -> None:
    attributes = collect_attributes([[["a", "b", "c"]]], {})
    tokens = attributes.transform([["a", "b", "c"], ["b", "c"]])
    spans: list[list[TokenSpan]] = [[(1, 3, "Disease")], [(0, 1, "Treatment")]]
    found = SpanStatistics.learn(tokens, spans, ["Disease", "Treatment"])
    surface = tokens.surface
    assert surface is not None
    pairs = pair_keys(surface.stems, tokens.sentence_starts)
    counts = found.pair_counts[np.searchsorted(found.pair_keys, pairs)]
    # Starts, ends, both in one mention, together at all, last two of a Disease, of a Treatment.
    border_a, a_b, b_c, c_border = ([0, 0, 0, 1, 0, 0], [1, 0, 0, 1, 0, 0], [0, 1, 1, 2, 1, 0], [0, 1, 0, 2, 0, 0])
    border_b = [1, 0, 0, 1, 0, 0]
    assert counts.tolist() == [border_a, a_b, b_c, c_border, border_b, b_c, c_border]
    b, c = (np.searchsorted(found.stem_keys, surface.stems[i]) for i in (1, 2))
    assert found.label_counts[b].tolist() == [[1, 0, 1], [1, 1, 1]]
    assert found.label_counts[c].tolist() == [[0, 1, 1], [0, 0, 0]]


def test_evidence_of_the_edges(learned) -> None:
    attributes, _, _, tagger = learned
    tokens = attributes.transform(["Known acute gout , now on unheard insulin .".split()])
    labels = tagger.crf.tag_set.labels
    disease, treatment = labels.index("Disease"), labels.index("Treatment")
    every = [(0, 1, 3, disease), (0, 2, 3, disease), (0, 6, 8, treatment), (0, 7, 8, treatment)]
    candidates = Candidates(np.array(every, dtype=np.int32), np.full(4, 0.5), np.full(len(tokens), 0.5))
    found = gather_evidence(candidates, tokens, tagger.statistics)
    sentences, marked, _ = corpus(1)
    phrases = [words[a:b] for words, own in zip(sentences, marked, strict=True) for a, b, _ in own]
    acute, alone = phrases.count(["acute", "gout"]), phrases.count(["gout"])
    assert column(found, "last two words, mentions of this label").tolist() == [acute, -1, 0, -1]
    assert column(found, "without the first word, times with this label").tolist()[:2] == [alone, 0]
    assert column(found, "with the word before, times with this label").tolist()[:2] == [0, acute]
    assert column(found, "last word, mentions of this label").tolist()[:2] == [acute + alone] * 2
    assert column(found, "unknown words").tolist() == [0, 0, 1, 0]
    within = column(found, "words at the left edge in one mention")
    assert within[1] > 0.9 and within[0] == 0

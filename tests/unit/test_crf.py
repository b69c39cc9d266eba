"""The CRF: legal sequences, exact probabilities, the same bytes every time, and it learns."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.common.checked import ModelError
from stages.common.scoring import Counts, strict_counts
from stages.common.tags import TokenSpan, spans_of, to_bioes
from stages.featurize.attributes.tokens import SparseTokens
from stages.params import load_params
from stages.train.params import TrainParams
from stages.train.taggers.chain import crf, learning_kernels
from stages.train.taggers.chain.crf import CrfTagger, TagSet
from stages.train.taggers.tagger import Tagger, family
from tests.reference.chain import all_weights

LABELS = ("Disease", "Treatment")
TAG_SET = TagSet(LABELS)
REAL = load_params().train


def params(**crf_values: float) -> TrainParams:
    return REAL.model_copy(update={"crf": REAL.crf.model_copy(update={"runs": 2, "iterations": 5, **crf_values})})


def sparse(rows: Sequence[Sequence[Sequence[int]]]) -> SparseTokens:
    """Make tokens of the attribute rows of each token of each sentence."""
    flat = [token for sentence in rows for token in sentence]
    return SparseTokens(
        np.concatenate([[0], np.cumsum([len(token) for token in flat], dtype=np.int64)]).astype(np.int64),
        np.array([row for token in flat for row in token], dtype=np.int32),
        np.concatenate([[0], np.cumsum([len(sentence) for sentence in rows], dtype=np.int64)]).astype(np.int64),
    )


def random_tagger(seed: int, n_rows: int = 6, scale: float = 2.0) -> CrfTagger:
    generator = np.random.default_rng(seed)
    tags = len(TAG_SET.tags)
    weights = generator.normal(scale=scale, size=(n_rows, tags)).astype(np.float32)
    return CrfTagger(TAG_SET, weights, generator.normal(scale=scale, size=(tags, tags)).astype(np.float32))


token_rows = st.lists(st.integers(0, 5), max_size=4)
texts = st.lists(st.lists(token_rows, max_size=5), max_size=4)
seeds = st.integers(0, 2**32 - 1)


def legal(tags: Sequence[str]) -> bool:
    """Tell whether BIOES tags encode something: written apart from `TagSet`."""
    return list(tags) == to_bioes(len(tags), spans_of(tags)) if tags else True


# --- tags ---------------------------------------------------------------------------------------


def test_tags_of_a_tag_set() -> None:
    assert TagSet(("X",)).tags == ("O", "B-X", "I-X", "E-X", "S-X")
    assert [TAG_SET.tags[number] for number in TAG_SET.of_span("Treatment")] == [
        "S-Treatment",
        "B-Treatment",
        "I-Treatment",
        "E-Treatment",
    ]
    assert TagSet(()).tags == ("O",)


def test_exactly_the_legal_sequences_are_possible() -> None:
    """All sequences of three tags, against their encoding."""
    illegal, (first, last) = TAG_SET.illegal(), TAG_SET.ends()
    for numbers in itertools.product(range(len(TAG_SET.tags)), repeat=3):
        score = first[numbers[0]] + last[numbers[-1]] + sum(illegal[a, b] for a, b in itertools.pairwise(numbers))
        assert (score == 0) == legal([TAG_SET.tags[number] for number in numbers])


# --- decoding -------------------------------------------------------------------------------------


def score_of(tagger: CrfTagger, rows: Sequence[Sequence[int]], tags: Sequence[str]) -> float:
    numbers = [tagger.tag_set.tags.index(tag) for tag in tags]
    emitted = sum(float(tagger.weights[row, tag]) for token, tag in zip(rows, numbers, strict=True) for row in token)
    return emitted + sum(float(tagger.transitions[a, b]) for a, b in itertools.pairwise(numbers))


def all_sequences(length: int) -> list[tuple[str, ...]]:
    return [tags for tags in itertools.product(TAG_SET.tags, repeat=length) if legal(tags)]


@given(seeds, st.lists(token_rows, min_size=1, max_size=3))
@settings(max_examples=40, deadline=None)
def test_the_best_sequence_is_found(seed: int, rows: list[list[int]]) -> None:
    tagger = random_tagger(seed)
    (found,) = tagger.spans(sparse([rows]))
    best = max(score_of(tagger, rows, tags) for tags in all_sequences(len(rows)))
    assert score_of(tagger, rows, to_bioes(len(rows), found)) == pytest.approx(best, abs=1e-3)


@given(seeds, texts, st.sampled_from([0.1, 2.0, 30.0]))
@settings(max_examples=60, deadline=None)
def test_spans_are_in_order_and_do_not_overlap(seed: int, rows: list[list[list[int]]], scale: float) -> None:
    found = random_tagger(seed, scale=scale).spans(sparse(rows))
    assert len(found) == len(rows)
    for sentence, spans in zip(rows, found, strict=True):
        place = 0
        for first, end, label in spans:
            assert place <= first < end <= len(sentence)
            assert label in LABELS
            place = end


@given(seeds, texts)
@settings(max_examples=40, deadline=None)
def test_raw_tags_are_legal(seed: int, rows: list[list[list[int]]]) -> None:
    from stages.train.taggers.chain import kernels

    tagger, tokens = random_tagger(seed, scale=20), sparse(rows)
    best = kernels.decode(*tagger.inputs(tokens), *tagger.scores)
    for first, end in itertools.pairwise(tokens.sentence_starts.tolist()):
        assert legal([TAG_SET.tags[number] for number in best[first:end]])


@given(seeds, texts)
@settings(max_examples=40, deadline=None)
def test_a_sentence_is_tagged_the_same_alone(seed: int, rows: list[list[list[int]]]) -> None:
    tagger = random_tagger(seed)
    together = tagger.tag(sparse(rows))
    for sentence, spans in zip(rows, together, strict=True):
        (alone,) = tagger.tag(sparse([sentence]))
        assert [span[:3] for span in alone] == [span[:3] for span in spans]
        assert [span.confidence for span in alone] == pytest.approx([span.confidence for span in spans])


# --- probabilities --------------------------------------------------------------------------------


def spans_in(length: int) -> list[TokenSpan]:
    return [(a, b, label) for a in range(length) for b in range(a + 1, length + 1) for label in LABELS]


@given(seeds, st.lists(token_rows, min_size=1, max_size=3), st.sampled_from([0.5, 1.0, 4.0]))
@settings(max_examples=25, deadline=None)
def test_posteriors_are_those_of_all_sequences(seed: int, rows: list[list[int]], temperature: float) -> None:
    """Against the sum over every legal sequence."""
    tagger, spans = random_tagger(seed), spans_in(len(rows))
    got = tagger.posteriors(sparse([rows]), [spans], temperature)
    mass = {tags: math.exp(score_of(tagger, rows, tags) / temperature) for tags in all_sequences(len(rows))}
    total = sum(mass.values())
    expected = [sum(p for tags, p in mass.items() if span in spans_of(tags)) / total for span in spans]
    np.testing.assert_allclose(got, expected, atol=1e-4)


@given(seeds, texts, st.sampled_from([0.05, 0.3, 1.0, 50.0]), st.sampled_from([0.1, 1.0, 5.0]))
@settings(max_examples=60, deadline=None)
def test_posteriors_are_probabilities(seed: int, rows: list[list[list[int]]], temperature: float, scale: float) -> None:
    tagger = random_tagger(seed, scale=scale)
    got = tagger.posteriors(sparse(rows), [spans_in(len(sentence)) for sentence in rows], temperature)
    assert len(got) == sum(len(spans_in(len(sentence))) for sentence in rows)
    assert np.isfinite(got).all()
    assert ((got >= 0) & (got <= 1)).all()


@given(seeds, st.lists(token_rows, min_size=1, max_size=5), st.integers(0, 4))
@settings(max_examples=40, deadline=None)
def test_what_excludes_each_other_sums_to_at_most_one(seed: int, rows: list[list[int]], place: int) -> None:
    """Spans over one token exclude each other."""
    place = min(place, len(rows) - 1)
    over = [span for span in spans_in(len(rows)) if span[0] <= place < span[1]]
    assert random_tagger(seed).posteriors(sparse([rows]), [over], 1.0).sum() <= 1 + 1e-6


def test_posteriors_stand_extreme_scores() -> None:
    weights = np.zeros((1, len(TAG_SET.tags)), dtype=np.float32)
    weights[0, TAG_SET.tags.index("I-Disease")] = 60
    tagger = CrfTagger(TAG_SET, weights, np.zeros((len(TAG_SET.tags),) * 2, dtype=np.float32))
    got = tagger.posteriors(sparse([[[0]]]), [[(0, 1, "Disease")]], 0.05)
    assert got == pytest.approx(1 / 3)


def test_temperature_changes_confidence_and_not_spans() -> None:
    rows = [[[0, 1], [2], [3, 4], [5]], [[1], [2, 3]]]
    for seed in range(20):
        tagger = random_tagger(seed)
        cold, warm = replace(tagger, temperature=0.2), replace(tagger, temperature=5.0)
        tokens = sparse(rows)
        assert cold.spans(tokens) == warm.spans(tokens)
        confident = [span.confidence for sentence in cold.tag(tokens) for span in sentence]
        doubtful = [span.confidence for sentence in warm.tag(tokens) for span in sentence]
        assert confident != doubtful or not confident


# --- learning -------------------------------------------------------------------------------------


def separable(sentences: int, seed: int) -> tuple[SparseTokens, list[list[TokenSpan]]]:
    """Make a text whose attributes say everything: row 0 bias, then one row per tag, then noise."""
    generator = np.random.default_rng(seed)
    rows, gold = [], []
    for _ in range(sentences):
        spans: list[TokenSpan] = []
        length = 0
        for _ in range(generator.integers(0, 4)):
            first = length + int(generator.integers(0, 3))
            length = first + int(generator.integers(1, 4))
            spans.append((first, length, LABELS[generator.integers(2)]))
        tags = to_bioes(length + 1, spans)
        rows.append([[0, 1 + TAG_SET.tags.index(tag), 10 + int(generator.integers(20))] for tag in tags])
        gold.append(spans)
    return sparse(rows), gold


N_ROWS = 30


@pytest.fixture(scope="module")
def learned() -> CrfTagger:
    return CrfTagger.fit(*separable(200, 1), n_rows=N_ROWS, params=params())


def test_what_can_be_told_apart_is_learned(learned: CrfTagger) -> None:
    tokens, gold = separable(100, 2)
    counts = sum((strict_counts(*pair) for pair in zip(gold, learned.spans(tokens), strict=True)), Counts())
    assert counts.f1 == 1.0
    assert counts.tp > 100


def test_the_family_is_registered() -> None:
    tagger: type[Tagger] = family("crf")
    assert tagger is CrfTagger
    with pytest.raises(KeyError):
        family("other")


def same(left: CrfTagger, right: CrfTagger) -> bool:
    return (
        left.weights.tobytes() == right.weights.tobytes() and left.transitions.tobytes() == right.transitions.tobytes()
    )


def test_learning_twice_gives_the_same_bytes(learned: CrfTagger) -> None:
    assert same(CrfTagger.fit(*separable(200, 1), n_rows=N_ROWS, params=params()), learned)


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_do_not_change_the_bytes(learned: CrfTagger, monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    monkeypatch.setattr(crf, "ThreadPoolExecutor", lambda max_workers: ThreadPoolExecutor(threads))
    assert same(CrfTagger.fit(*separable(200, 1), n_rows=N_ROWS, params=params()), learned)


def test_another_seed_is_another_order(learned: CrfTagger) -> None:
    other = params().model_copy(update={"seed": 2})
    assert not same(CrfTagger.fit(*separable(200, 1), n_rows=N_ROWS, params=other), learned)


def test_the_model_is_the_average_of_its_runs() -> None:
    tokens, gold = separable(50, 1)
    one = CrfTagger.fit(tokens, gold, n_rows=N_ROWS, params=params(runs=1))
    both = CrfTagger.fit(tokens, gold, n_rows=N_ROWS, params=params(runs=2))
    text = learning_kernels.text_of(tokens, crf._encode(tokens, gold, TAG_SET), N_ROWS)
    second = all_weights(crf._learn_once(text, TAG_SET, params().crf, (REAL.seed, 1)), N_ROWS)
    np.testing.assert_allclose(both.weights, (one.weights + second) / 2, atol=1e-5)


def test_no_update_is_larger_than_the_bound() -> None:
    tokens, gold = separable(1, 6)
    assert any(gold)
    for bound in (0.01, 0.1):
        tagger = CrfTagger.fit(tokens, gold, n_rows=N_ROWS, params=params(runs=1, iterations=1, aggressiveness=bound))
        most = max(np.bincount(tokens.rows))
        assert np.abs(tagger.weights).max() <= bound * most + 1e-6


def test_attributes_that_never_occur_have_no_weight() -> None:
    tokens, gold = separable(50, 1)
    tagger = CrfTagger.fit(tokens, gold, n_rows=N_ROWS + 5, params=params())
    assert not tagger.used_rows()[N_ROWS:].any()
    assert tagger.used_rows()[: 1 + len(TAG_SET.tags)].any()


def test_empty_sentences_are_learned_and_tagged(learned: CrfTagger) -> None:
    tokens = sparse([[], [[0, 1]], []])
    assert len(learned.spans(tokens)) == 3
    CrfTagger.fit(tokens, [[], [(0, 1, "Disease")], []], n_rows=N_ROWS, params=params())
    assert learned.spans(sparse([])) == []
    assert learned.tag(sparse([[]])) == [[]]


def test_a_text_without_mentions_is_learned() -> None:
    tagger = CrfTagger.fit(sparse([[[0], [1]]]), [[]], n_rows=N_ROWS, params=params())
    assert tagger.tag(sparse([[[0], [1]]])) == [[]]
    assert tagger.calibrated(sparse([[[0]]]), [[]]).temperature == 1.0


# --- calibration, pruning, saving -----------------------------------------------------------------


def noisy(seed: int) -> tuple[SparseTokens, list[list[TokenSpan]]]:
    """A text in which a third of the mentions is not annotated."""
    tokens, gold = separable(150, seed)
    generator = np.random.default_rng(seed)
    return tokens, [[span for span in sentence if generator.random() > 1 / 3] for sentence in gold]


def test_calibrated_confidence_is_closer_to_the_truth(learned: CrfTagger) -> None:
    tokens, gold = noisy(3)

    def loss(tagger: CrfTagger) -> float:
        tagged = tagger.tag(tokens)
        pairs = [(span.confidence, span[:3] in truth) for s, truth in zip(tagged, gold, strict=True) for span in s]
        p, right = np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs])
        p = np.clip(p, 1e-6, 1 - 1e-6)
        return float(-np.mean(np.where(right, np.log(p), np.log1p(-p))))

    cold = replace(learned, temperature=0.06)
    fitted = cold.calibrated(tokens, gold)
    assert loss(fitted) < loss(cold)
    assert fitted.spans(tokens) == learned.spans(tokens)
    assert learned.like(fitted).temperature == fitted.temperature
    assert learned.like(fitted).weights is learned.weights


def test_a_saved_tagger_gives_the_same_tags_and_confidence(learned: CrfTagger, tmp_path: Path) -> None:
    tokens, gold = noisy(4)
    tagger = learned.calibrated(tokens, gold)
    tagger.save(tmp_path)
    loaded = CrfTagger.load(tmp_path)
    assert loaded.tag(tokens) == tagger.tag(tokens)
    assert loaded.tag_set == tagger.tag_set
    assert loaded.temperature == tagger.temperature
    assert same(loaded, tagger)


def test_saving_twice_gives_the_same_bytes(learned: CrfTagger, tmp_path: Path) -> None:
    learned.save(tmp_path / "one")
    learned.save(tmp_path / "two")
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == ["tagger.json", "transitions.npy", "weights.npy"]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_pickle_in_the_place_of_the_weights_is_not_opened(learned: CrfTagger, tmp_path: Path) -> None:
    learned.save(tmp_path)
    np.save(tmp_path / "weights.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ModelError, match=r"weights\.npy is no whole array of numbers"):
        CrfTagger.load(tmp_path)


def test_pruning_what_is_not_used_changes_nothing(learned: CrfTagger) -> None:
    keep = learned.used_rows()
    keep[25:] = False
    tokens, _ = separable(50, 5)
    renumbered = np.cumsum(keep) - 1
    kept = keep[tokens.rows]
    starts = np.concatenate([[0], np.cumsum(kept)])[tokens.starts]
    smaller = SparseTokens(starts, renumbered[tokens.rows[kept]].astype(np.int32), tokens.sentence_starts)
    zeroed = replace(learned, weights=np.where(keep[:, None], learned.weights, 0).astype(np.float32))
    assert learned.pruned(keep).spans(smaller) == zeroed.spans(tokens)
    assert len(learned.pruned(keep).weights) == keep.sum()

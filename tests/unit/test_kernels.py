"""The compiled loops of the CRF against the plainest implementations of the same definitions."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.plain import score_of, viterbi
from stages.common.tags import spans_of, to_bioes
from stages.featurize.attributes.tokens import SparseTokens
from stages.train.taggers.chain import learning_kernels
from stages.train.taggers.chain.crf import CrfTagger, TagSet
from tests.reference.chain import all_weights, learned_plainly, legal_paths

QUICK = settings(max_examples=60, deadline=None)
LABELS = ("Disease", "Treatment")
ATTRIBUTES = 12


class Case(NamedTuple):
    tagger: CrfTagger
    tokens: SparseTokens

    def around(self) -> tuple[NDArray[np.float64], ...]:
        """Transitions, start and end scores as the definition has them."""
        start, end = self.tagger.tag_set.ends()
        transitions = self.tagger.transitions + self.tagger.tag_set.illegal()
        return transitions.astype(np.float64), start.astype(np.float64), end.astype(np.float64)

    def emissions(self) -> list[NDArray[np.float64]]:
        """Sum the weights of each token's attributes, sentence by sentence."""
        weights = self.tagger.weights.astype(np.float64)
        starts, rows, bounds = self.tokens.starts, self.tokens.rows, self.tokens.sentence_starts
        sums = [weights[rows[a:b]].sum(axis=0) for a, b in pairwise(starts)]
        shape = (-1, weights.shape[1])
        return [np.array(sums[a:b]).reshape(shape) for a, b in pairwise(bounds)]


@st.composite
def cases(draw: st.DrawFn, longest: int, sentences: int) -> Case:
    """Random weights and sentences; a sentence may be empty, a token without attributes."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    labels = LABELS[: draw(st.integers(1, 2))]
    n_tags = len(TagSet(labels).tags)
    lengths = draw(st.lists(st.integers(0, longest), min_size=1, max_size=sentences))
    counts = generator.integers(0, 6, size=sum(lengths))
    tokens = SparseTokens(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        generator.integers(0, ATTRIBUTES, size=counts.sum()).astype(np.int32),
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
    )
    weights = generator.normal(size=(ATTRIBUTES, n_tags)).astype(np.float32)
    transitions = generator.normal(size=(n_tags, n_tags)).astype(np.float32)
    return Case(CrfTagger(TagSet(labels), weights, transitions, float(generator.uniform(0.5, 5))), tokens)


@QUICK
@given(cases(longest=25, sentences=6))
def test_the_compiled_decoder_answers_as_the_plain_one(case: Case) -> None:
    """The same spans, unless both paths score the same but for the rounding of 32-bit sums."""
    tags = case.tagger.tag_set.tags
    for scores, found in zip(case.emissions(), case.tagger.spans(case.tokens), strict=True):
        plain = viterbi(scores, *case.around()) if len(scores) else []
        if found != spans_of([tags[y] for y in plain]):
            path = [tags.index(tag) for tag in to_bioes(len(scores), found)]
            assert abs(score_of(path, scores, *case.around()) - score_of(plain, scores, *case.around())) < 1e-4


@QUICK
@given(cases(longest=4, sentences=2))
def test_the_decoder_finds_the_best_of_all_legal_sequences(case: Case) -> None:
    tag_set = case.tagger.tag_set
    for scores, found in zip(case.emissions(), case.tagger.spans(case.tokens), strict=True):
        if not len(scores):
            assert found == []
            continue
        path = [tag_set.tags.index(tag) for tag in to_bioes(len(scores), found)]
        best = max(score_of(other, scores, *case.around()) for other in legal_paths(tag_set, len(scores)))
        assert abs(score_of(path, scores, *case.around()) - best) < 1e-3


@QUICK
@given(cases(longest=4, sentences=2))
def test_posteriors_are_those_of_enumeration(case: Case) -> None:
    """Every possible span, not only the best ones."""
    tag_set, temperature = case.tagger.tag_set, case.tagger.temperature
    spans, expected = [], []
    for scores in case.emissions():
        length = len(scores)
        possible = [(a, b, name) for a in range(length) for b in range(a + 1, length + 1) for name in tag_set.labels]
        spans.append(possible)
        if not length:
            continue
        paths = legal_paths(tag_set, length)
        values = np.array([score_of(path, scores, *case.around()) for path in paths]) / temperature
        share = np.exp(values - values.max())
        share /= share.sum()
        inside = [set(spans_of([tag_set.tags[y] for y in path])) for path in paths]
        expected += [sum(p for p, held in zip(share, inside, strict=True) if span in held) for span in possible]
    found = case.tagger.posteriors(case.tokens, spans, temperature)
    assert np.allclose(found, expected, atol=1e-5)


@QUICK
@given(cases(longest=40, sentences=3))
def test_confidence_is_a_probability_of_each_mention(case: Case) -> None:
    tagged = case.tagger.tag(case.tokens)
    assert [[span[:3] for span in spans] for spans in tagged] == case.tagger.spans(case.tokens)
    assert all(0 < span.confidence <= 1 for spans in tagged for span in spans)


@QUICK
@given(cases(longest=5, sentences=5), st.integers(0, 99), st.sampled_from([0.05, 1.0]))
def test_the_learner_gives_the_bytes_of_the_plain_one(case: Case, seed: int, bound: float) -> None:
    """Some attributes come into use late, or never, or stand at a token twice."""
    tokens, tag_set = case.tokens, case.tagger.tag_set
    generator = np.random.default_rng(seed)
    possible = [(i, i + 1 + i % 4 // 2, tag_set.labels[i % len(tag_set.labels)]) for i in range(0, 5, 2)]
    tags = [
        tag_set.tags.index(tag)
        for length in np.diff(tokens.sentence_starts)
        for tag in to_bioes(length, [span for span in possible if span[1] <= length and generator.random() < 0.5])
    ]
    gold = np.array(tags, dtype=np.int8)
    orders = [generator.permutation(tokens.sentences).tolist() for _ in range(3)]
    plain = learned_plainly(tokens, gold, orders, tag_set, bound, ATTRIBUTES)
    text = learning_kernels.text_of(tokens, gold, ATTRIBUTES)
    run = learning_kernels.learn(text, np.array(orders, dtype=np.int32), tag_set.illegal(), *tag_set.ends(), bound)
    found = all_weights(run, ATTRIBUTES), run.transitions
    assert [ours.tobytes() for ours in found] == [theirs.tobytes() for theirs in plain]


@QUICK
@given(st.lists(st.integers(0, ATTRIBUTES - 1), max_size=40))
def test_the_places_of_an_attribute_are_where_it_stands(rows: list[int]) -> None:
    starts, places = learning_kernels.places_of(np.array(rows, dtype=np.int32), ATTRIBUTES)
    found = [places[a:b].tolist() for a, b in pairwise(starts)]
    assert found == [[k for k, row in enumerate(rows) if row == attribute] for attribute in range(ATTRIBUTES)]


def test_the_learner_separates_what_can_be_separated() -> None:
    """Each token's only attribute tells its tag, so that passes over the text must end without a mistake."""
    tag_set = TagSet(LABELS)
    gold = [[(0, 1, "Disease"), (2, 5, "Treatment")], [], [(1, 3, "Disease")]]
    tags = [tag for spans in gold for tag in to_bioes(6, spans)]
    rows = np.array([tag_set.tags.index(tag) for tag in tags], dtype=np.int32)
    tokens = SparseTokens(np.arange(19, dtype=np.int64), rows, np.array([0, 6, 12, 18], dtype=np.int64))
    text = learning_kernels.text_of(tokens, rows.astype(np.int8), len(tag_set.tags))
    orders = np.tile(np.arange(3, dtype=np.int32), (10, 1))
    run = learning_kernels.learn(text, orders, tag_set.illegal(), *tag_set.ends(), 1.0)
    tagger = CrfTagger(tag_set, all_weights(run, len(tag_set.tags)), run.transitions)
    assert tagger.spans(tokens) == gold

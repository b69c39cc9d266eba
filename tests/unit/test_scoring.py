"""Scores against seqeval and against brute force; intervals against simulation."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics.v1 import precision_recall_fscore_support
from seqeval.scheme import IOB2

from stages.common.scoring import (
    Counts,
    bootstrap_f1,
    f1_of,
    lenient_counts,
    of_label,
    overlapping_pairs,
    strict_counts,
)
from stages.common.tags import spans_of, to_iob2
from tests.labels import LABELS

TOLERANCE = 1e-12


@st.composite
def spans(draw, longest=14):
    """Return the spans of one side: in order, without overlap."""
    found, position = [], 0
    for gap, length, label in draw(
        st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4), st.sampled_from(LABELS)), max_size=5)
    ):
        if position + gap + length > longest:
            break
        found.append((position + gap, position + gap + length, label))
        position += gap + length
    return found


sides = st.tuples(spans(), spans())
documents = st.lists(sides, min_size=1, max_size=6)


def total(pairs, count, label=None):
    chosen = (pair if label is None else tuple(of_label(side, label) for side in pair) for pair in pairs)
    return sum((count(*pair) for pair in chosen), Counts())


def seqeval(pairs, **options):
    gold, found = ([to_iob2(14, pair[side]) for pair in pairs] for side in (0, 1))
    return precision_recall_fscore_support(gold, found, zero_division=0, scheme=IOB2, **options)


@settings(max_examples=300, deadline=None)
@given(documents)
def test_micro_scores_are_those_of_seqeval(pairs):
    counts = total(pairs, strict_counts)
    precision, recall, f1, _ = seqeval(pairs, average="micro")
    assert [counts.precision, counts.recall, counts.f1] == pytest.approx([precision, recall, f1], abs=TOLERANCE)


@settings(max_examples=300, deadline=None)
@given(documents)
def test_scores_per_label_are_those_of_seqeval(pairs):
    present = sorted({span[2] for pair in pairs for side in pair for span in side})
    theirs = np.array(seqeval(pairs, average=None))
    ours = [total(pairs, strict_counts, label) for label in present]
    assert np.allclose(theirs[:3], np.array([[c.precision, c.recall, c.f1] for c in ours]).T.reshape(3, -1),
                       rtol=0, atol=TOLERANCE)  # fmt: skip
    assert theirs[3].tolist() == [c.tp + c.fn for c in ours]


@settings(max_examples=300, deadline=None)
@given(sides)
def test_lenient_is_the_best_of_all_pairings(pair):
    gold, found = pair
    counts = lenient_counts(gold, found)
    assert counts == Counts(tp=best_pairing(gold, found), fp=len(found) - counts.tp, fn=len(gold) - counts.tp)


def best_pairing(gold, found):
    """Try every assignment of the shorter side to the longer one."""
    short, long = sorted((gold, found), key=len)
    return max(
        sum(a[2] == b[2] and bool(set(range(*a[:2])) & set(range(*b[:2]))) for a, b in zip(short, chosen, strict=True))
        for chosen in permutations(long, len(short))
    )


@given(sides)
def test_pairs_overlap_and_use_each_mention_once(pair):
    pairs = overlapping_pairs(*pair)
    assert all(gold[0] < found[1] and found[0] < gold[1] for gold, found in pairs)
    for side in zip(*pairs, strict=True):
        assert len(set(side)) == len(side)


@given(sides)
def test_strict_is_never_above_lenient(pair):
    assert strict_counts(*pair).tp <= lenient_counts(*pair).tp


@given(documents)
def test_labels_add_up_to_micro(pairs):
    for count in (strict_counts, lenient_counts):
        assert sum((total(pairs, count, label) for label in LABELS), Counts()) == total(pairs, count)


@given(sides, sides)
def test_counts_of_documents_add_up(left, right):
    shifted = [[(start + 100, end + 100, label) for start, end, label in side] for side in right]
    together = [a + b for a, b in zip(left, shifted, strict=True)]
    for count in (strict_counts, lenient_counts):
        assert count(*together) == count(*left) + count(*right)


def test_equal_spans_of_different_documents_count_each():
    # A scorer that keeps all spans, or all counts, in one set gives 1 of 1 and 1 of 2 here.
    span = [(0, 4, "Disease")]
    assert total([(span, span), (span, span), (span, [])], strict_counts) == Counts(tp=2, fp=0, fn=1)
    assert total([(span, span), (span, span), (span, [])], lenient_counts).recall == pytest.approx(2 / 3)


def test_a_faulty_start_tag_is_no_match_of_its_own():
    # seqeval's default mode scores I-D I-D against B-D I-D as 1.0; strict IOB2 does not. The tables
    # hold valid sequences only, so what matters is that the reading is the documented one.
    assert spans_of(["I-Disease", "I-Disease"]) == [(0, 2, "Disease")]


def test_nothing_is_zero_not_an_error():
    assert (Counts().precision, Counts().recall, Counts().f1) == (0.0, 0.0, 0.0)
    assert strict_counts([], []) == lenient_counts([], []) == Counts()
    assert f1_of(np.zeros((2, 3), dtype=np.int64)).tolist() == [0.0, 0.0]


@given(st.lists(st.tuples(*[st.integers(0, 9)] * 3), min_size=1, max_size=5))
def test_f1_of_rows_is_f1_of_counts(rows):
    assert f1_of(np.array(rows)).tolist() == pytest.approx([Counts(*row).f1 for row in rows], abs=TOLERANCE)


def draw_documents(generator, number):
    """Draw documents whose mentions are not independent: each has its own difficulty."""
    mentions = generator.poisson(6, number)
    tp = generator.binomial(mentions, generator.beta(8, 2, number))
    return [Counts(*row) for row in zip(tp.tolist(), generator.poisson(1, number).tolist(), (mentions - tp).tolist(),
                                        strict=True)]  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_interval_contains_the_estimate(seed):
    sample = draw_documents(np.random.default_rng(seed), 40)
    low, high = bootstrap_f1(sample, resamples=300, seed=seed)
    assert 0 <= low < sum(sample, Counts()).f1 < high <= 1


def test_interval_is_deterministic_and_depends_on_the_seed():
    sample = draw_documents(np.random.default_rng(0), 40)
    assert bootstrap_f1(sample, resamples=200, seed=3) == bootstrap_f1(sample, resamples=200, seed=3)
    assert bootstrap_f1(sample, resamples=200, seed=3) != bootstrap_f1(sample, resamples=200, seed=4)


def test_interval_of_the_extremes():
    assert bootstrap_f1([], resamples=10, seed=1) == (0.0, 0.0)
    assert bootstrap_f1([Counts(tp=2)] * 3, resamples=10, seed=1) == (1.0, 1.0)
    assert bootstrap_f1([Counts()] * 3, resamples=10, seed=1) == (0.0, 0.0)


def test_interval_narrows_with_documents_and_widens_with_level():
    generator = np.random.default_rng(0)
    few, many = draw_documents(generator, 25), draw_documents(generator, 400)

    def width(sample, level):
        low, high = bootstrap_f1(sample, resamples=400, seed=1, level=level)
        return high - low

    assert width(many, 0.95) < width(few, 0.95) / 2
    assert width(few, 0.5) < width(few, 0.95)


@pytest.mark.simulation
def test_interval_covers_the_truth_about_as_often_as_it_says():
    generator = np.random.default_rng(20)
    truth = sum(draw_documents(np.random.default_rng(1), 100_000), Counts()).f1
    intervals = [bootstrap_f1(draw_documents(generator, 60), resamples=200, seed=n) for n in range(200)]
    covered = np.mean([low <= truth <= high for low, high in intervals])
    assert 0.88 <= covered <= 0.99


def test_the_interval_is_that_of_its_level() -> None:
    """One document of two right: a resample has F1 0, 1/2 or 1 with chances 1/4, 1/2 and 1/4."""
    sample = [Counts(tp=1), Counts(fp=1, fn=1)]
    assert bootstrap_f1(sample, resamples=4000, seed=1, level=0.4) == (0.5, 0.5)
    assert bootstrap_f1(sample, resamples=4000, seed=1, level=0.6) == (0.0, 1.0)
    assert bootstrap_f1(sample, resamples=4000, seed=1) == (0.0, 1.0)


def test_the_level_leaves_out_as_much_below_as_above() -> None:
    sample = draw_documents(np.random.default_rng(0), 40)
    bounds = [bootstrap_f1(sample, resamples=999, seed=1, level=level) for level in (0.5, 0.9, 0.95, 1.0)]
    table = np.array([(c.tp, c.fp, c.fn) for c in sample])
    generator = np.random.default_rng(1)
    scores = [f1_of(table[generator.integers(40, size=40)].sum(0)) for _ in range(999)]
    for level, found in zip((0.5, 0.9, 0.95, 1.0), bounds, strict=True):
        assert found == pytest.approx(tuple(np.quantile(scores, [(1 - level) / 2, (1 + level) / 2])))


def test_one_mistake_and_nothing_found_is_zero() -> None:
    assert f1_of(np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]])).tolist() == [0.0, 0.0, 1.0]

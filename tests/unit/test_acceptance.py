"""The promise of precision: kept by construction, shown by simulation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stages.train.acceptance import Acceptance, HeldOutPredictions, choose_threshold


def simulated(generator: np.random.Generator, documents: int, *, clustered: float) -> HeldOutPredictions:
    """Mentions whose confidence is calibrated, right and wrong together within a document."""
    sizes = generator.integers(1, 12, size=documents)
    numbers = np.repeat(np.arange(documents), sizes)
    confidence = generator.beta(6, 1, size=len(numbers))
    shift = np.repeat(generator.normal(0, clustered, size=documents), sizes)
    odds = np.log(confidence / (1 - confidence)) + shift
    return HeldOutPredictions(confidence, generator.random(len(numbers)) < 1 / (1 + np.exp(-odds)), numbers)


@pytest.mark.simulation
@pytest.mark.parametrize("clustered", [0.0, 1.0])
@pytest.mark.parametrize("promised", [0.9, 0.95])
def test_the_promise_fails_in_at_most_one_of_twenty(clustered: float, promised: float) -> None:
    generator = np.random.default_rng(7)
    truth = simulated(generator, 200_000, clustered=clustered)
    broken = given = 0
    for _ in range(300):
        found = choose_threshold(simulated(generator, 300, clustered=clustered), promised=promised, risk=0.05)
        if found.threshold is not None:
            given += 1
            broken += truth.right[truth.confidence >= found.threshold].mean() < promised
    assert given > 200, "the promise must be of use, too"
    # 300 trials at 5%: 15 expected, 24 is the 99% bound of the binomial.
    assert broken <= 24


def test_the_promise_is_kept_where_no_threshold_keeps_it() -> None:
    """Every threshold breaks it by a hair, and each of a hundred steps is a new chance to be lucky."""
    generator = np.random.default_rng(11)
    trials, documents = 400, 4000
    given = 0
    for _ in range(trials):
        confidence, right = generator.random(documents), generator.random(documents) < 0.899
        predictions = HeldOutPredictions(confidence, right, np.arange(documents))
        given += choose_threshold(predictions, promised=0.9, risk=0.05).threshold is not None
    # 400 trials at 5%: 20 expected, 31 is the 99% bound of the binomial; going on after a failure breaks it.
    assert given <= 31


def _in_steps(*shares: float) -> HeldOutPredictions:
    """Mentions in blocks of 1000 from the surest down, each block with its share of right ones."""
    right = np.concatenate([np.arange(1000) % 100 < round(share * 100) for share in shares])
    return HeldOutPredictions(np.linspace(0.99, 0.5, len(right)), right, np.arange(len(right)))


def test_the_search_stops_at_the_first_threshold_that_fails() -> None:
    good, bad = 1.0, 0.2
    assert choose_threshold(_in_steps(bad, *[good] * 20), promised=0.9, risk=0.05).threshold is None
    once = choose_threshold(_in_steps(good), promised=0.9, risk=0.05).threshold
    interrupted = choose_threshold(_in_steps(good, bad, *[good] * 20), promised=0.9, risk=0.05).threshold
    whole = choose_threshold(_in_steps(*[good] * 22), promised=0.9, risk=0.05).threshold
    assert once is not None and interrupted is not None and whole is not None
    # Of the 22 blocks the first, and the few of the second that the promise bears; not the twenty after it.
    assert whole == 0.5
    assert interrupted > 0.99 - 0.49 * 2 / 22


def test_more_judgements_allow_more() -> None:
    generator = np.random.default_rng(3)
    few = choose_threshold(simulated(generator, 100, clustered=0.5), promised=0.9, risk=0.05).threshold
    many = choose_threshold(simulated(generator, 5000, clustered=0.5), promised=0.9, risk=0.05).threshold
    assert few is not None and many is not None
    assert many < few


@pytest.mark.parametrize("mentions", [0, 1, 99])
def test_too_few_mentions_prove_nothing(mentions: int) -> None:
    perfect = HeldOutPredictions(np.full(mentions, 0.99), np.ones(mentions, dtype=bool), np.arange(mentions))
    assert choose_threshold(perfect, promised=0.95, risk=0.05).threshold is None


def test_one_document_proves_nothing() -> None:
    perfect = HeldOutPredictions(np.full(500, 0.99), np.ones(500, dtype=bool), np.zeros(500, dtype=np.int64))
    assert choose_threshold(perfect, promised=0.95, risk=0.05).threshold is None


def test_equal_confidences_are_accepted_together() -> None:
    right = np.r_[np.ones(300), np.zeros(300)].astype(bool)
    tied = HeldOutPredictions(np.full(600, 0.9), right, np.arange(600))
    assert choose_threshold(tied, promised=0.9, risk=0.05).threshold is None


def test_the_order_of_the_mentions_does_not_matter() -> None:
    generator = np.random.default_rng(5)
    one = simulated(generator, 400, clustered=0.5)
    order = generator.permutation(len(one.right))
    other = HeldOutPredictions(one.confidence[order], one.right[order], one.documents[order])
    assert choose_threshold(one, promised=0.9, risk=0.05) == choose_threshold(other, promised=0.9, risk=0.05)


def test_saved_and_loaded(tmp_path: Path) -> None:
    for acceptance in (Acceptance(0.95, 0.05, 0.848886), Acceptance(0.95, 0.05, None)):
        acceptance.save(tmp_path / "acceptance.json")
        assert Acceptance.load(tmp_path / "acceptance.json") == acceptance
    assert not Acceptance(0.95, 0.05, None).accepts(1.0)
    assert Acceptance(0.95, 0.05, 0.8).accepts(0.8)

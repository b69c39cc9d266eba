"""How often the gate errs, on corpora that are drawn: small versions of `python -m benchmarks.verdicts gate`.

Each promise is also broken once, so that the test of it can fail.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binom

from benchmarks.verdicts import gate as benchmark
from delivery.registry import noninferiority
from delivery.registry.bounds import Bounds
from delivery.registry.noninferiority import accepted_share, bounded_difference
from tests.unit.test_promotion_gates import BOUNDS

pytestmark = pytest.mark.simulation
FEW = BOUNDS.model_copy(update={"resamples": 200})
PAIRS = 100
LUCK = 0.5
"""Share of the decisions left to luck: two models that are little alike."""


def passed(bounds: Bounds, documents: int, points: float) -> int:
    return sum(benchmark.passes(*benchmark._pair(documents, points / 100, LUCK, n), bounds) for n in range(PAIRS))


def most(rate: float, of: int = PAIRS) -> int:
    """Return how many of so many there may be by luck, where the rate is that."""
    return int(binom.ppf(0.99, of, rate))


def weakened(**changes: float) -> Bounds:
    return FEW.model_copy(update=changes)


@pytest.mark.parametrize("documents", [30, 119])
def test_two_points_worse_is_refused_in_nine_of_ten(documents: int) -> None:
    assert passed(FEW, documents, -2) <= most(0.1)


def test_with_few_documents_it_is_the_bound_that_refuses() -> None:
    assert passed(weakened(margin=1.0, label_margin=1.0), 30, -2) > passed(FEW, 30, -2)
    assert passed(weakened(margin=0.05, label_margin=0.1, estimate=-1.0), 119, -2) > most(0.1)


def test_one_point_better_passes_in_four_of_five_with_the_seeds_documents() -> None:
    assert PAIRS - passed(FEW, 119, 1) <= most(0.2)
    assert PAIRS - passed(weakened(label_margin=0.02), 119, 1) > PAIRS - passed(FEW, 119, 1)


def ends(rule: Callable[..., bool], bounds: Bounds, *, reused: bool) -> np.ndarray:
    return np.array([benchmark._climb(rule, bounds, 119, LUCK, reused, seed)[0] for seed in range(16)])


@pytest.mark.parametrize("reused", [True, False], ids=["the same documents", "new ones"])
def test_twenty_challengers_in_a_row_raise_the_champion(reused: bool) -> None:
    found = ends(benchmark.passes, FEW, reused=reused)
    assert found.mean() > 2 * found.std(ddof=1) / np.sqrt(len(found))


def test_without_the_estimate_small_losses_add_up() -> None:
    """What passed until now, "not worse beyond noise", is weaker still."""
    loose = weakened(estimate=-1.0, margin=0.04, label_margin=0.08)
    assert ends(benchmark.passes, loose, reused=False).mean() < 0


def above_the_truth(documents: int, draws: int) -> int:
    """Return how often the bound of a difference whose truth is 0 is above it."""
    wrong = 0
    for seed in range(draws):
        gained = np.random.default_rng(seed).normal(0, 1000, documents).round()
        old = np.tile([5000, 10_000], (documents, 1))
        new = old + np.column_stack([gained, np.zeros(documents)])
        found = bounded_difference(old, new, accepted_share, confidence=0.95, resamples=200, seed=seed)
        wrong += found.low > 0
    return wrong


def test_the_bound_of_few_documents_is_no_less_sure(monkeypatch: pytest.MonkeyPatch) -> None:
    assert above_the_truth(6, 600) <= most(0.05, 600)
    monkeypatch.setattr(noninferiority, "_expanded", lambda level, _: level)  # plain percentiles
    assert above_the_truth(6, 600) > most(0.05, 600)


MODELS = 800


def broken(precision: float, models: int = MODELS) -> tuple[int, int]:
    pairs = [benchmark._broken(119, precision, FEW, seed) for seed in range(models)]
    old, new = zip(*pairs, strict=True)
    return sum(old), sum(new)


def test_a_promise_that_is_just_kept_is_called_broken_in_one_of_twenty() -> None:
    independent, clustered = broken(0.95)
    assert clustered <= most(0.05, MODELS)
    assert independent > most(0.05, MODELS)  # mentions of one document are not independent


def test_a_promise_that_is_broken_by_five_points_is_refused() -> None:
    assert broken(0.9, 100)[1] >= 80


def test_accepting_ten_points_less_is_refused_and_as_much_is_not() -> None:
    less, same = ([benchmark._accepting(119, change, FEW, seed) for seed in range(20)] for change in (-0.1, 0.0))
    assert sum(less) >= 18
    assert sum(same) <= 1
    assert sum(benchmark._accepting(119, -0.1, weakened(accepted_margin=0.3), seed) for seed in range(20)) < 10


def test_the_tables_are_those_of_the_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "CHALLENGERS", 1)
    tables = benchmark.tables(2)
    assert set(tables) == {"score", "ratchet", "promise", "accepted", "functionality"}
    assert all(len(table) for table in tables.values())

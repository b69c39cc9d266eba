"""Runs that differ only by their seed, and a true gain of two points: how often is each called a difference?

`tests/golden/seeds.csv` has the counts of real runs on NCBI-disease (hashed names, no text; made by
`benchmarks.seeds`, see decision 13): a chain learned from 175 documents with several seeds, 518 test documents.
"""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from delivery.changes import bootstrap as comparison
from delivery.changes.bootstrap import paired_difference, verdict
from tests.repository import ROOT

DEVEL = 100
"""Documents of NCBI's own devel set."""
SUBSETS = 20
RESAMPLES = 300
EQUALS = 150
"""Pairs of runs that are equally good."""


@pytest.fixture(scope="module")
def runs() -> dict[int, pd.DataFrame]:
    table = pd.read_csv(ROOT / "tests/golden/seeds.csv", dtype={"document": str, "label": str})
    return {int(seed): rows.drop(columns=["family", "seed"]) for seed, rows in table.groupby("seed")}


def share_called(pairs: list[tuple[pd.DataFrame, pd.DataFrame]], size: int | None, called: set[str]) -> float:
    """Return how often a pair is called that, each on some random sets of documents (all, where size is None)."""
    generator = np.random.default_rng(1)
    calls = []
    for old, new in pairs:
        names = old["document"].unique()
        for _ in range(SUBSETS if size else 1):
            kept = generator.choice(names, size, replace=False) if size else names
            sides = (side[side["document"].isin(kept)] for side in (old, new))
            calls.append(verdict(paired_difference(*sides, resamples=RESAMPLES), "higher") in called)
    return float(np.mean(calls))


def improved(run: pd.DataFrame, points: float, seed: int) -> pd.DataFrame:
    """Correct errors at random, missed mentions and false alarms alike, until F1 is that much higher."""
    counts = run[["tp", "fp", "fn"]].to_numpy(copy=True)
    errors = [(row, kind) for row, (_, fp, fn) in enumerate(counts) for kind in [1] * fp + [2] * fn]
    target = f1(counts) + points
    for place in np.random.default_rng(seed).permutation(len(errors)):
        if f1(counts) >= target:
            break
        row, kind = errors[place]
        counts[row, kind] -= 1
        counts[row, 0] += kind == 2
    return run.assign(tp=counts[:, 0], fp=counts[:, 1], fn=counts[:, 2])


def f1(counts: np.ndarray) -> float:
    tp, fp, fn = counts.sum(0)
    return float(2 * tp / (2 * tp + fp + fn))


def test_seeds_alone_are_called_better_or_worse_in_at_most_one_of_twenty(runs: dict[int, pd.DataFrame]) -> None:
    pairs = [(runs[one], runs[other]) for one, other in combinations(sorted(runs), 2)]
    assert share_called(pairs, DEVEL, {"better", "worse"}) <= 0.05


@pytest.fixture(scope="module")
def equals(runs: dict[int, pd.DataFrame]) -> list[list[pd.DataFrame]]:
    """Pairs of runs that are equally good, right and wrong in other places, each pair on documents of its own.

    Three pairs of real seeds are too few for a rate of one in twenty to show: on all documents they are called
    never or in a third of cases, and never even with intervals of 80%.
    """
    generator = np.random.default_rng(1)
    names = runs[1]["document"].unique()
    pairs = []
    for number in range(EQUALS):
        run = runs[1 + number % len(runs)]
        kept = run["document"].isin(generator.choice(names, DEVEL, replace=False))
        pairs.append([improved(run, 0.03, seed=2 * number + side)[kept] for side in (0, 1)])
    return pairs


def called_different(pairs: list[list[pd.DataFrame]]) -> int:
    differences = (paired_difference(*pair, resamples=RESAMPLES) for pair in pairs)
    return sum(verdict(difference, "higher") != "within noise" for difference in differences)


MOST = int(binom.ppf(0.99, EQUALS, 0.05))
"""So many of the equals may be called different by luck, where one of twenty is."""


def test_equals_are_called_different_in_at_most_one_of_twenty(equals: list[list[pd.DataFrame]]) -> None:
    assert 0 < called_different(equals) <= MOST


def test_with_narrower_intervals_equals_are_called_different_more_often(
    equals: list[list[pd.DataFrame]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test before this one can fail."""
    monkeypatch.setattr(comparison, "LEVEL", 0.8)
    assert called_different(equals) > MOST


def test_a_true_gain_of_two_points_is_seen_in_four_of_five(runs: dict[int, pd.DataFrame]) -> None:
    pairs = [(run, improved(run, 0.02, seed=seed)) for seed, run in runs.items()]
    assert share_called(pairs, DEVEL, {"better"}) >= 0.8


def test_under_another_seed_it_takes_three_hundred_documents(runs: dict[int, pd.DataFrame]) -> None:
    """What the other seed wins and loses elsewhere is in the way: on `DEVEL` documents such a gain is often missed."""
    pairs = [(runs[one], improved(runs[other], 0.02, seed=one)) for one, other in permutations(sorted(runs), 2)]
    assert share_called(pairs, 300, {"better"}) >= 0.8


def test_the_gain_is_one_of_two_points(runs: dict[int, pd.DataFrame]) -> None:
    run = runs[1]
    better = improved(run, 0.02, seed=1)
    scores = [f1(side[["tp", "fp", "fn"]].to_numpy()) for side in (run, better)]
    assert scores[1] - scores[0] == pytest.approx(0.02, abs=0.001)
    assert (better["tp"] + better["fn"] == run["tp"] + run["fn"]).all()

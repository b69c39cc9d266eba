"""The paired bootstrap against what it must be by definition."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.comparison import Difference, paired_difference, verdict
from delivery.server import DeliveryError
from stages.common.scoring import Counts

COLUMNS = ["document", "label", "tp", "fp", "fn"]


def table(*rows: tuple) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=COLUMNS)


def random_table(documents: int, right: float, seed: int) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    rows = []
    for document in range(documents):
        for label in ("Disease", "Treatment"):
            tp = generator.binomial(5, right)
            rows.append((f"{document:04}", label, tp, generator.poisson(0.7), 5 - tp))
    return table(*rows)


_side = st.tuples(*[st.integers(0, 9)] * 3)


@given(st.lists(st.tuples(_side, _side), min_size=1, max_size=12), st.sampled_from(["f1", "precision", "recall"]))
def test_the_difference_is_that_of_the_summed_counts_and_swapping_the_runs_turns_its_sign(
    pairs: list[tuple], metric: str
) -> None:
    old, new = (table(*[(str(n), "Disease", *pair[side]) for n, pair in enumerate(pairs)]) for side in (0, 1))
    scores = [getattr(sum((Counts(*pair[side]) for pair in pairs), Counts()), metric) for side in (0, 1)]
    forth = paired_difference(old, new, metric=metric, resamples=50)  # type: ignore[arg-type]
    back = paired_difference(new, old, metric=metric, resamples=50)  # type: ignore[arg-type]
    assert forth.difference == pytest.approx(scores[1] - scores[0])
    assert [back.difference, back.low, back.high] == pytest.approx([-forth.difference, -forth.high, -forth.low])


def test_the_interval_is_that_of_documents_drawn_with_replacement_one_by_one() -> None:
    old, new = random_table(60, 0.7, seed=1), random_table(60, 0.8, seed=2)
    sides = [
        frame.groupby("document")[["tp", "fp", "fn"]].sum().apply(lambda row: Counts(*row), axis=1).tolist()
        for frame in (old, new)
    ]
    generator = np.random.default_rng(7)
    drawn = []
    for _ in range(4000):
        places = generator.integers(60, size=60)
        before, after = (sum((side[place] for place in places), Counts()) for side in sides)
        drawn.append(after.f1 - before.f1)
    found = paired_difference(old, new, resamples=4000)
    assert [found.low, found.high] == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.004)


def test_pairing_sees_a_gain_that_two_separate_intervals_do_not() -> None:
    old = random_table(100, 0.7, seed=1)
    gains = (old["fn"] > 0) & (old.index % 5 == 0)
    new = old.assign(tp=old["tp"] + gains, fn=old["fn"] - gains)
    found = paired_difference(old, new)
    assert verdict(found, "higher") == "better"
    assert found.high - found.low < 0.03


@pytest.mark.parametrize(("changed", "expected"), [(4, "within noise"), (12, "better")])
def test_a_handful_of_documents_that_all_gain_may_be_luck(changed: int, expected: str) -> None:
    # The sign test of 4 of 4 has p = 0.125, though only one resample in 55 holds none of them.
    old = table(*[(f"{place:03}", "Disease", 3, 0, 1) for place in range(100)])
    new = old.assign(tp=3 + (old.index < changed), fn=1 - (old.index < changed))
    assert verdict(paired_difference(old, new), "higher") == expected


def test_luck_is_called_a_difference_in_at_most_one_of_twenty() -> None:
    """Two runs that find each mention with the same chance; mentions of few documents, the hardest case."""
    generator = np.random.default_rng(1)
    calls = []
    for _ in range(400):
        document = generator.integers(40, size=320)
        chance = np.where(generator.random(320) < 0.2, generator.random(320), generator.random(320) < 0.85)
        sides = []
        for _ in range(2):
            tp = np.bincount(document, generator.random(320) < chance, minlength=40).astype(int)
            gold = np.bincount(document, minlength=40)
            columns = {"document": range(40), "label": "Disease", "tp": tp, "fp": 0, "fn": gold - tp}
            sides.append(pd.DataFrame(columns))
        calls.append(verdict(paired_difference(*sides, resamples=300), "higher") != "within noise")
    assert np.mean(calls) <= 0.05


def test_the_same_run_twice_is_noise_of_no_width() -> None:
    old = random_table(30, 0.7, seed=1)
    assert paired_difference(old, old.sample(frac=1, random_state=3)) == Difference(0.0, 0.0, 0.0)


def test_the_same_call_gives_the_same_interval_whatever_the_order_of_the_rows() -> None:
    old, new = random_table(30, 0.7, seed=1), random_table(30, 0.8, seed=2)
    assert paired_difference(old, new) == paired_difference(old[::-1], new.sample(frac=1, random_state=3))


def test_only_common_documents_and_labels_count() -> None:
    old, new = random_table(30, 0.7, seed=1), random_table(30, 0.8, seed=2)
    more = pd.concat([new, table(("new", "Disease", 0, 50, 50), ("0001", "Symptom", 0, 50, 50))])
    assert paired_difference(old, more) == paired_difference(old, new)


def test_one_label_alone() -> None:
    old, new = random_table(30, 0.7, seed=1), random_table(30, 0.8, seed=2)
    of_label = [frame[frame["label"] == "Disease"] for frame in (old, new)]
    assert paired_difference(old, new, label="Disease") == paired_difference(*of_label)


def test_many_documents_are_drawn_in_parts() -> None:
    old, new = random_table(9000, 0.7, seed=1), random_table(9000, 0.71, seed=2)
    found = paired_difference(old, new, resamples=600)
    assert found.low < found.difference < found.high


@pytest.mark.parametrize(
    ("old", "new", "label", "message"),
    [
        (table(("a", "Disease", 1, 0, 0)), table(("b", "Disease", 1, 0, 0)), None, "no test document in common"),
        (table(("a", "Disease", 1, 0, 0)), table(("a", "Treatment", 1, 0, 0)), None, "no label in both"),
        (table(("a", "Disease", 1, 0, 0)), table(("a", "Disease", 1, 0, 0)), "Symptom", "no Symptom in both"),
        (table(), table(("a", "Disease", 1, 0, 0)), None, "no label in both"),
        (
            table(("a", "Disease", 1, 0, 0)),
            table(("a", "Disease", 1, 0, 0)).drop(columns="fp"),
            None,
            "lacks fp",
        ),
    ],
)
def test_what_cannot_be_paired_is_refused(
    old: pd.DataFrame, new: pd.DataFrame, label: str | None, message: str
) -> None:
    with pytest.raises(DeliveryError, match=message):
        paired_difference(old, new, label=label)


@pytest.mark.parametrize(
    ("low", "high", "direction", "expected"),
    [
        (0.001, 0.02, "higher", "better"),
        (0.001, 0.02, "lower", "worse"),
        (-0.02, -0.001, "higher", "worse"),
        (-0.02, -0.001, "lower", "better"),
        (-0.001, 0.02, "higher", "within noise"),
        (0.0, 0.02, "lower", "within noise"),
        (0.0, 0.0, "higher", "within noise"),
    ],
)
def test_a_verdict_needs_an_interval_on_one_side_of_zero(
    low: float, high: float, direction: str, expected: str
) -> None:
    assert verdict(Difference((low + high) / 2, low, high), direction) == expected  # type: ignore[arg-type]

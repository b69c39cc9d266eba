"""The paired bootstrap against what it must be by definition."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.changes import bootstrap
from delivery.changes.bootstrap import Difference, paired_counts, paired_difference, unpaired_difference, verdict
from delivery.errors import DeliveryError
from stages.common.scoring import Counts
from tests.reference.bootstrap import unpaired_interval

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


@pytest.mark.simulation
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


@pytest.mark.simulation
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


@pytest.mark.parametrize("metric", ["f1", "precision", "recall"])
def test_unpaired_sides_are_drawn_apart(metric: str) -> None:
    old, new = random_table(40, 0.7, seed=1), random_table(70, 0.8, seed=2)
    found = unpaired_difference(old, new, metric=metric, resamples=4000)  # type: ignore[arg-type]
    scores = [getattr(Counts(*frame[["tp", "fp", "fn"]].sum().tolist()), metric) for frame in (old, new)]
    assert found.difference == pytest.approx(scores[1] - scores[0])
    assert [found.low, found.high] == pytest.approx(unpaired_interval(old, new, metric, 4000), abs=0.006)


def test_unpaired_is_wider_than_paired_on_the_same_documents() -> None:
    old = random_table(60, 0.7, seed=1)
    new = old.assign(tp=old["tp"] + (old["fn"] > 0), fn=old["fn"] - (old["fn"] > 0))
    apart, together = unpaired_difference(old, new), paired_difference(old, new)
    assert apart.difference == together.difference
    assert apart.high - apart.low > 2 * (together.high - together.low)


def test_unpaired_counts_only_what_both_tables_have_of_a_label() -> None:
    old, new = random_table(30, 0.7, seed=1), random_table(30, 0.8, seed=2)
    more = pd.concat([new, table(("0001", "Symptom", 0, 50, 50))])
    assert unpaired_difference(old, more, resamples=100) == unpaired_difference(old, new, resamples=100)
    diseases = [frame[frame["label"] == "Disease"] for frame in (old, new)]
    assert unpaired_difference(old, new, label="Disease", resamples=100) == unpaired_difference(
        *diseases, resamples=100
    )
    with pytest.raises(DeliveryError, match="no Symptom in both"):
        unpaired_difference(old, new, label="Symptom")


@pytest.mark.parametrize("compare", [paired_difference, unpaired_difference])
def test_what_is_said_by_default_is_said_of_two_thousand_resamples_with_seed_one(compare: Callable) -> None:
    old, new = random_table(30, 0.7, seed=1), random_table(30, 0.78, seed=2)
    assert compare(old, new) == compare(old, new, label=None, metric="f1", resamples=2000, seed=1)
    others = [{"resamples": 2001}, {"seed": 2}, {"metric": "recall"}, {"label": "Disease"}]
    assert all(compare(old, new, **other) != compare(old, new) for other in others)


def test_the_interval_reaches_zero_unless_exchanging_the_runs_says_otherwise() -> None:
    """Of 5 documents that all gain, a coin for each gives the observed difference in 2 of 32 cases: luck."""
    old = table(*[(f"{place}", "Disease", 3, 0, 1) for place in range(5)])
    new = old.assign(tp=4, fn=0)
    luck = paired_difference(old, new)
    assert (luck.low, luck.high) == (0.0, luck.difference)
    assert paired_difference(new, old) == Difference(-luck.difference, -luck.difference, 0.0)
    more = pd.concat([old, old.assign(document=old["document"] + "b")])
    found = paired_difference(more, more.assign(tp=4, fn=0))
    assert found.low == found.difference == found.high


def test_pairs_stand_in_the_order_of_the_documents() -> None:
    old = table(("b", "Disease", 1, 2, 3), ("a", "Disease", 4, 5, 6), ("a", "Treatment", 1, 1, 1))
    new = table(("a", "Disease", 7, 8, 9), ("c", "Treatment", 0, 0, 0), ("b", "Disease", 0, 0, 1))
    before, after = paired_counts(old, new)
    assert before.tolist() == [[5, 6, 7], [1, 2, 3]]
    assert after.tolist() == [[7, 8, 9], [0, 0, 1]]


def test_a_fault_says_what_to_do() -> None:
    one, other = table(("a", "Disease", 1, 0, 0)), table(("b", "Disease", 1, 0, 0))
    with pytest.raises(DeliveryError, match=r"score both models on the same documents$"):
        paired_difference(one, other)
    with pytest.raises(DeliveryError, match=r"^no label in both tables .* evaluate both models on data with the same"):
        paired_difference(one, one.assign(label="Treatment"))
    with pytest.raises(DeliveryError, match=r"^a table of documents lacks fn, tp: it must be metrics/documents.csv as"):
        paired_difference(one, one.drop(columns=["tp", "fn"]))


@pytest.mark.parametrize("metric", ["f1", "precision", "recall"])
def test_nothing_found_and_nothing_to_find_is_no_difference(metric: str) -> None:
    empty = table(("a", "Disease", 0, 0, 0), ("b", "Disease", 0, 0, 0))
    assert paired_difference(empty, empty, metric=metric) == Difference(0.0, 0.0, 0.0)  # type: ignore[arg-type]
    one = empty.assign(tp=[1, 0])
    assert paired_difference(empty, one, metric=metric, resamples=50).difference == 1.0  # type: ignore[arg-type]


def test_documents_drawn_in_parts_are_as_many(monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = random_table(30, 0.7, seed=1), random_table(30, 0.78, seed=2)
    whole = paired_difference(old, new, resamples=997)
    for chunk in (1, 30 * 100, 30 * 997):
        monkeypatch.setattr(bootstrap, "_CHUNK", chunk)
        assert paired_difference(old, new, resamples=997) == whole

"""A small version of `benchmarks.verdicts acceptance`: the promise holds over draws of documents, weaker rules fail."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.verdicts import few
from benchmarks.verdicts.acceptance import RULES, Found, drawn, notes_of, rates_of
from stages.train.params import AcceptanceParams
from stages.train.promises import HeldOut

PARAMS = AcceptanceParams(precision=0.95, whole=0.9, risk=0.05, start=0.3, suggestion=0.2, models=[], tunings=0)
DRAWS = 120


def population(notes: int = 1000, *, hard: float = 0.03, slope: float = 0.16, seed: int = 1) -> HeldOut:
    """Notes in runs of five blocks; in hard runs most mentions are wrong, else few, the fewer the surer."""
    generator = np.random.default_rng(seed)
    clusters = np.arange(notes) // 5
    numbers = np.repeat(np.arange(notes), 4)
    confidence = generator.uniform(0.5, 1, size=len(numbers))
    is_hard = (generator.random(notes // 5) < hard)[clusters[numbers]]
    wrong = np.where(is_hard, 0.7, 0.01 if not slope else slope * (1 - confidence))
    labels = np.where(np.arange(len(numbers)) % 2 == 0, "Disease", "Treatment")
    nothing = np.zeros(notes, dtype=np.int64)
    right = generator.random(len(numbers)) >= wrong
    return HeldOut(confidence, right, labels, numbers, nothing, nothing, clusters, clusters * 5 // (notes // 5))


@pytest.fixture(scope="module")
def found() -> Found:
    return Found(population(), population(seed=2))


def rate(found: Found, rule: str, what: str, label: str, share: float = 1.0) -> float:
    rows = rates_of(found, RULES[rule], PARAMS, share, DRAWS)
    return float(next(str(row[what]).split()[0] for row in rows if row["label"] == label))


@pytest.mark.simulation
def test_the_promise_is_broken_in_one_of_twenty_draws_at_most(found: Found) -> None:
    rows = rates_of(found, RULES["as it is"], PARAMS, 1.0, DRAWS)
    # 120 draws at 5%: 6 expected, 11 is the 99% bound of the binomial.
    assert all(float(str(row["promise broken"]).split()[0]) <= 11 / DRAWS for row in rows)


@pytest.mark.simulation
def test_whoever_counts_every_mention_alone_breaks_it(found: Found) -> None:
    assert rate(found, "each mention alone, no shift", "promise broken", "Disease") > 0.12


@pytest.mark.simulation
def test_whoever_begins_with_the_surest_hundred_accepts_nothing_more_often() -> None:
    plain = population(hard=0.0, slope=0.0)
    found = Found(plain, plain)
    assert rate(found, "as it is", "nothing accepted", "all labels") <= 0.01
    assert rate(found, "from the surest hundred", "nothing accepted", "Disease") > 0.1


def test_what_errs_together_is_drawn_together(found: Found) -> None:
    draw = drawn(found.learned, 0.4, np.random.default_rng(1))
    assert len(draw.missed) == 400
    assert np.bincount(draw.clusters).tolist() == [5] * 80
    assert np.bincount(draw.notes).tolist() == [4] * 400
    assert np.bincount(draw.parts).tolist() == [80] * 5
    # A run that was drawn is one of those that were found.
    runs = {tuple(found.learned.confidence[found.learned.clusters[found.learned.notes] == run]) for run in range(200)}
    assert tuple(draw.confidence[draw.clusters[draw.notes] == 0]) in runs


def test_no_note_is_accepted_whole_where_too_many_hold_an_error(found: Found) -> None:
    row = notes_of(found, PARAMS, 1.0, 5)
    assert row["notes accepted whole in"] == "0.000 of draws"
    assert row["unseen notes without any error"] == "none accepted"


@pytest.mark.simulation
def test_ten_documents_that_happen_to_be_right_are_what_the_floor_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(few, "DOCUMENTS", (10, 30))
    rows = (
        few.few_documents(PARAMS, 60).set_index(["population", "documents"]).map(lambda cell: float(cell.split("%")[0]))
    )
    broken, kept = (rows.loc[name] for name in few.POPULATIONS)
    with_floor, without = broken.loc[10].tolist()
    assert with_floor == 0
    assert without > 25
    assert broken.loc[30].tolist()[0] < 15  # 9 of 60 at 5%: 0.1% of cases
    assert kept.loc[10].tolist()[0] == 0  # what it costs
    assert kept.loc[30].tolist()[0] > 90

"""The KPI from reviews: each note for those it stands for, and the minutes that people took."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from sqlalchemy import Engine

from production.review import savings as module
from production.review.savings import Looked, _shared_out, _work, savings
from stages.evaluate.kpi import WORK
from stages.evaluate.params import EvaluateParams, KpiParams
from tests.production import empty, sqlite_url
from tests.served import MONDAY, WEEK
from tests.simulated_year import Truth, Year

KPI = KpiParams(
    entry_minutes=4.0, measured_notes=30, validation_minutes=2.0, review_seconds=8.0, error_rate=0.05,
    automation_bias=0.1,
)  # fmt: skip
PARAMS = EvaluateParams(resamples=200, seed=1, kpi=KPI)
NOW = MONDAY + 2 * WEEK


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Two weeks, in which a fifth of the accepted mentions is wrong."""
    folder = tmp_path_factory.mktemp("weeks")
    year = Year(empty(sqlite_url(folder)), folder, lambda _: Truth(precision=0.8), sending=False)
    for week in range(2):
        year.serve(week)
        year.read(week, MONDAY + (week + 1) * WEEK)
    return year.engine


def looked(stratum: str, probability: float, mentions: int) -> Looked:
    work = dict.fromkeys(WORK, 0) | {"notes": 1, "mentions": mentions, "errors": 1}
    return Looked(1, stratum, probability, tuple(work.values()), 60.0, 8.0)


def test_a_note_counts_for_those_that_it_stands_for() -> None:
    notes = [looked("silent", 0.1, 0)] * 10 + [looked("queried", 0.5, 4)] * 10
    work = _work(notes, {"silent": 100, "queried": 20})
    assert work["notes"].sum() == pytest.approx(120)
    assert work["mentions"].sum() == pytest.approx(4 * 20)
    assert work["errors"].sum() == pytest.approx(120)


def test_many_notes_are_drawn_in_groups_that_lose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 7)
    work = _work([looked("silent", 0.1, number) for number in range(50)], {"silent": 500})
    assert len(work) == 7
    assert work["notes"].sum() == pytest.approx(500)
    assert work["mentions"].sum() == pytest.approx(10 * sum(range(50)))


@pytest.mark.parametrize(("seconds", "spans"), [(60.0, 3), (10.0, 12), (45.0, 0)])
def test_the_seconds_of_a_note_are_shared_out_whole(seconds: float, spans: int) -> None:
    reading, deciding = _shared_out(seconds, spans, KPI)
    assert math.isnan(deciding) == (not spans)
    assert reading + (spans * deciding if spans else 0.0) == pytest.approx(seconds)
    assert not spans or reading / deciding == pytest.approx(120 / 8)  # as is assumed


def test_wrong_accepted_mentions_are_errors_left(engine: Engine) -> None:
    found = savings(engine, "1", MONDAY, PARAMS, NOW)
    assert found.figures is not None
    accepted, left = found.figures["accepted"], found.figures["after"]
    # Of a thousand right mentions so many were found and accepted; a fifth of those that were accepted is wrong.
    wrong = 1000 * accepted["mentions"] * 0.2
    assert left["errors_per_1000_mentions"] > wrong
    assert found.difference is not None
    assert found.difference["errors_per_1000_mentions"] < 0  # by hand 50 of a thousand are wrong


def test_too_few_reviews_leave_the_assumed_minutes_and_say_so(engine: Engine) -> None:
    many = PARAMS.model_copy(update={"kpi": KPI.model_copy(update={"measured_notes": 10_000})})
    few, all_of_them = (savings(engine, "1", MONDAY, params, NOW).figures for params in (many, PARAMS))
    assert few is not None
    assert all_of_them is not None
    assumed, measured = (one["minutes"]["validation"] for one in (few, all_of_them))
    assert assumed == {"value": 2.0, "source": "assumed", "notes": measured["notes"]}
    assert measured["source"] == "measured"
    assert measured["value"] < 0.5  # they took half a minute a note


def test_only_the_last_quarter_counts(engine: Engine) -> None:
    late = savings(engine, "1", MONDAY, PARAMS, NOW + 20 * WEEK)
    assert (late.reviewed, late.figures, late.difference) == (0, None, None)
    half = savings(engine, "1", MONDAY + 1.5 * WEEK, PARAMS, NOW)
    assert 0 < half.reviewed < savings(engine, "1", MONDAY, PARAMS, NOW).reviewed


def test_without_a_review_nothing_is_measured(tmp_path: Path) -> None:
    assert savings(empty(sqlite_url(tmp_path)), "1", MONDAY, PARAMS, NOW).figures is None

"""Reviews: who looks at what, what is taken from them and what is not, and what it says of all notes."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, insert, select

from production.database.engine import reading, writing
from production.database.review_tables import REVIEW_PLANS, REVIEW_SPANS, REVIEW_TASKS, REVIEWS
from production.database.schema import NOTE_TEXTS, RESULTS
from production.inference.claims import Scope
from production.inference.host import Found, FoundMention
from production.review import claiming, planning
from production.review.claiming import further_tasks, give_back, next_task
from production.review.decisions import Decision, parse
from production.review.evidence import audited, audited_accepted, audits, confidences
from production.review.handing_in import correct, hand_in
from production.review.keys import reviewer_of
from production.review.params import ReviewParams
from production.review.planning import Drawing, Planned, plan
from production.review.sampling import STRATA, Load, draw, expected_seconds, rates
from production.review.tasks import MENTION, ReviewError, Task
from tests.production import KEY, PARAMS, FakeHost, empty, loaded, sqlite_url, worker
from tests.unit.test_inference import fill

BACKFILL = Scope(backfill=True)
NOW = datetime.now(UTC)
SOON = NOW + timedelta(hours=12)  # later than any test of a long run writes results
"""When what the worker of a test wrote is settled."""
ALL = ReviewParams(
    weekly_minutes=100_000,
    floor=0.1,
    double=0.0,
    claim_minutes=30.0,
    characters_per_second=15.0,
    measured_reviews=30,
    pause_seconds=60.0,
)
ANNA, BEN = reviewer_of(KEY, "Anna"), reviewer_of(KEY, "Ben")
TEXTS = ("Known asthma. Start aspirin.", "Gout is doubtful.", "Perhaps asthmatic.", "Well.")
"""A note of each stratum: accepted, queried, suggested, silent."""


def span(text: str, word: str, label: str, *, accepted: bool = True, confidence: float = 0.75) -> FoundMention:
    start = text.index(word)
    return FoundMention(start, start + len(word), label, confidence, accepted, "present")


FOUND: dict[str, Found] = {
    TEXTS[1]: Found((span(TEXTS[1], "Gout", "Disease", accepted=False, confidence=0.5),), (), False, 1, 3, 0.0),
    TEXTS[2]: Found((), (span(TEXTS[2], "asthmatic", "Disease", accepted=False, confidence=0.25),), False, 1, 2, 0.0),
}


def infer(engine: Engine, *texts: str, source: str = "s", version: str = "1") -> None:
    if texts:
        fill(engine, *texts, source=source)
    worker(engine, FakeHost(faults=dict(FOUND)), version, params=PARAMS.model_copy(update={"batch": 200})).run()


def planned(engine: Engine, now: datetime = SOON, **changes: Any) -> Planned | None:
    params = ALL.model_copy(update=changes)
    return plan(engine, Drawing(KEY, params, 8.0, ("sex",)), now)


def tasks(engine: Engine) -> list[Any]:
    with reading(engine) as connection:
        return list(connection.execute(select(REVIEW_TASKS).order_by(REVIEW_TASKS.c.task_id)))


def rows(engine: Engine, table: Any) -> list[Any]:
    with reading(engine) as connection:
        return list(connection.execute(select(table)))


def claim(engine: Engine, reviewer: str = ANNA, now: datetime = SOON, **options: Any) -> Task:
    task = next_task(engine, reviewer, now, ALL, **options)
    assert task is not None
    return task


def accept_all(task: Task) -> list[Decision]:
    return [Decision(one.kind, one.number, "accept") for one in task.spans if one.kind == MENTION]


# ---- the sample -----------------------------------------------------------------------------------

LOADS = st.dictionaries(
    st.sampled_from(STRATA),
    st.builds(lambda notes, each: Load(notes, notes * each), st.integers(1, 100_000), st.floats(1, 1000)),
    min_size=1,
)


@given(LOADS, st.just(0.0) | st.floats(1e-3, 1e7), st.floats(0, 0.25))  # of less than that, nothing is left to share
def test_the_budget_is_spent_on_average_and_no_stratum_starves(
    loads: dict[str, Load], seconds: float, floor: float
) -> None:
    found = rates(loads, seconds, floor)
    whole = sum(load.seconds for load in loads.values())
    spent = {name: found[name] * load.seconds for name, load in loads.items()}
    assert sum(spent.values()) == pytest.approx(min(seconds, whole), rel=1e-9, abs=1e-6)
    for name, load in loads.items():
        assert 0 <= found[name] <= 1
        assert spent[name] >= 0.999999 * min(load.seconds, floor * seconds)
        assert found[name] > 0 or seconds == 0


def test_without_a_need_for_a_floor_all_have_one_rate() -> None:
    loads = {name: Load(1000, 30_000.0) for name in STRATA}
    assert set(rates(loads, 6_000.0, 0.1).values()) == {0.05}


@settings(max_examples=20)
@given(st.floats(0.02, 0.98), st.integers(0, 10**6))
def test_draws_are_uniform_and_depend_on_nothing_else(rate: float, first: int) -> None:
    draws = [draw(KEY, "audit", str(first + number)) for number in range(2000)]
    assert draws == [draw(KEY, "audit", str(first + number)) for number in range(2000)]
    share = sum(one < rate for one in draws) / 2000
    assert abs(share - rate) < 5 * (rate * (1 - rate) / 2000) ** 0.5


def test_draws_for_different_purposes_or_under_different_keys_are_others() -> None:
    assert draw(KEY, "audit", "1 a") != draw(KEY, "double", "1 a") != draw(KEY[::-1], "double", "1 a")


def test_a_long_note_with_many_spans_takes_longer() -> None:
    assert expected_seconds(1500, 0, 15.0, 8.0) == 101
    assert expected_seconds(1500, 5, 15.0, 8.0) == 141


# ---- plans ----------------------------------------------------------------------------------------


def test_every_stratum_is_in_the_plan_with_its_frame(engine: Engine) -> None:
    infer(engine, *TEXTS)
    found = planned(engine)
    assert found
    assert (found.notes, found.audit, found.double, found.work) == (4, 4, 0, 0)
    assert sorted((one.stratum, one.stream, one.place, one.probability) for one in tasks(engine)) == [
        (name, "audit", 1, 1.0) for name in sorted(STRATA)
    ]
    (kept,) = rows(engine, REVIEW_PLANS)
    assert {name: one["notes"] for name, one in kept.strata.items()} == dict.fromkeys(STRATA, 1)
    assert kept.strata["accepted"]["labels"] == {"Disease": [1, 1, 0.75, 0.75], "Treatment": [1, 1, 0.75, 0.75]}
    assert kept.strata["queried"]["labels"] == {"Disease": [1, 0, 0.5, 0.0]}
    assert kept.strata["suggested"]["labels"] == kept.strata["silent"]["labels"] == {}
    assert kept.strata["silent"]["slices"] == [{"name": "sex", "value": "male", "notes": 1, "labels": {}}]


def test_without_minutes_nothing_is_audited_and_all_work_is_there(engine: Engine) -> None:
    infer(engine, *TEXTS)
    found = planned(engine, weekly_minutes=0.0)
    assert found
    assert (found.audit, found.work) == (0, 2)
    assert [(one.stratum, one.stream, one.probability) for one in tasks(engine)] == [
        ("queried", "work", 1.0),
        ("suggested", "work", 1.0),
    ]
    (kept,) = rows(engine, REVIEW_PLANS)
    assert {one["probability"] for one in kept.strata.values()} == {0.0}


def test_what_is_audited_is_no_work_and_the_rates_are_those_of_the_plan(engine: Engine) -> None:
    infer(engine, *(text + " " * number for number in range(60) for text in (TEXTS[0], TEXTS[3])))
    with_gout = [f"{number} {TEXTS[1]}" for number in range(60)]
    FOUND.update(
        {text: Found((span(text, "Gout", "Disease", accepted=False),), (), False, 1, 3, 0.0) for text in with_gout}
    )
    infer(engine, *with_gout, source="t")
    found = planned(engine, weekly_minutes=20 * 10_080.0 / 10, double=0.5)  # a tenth of what reading all would take
    assert found
    (kept,) = rows(engine, REVIEW_PLANS)
    made = tasks(engine)
    assert all(one.probability == kept.strata[one.stratum]["probability"] for one in made if one.stream == "audit")
    first = {one.note_id for one in made if one.stream == "audit" and one.place == 1}
    second = {one.note_id for one in made if one.place == 2}
    work = {one.note_id for one in made if one.stream == "work"}
    assert not first & work
    assert second < first
    queried = {one.note_id for one in made if one.stratum == "queried"}
    assert len(queried) == 60
    assert queried == work | (queried & first)


def test_planning_again_makes_nothing_double_and_goes_on_where_it_ended(engine: Engine) -> None:
    infer(engine, *TEXTS)
    assert planned(engine)
    assert planned(engine, SOON + timedelta(minutes=1)) is None
    before = tasks(engine)
    infer(engine, "More gout.", source="t")
    later = planned(engine, SOON + timedelta(days=1))
    assert later is None  # what was written lies before the end of the last plan
    assert tasks(engine) == before


def test_the_next_plan_covers_what_came_since(engine: Engine) -> None:
    infer(engine, *TEXTS[:1])
    assert planned(engine, datetime.now(UTC) + planning.SETTLED)
    infer(engine, *TEXTS[1:], source="t")
    found = planned(engine)
    assert found
    assert (found.notes, found.audit) == (3, 3)
    one, two = sorted(rows(engine, REVIEW_PLANS), key=lambda row: row.plan_id)
    assert one.until == two.since
    assert one.minutes == ALL.weekly_minutes  # the first of a version has a whole week's
    assert two.minutes == pytest.approx(ALL.weekly_minutes * (two.until - two.since) / timedelta(days=7))


def test_what_is_not_settled_waits_for_the_next_plan(engine: Engine) -> None:
    infer(engine, *TEXTS)
    assert planned(engine, datetime.now(UTC)) is None
    assert not tasks(engine)


def test_a_plan_waits_for_what_is_being_written(engine: Engine) -> None:
    infer(engine, *TEXTS[:1])
    fill(engine, TEXTS[3], source="t")
    found: list[Planned | None] = []
    planner = threading.Thread(target=lambda: found.append(planned(engine)))
    with writing(engine) as connection:
        key = select(NOTE_TEXTS.c.note_id, NOTE_TEXTS.c.text_hash).where(NOTE_TEXTS.c.pending)
        written = {**connection.execute(key).one()._mapping, "model_version": "1", "shadow": False, "created_at": NOW}
        connection.execute(insert(RESULTS).values(**written, sentences=1, tokens=1, unknown_tokens=0.0, accepted=False))
        planner.start()
        planner.join(1.0)
        assert planner.is_alive() or engine.dialect.name == "sqlite"  # which shows what is written, or nothing
    planner.join()
    if engine.dialect.name == "postgresql":
        assert found[0]
        assert found[0].notes == 2


def test_many_planners_at_once_make_one_plan(engine: Engine) -> None:
    infer(engine, *TEXTS)
    start = threading.Barrier(6)

    def run() -> None:
        start.wait()
        found.append(planned(engine, double=1.0))

    found: list[Planned | None] = []
    in_threads([run] * 6)
    assert [one is not None for one in found].count(True) == 1
    assert len(tasks(engine)) == 8


def test_a_plan_that_is_ended_in_the_middle_leaves_nothing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    infer(engine, *TEXTS)
    real = planning.insert_rows

    def half(connection: Any, table: Any, given: Any, columns: Any) -> None:
        real(connection, table, list(given)[:2], columns)
        raise KeyboardInterrupt

    monkeypatch.setattr(planning, "insert_rows", half)
    with pytest.raises(KeyboardInterrupt):
        planned(engine)
    assert not rows(engine, REVIEW_PLANS)
    assert not tasks(engine)
    monkeypatch.undo()
    assert planned(engine)
    assert len(tasks(engine)) == 4


def test_only_results_of_the_champion_are_planned(engine: Engine) -> None:
    infer(engine, *TEXTS)
    infer(engine, "A gout.", source="t", version="2")
    found = planned(engine)
    assert found
    assert (found.window.version, found.notes) == ("2", 1)


def test_what_was_adopted_after_a_plan_is_in_the_next(engine: Engine) -> None:
    """Written in the shadow before the last plan of the version that adopts it later."""
    infer(engine, TEXTS[0])
    challenger = loaded(engine, FakeHost(), "2", champion=False)
    fill(engine, TEXTS[3], source="t")
    worker(engine, shadow=challenger).run()
    infer(engine, TEXTS[1], source="u", version="2")
    assert planned(engine, datetime.now(UTC) + planning.SETTLED)
    worker(engine, FakeHost(), "2", scope=BACKFILL).run()
    found = planned(engine)
    assert found
    assert found.notes == 2  # what was looked at again, and what was adopted


def test_the_sample_is_the_same_again(tmp_path: Path) -> None:
    samples = []
    for turn in range(2):
        engine = empty(sqlite_url(tmp_path / str(turn)))
        infer(engine, *(f"gout {number}" for number in range(300)))
        planned(engine, weekly_minutes=20_000.0)
        samples.append([(one.note_id, one.probability, one.place) for one in tasks(engine)])
    assert [one[0] for one in samples[0]] == [one[0] for one in samples[1]]
    assert samples[0]


def test_measured_times_take_the_place_of_expected_ones(engine: Engine) -> None:
    infer(engine, *(f"gout {number}" for number in range(4)))
    assert planned(engine, datetime.now(UTC) + planning.SETTLED)
    expected = tasks(engine)[0].seconds
    for _ in range(3):
        task = claim(engine)
        hand_in(engine, task.task_id, ANNA, accept_all(task), 3 * expected, SOON)
    infer(engine, "gout 9", source="t")
    assert planned(engine, measured_reviews=3)
    assert tasks(engine)[-1].seconds == pytest.approx(3 * expected, rel=0.01)


# ---- claims ---------------------------------------------------------------------------------------


def in_threads(work: Sequence[Any]) -> None:
    faults: list[BaseException] = []

    def guarded(run: Any) -> None:
        try:
            run()
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=guarded, args=(run,)) for run in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]


def test_a_task_has_the_note_and_all_that_was_found(engine: Engine) -> None:
    infer(engine, TEXTS[2])
    planned(engine)
    task = claim(engine)
    assert (task.text, task.metadata, task.stratum) == (TEXTS[2], {"sex": "male"}, "suggested")
    assert task.labels == ("Disease", "Treatment")
    shown = task.as_json()
    assert shown["suggestions"] == [
        {"number": 0, "start": 8, "end": 17, "label": "Disease", "confidence": 0.25, "accepted": False,
         "assertion": "present"}
    ]  # fmt: skip
    assert shown["mentions"] == []
    assert task.until == SOON + timedelta(minutes=30)


def test_who_asks_again_gets_the_same_note_and_others_another(engine: Engine) -> None:
    infer(engine, "gout 1", "gout 2")
    planned(engine)
    first = claim(engine)
    assert claim(engine, now=SOON + timedelta(minutes=20)).task_id == first.task_id
    assert claim(engine, BEN, SOON + timedelta(minutes=40)).task_id != first.task_id  # it was kept longer
    assert next_task(engine, reviewer_of(KEY, "Cem"), SOON + timedelta(minutes=40), ALL) is None


def test_a_claim_lapses_and_is_given_back(engine: Engine) -> None:
    infer(engine, "gout 1")
    planned(engine)
    task = claim(engine)
    assert next_task(engine, BEN, SOON + timedelta(minutes=29), ALL) is None
    assert claim(engine, BEN, SOON + timedelta(minutes=31)).task_id == task.task_id
    with pytest.raises(ReviewError, match="not yours to give back"):
        give_back(engine, task.task_id, ANNA)
    give_back(engine, task.task_id, BEN)
    assert claim(engine, now=SOON + timedelta(minutes=32)).task_id == task.task_id


def test_audits_come_before_work(engine: Engine) -> None:
    infer(engine, TEXTS[1])
    planned(engine, datetime.now(UTC) + planning.SETTLED, weekly_minutes=0.0)
    infer(engine, TEXTS[3], source="t")
    planned(engine)
    assert [one.stream for one in tasks(engine)] == ["work", "audit"]
    assert claim(engine).stream == "audit"
    assert claim(engine, BEN).stream == "work"
    assert next_task(engine, reviewer_of(KEY, "Cem"), SOON, ALL, "audit") is None


def test_two_readers_of_a_note_are_two_people_one_after_the_other(engine: Engine) -> None:
    infer(engine, "gout 1")
    planned(engine, double=1.0)
    first = claim(engine)
    assert next_task(engine, BEN, SOON, ALL) is None
    hand_in(engine, first.task_id, ANNA, accept_all(first), 10.0, SOON)
    assert next_task(engine, ANNA, SOON, ALL) is None
    second = claim(engine, BEN)
    assert (first.place, second.place, second.note_id) == (1, 2, first.note_id)
    hand_in(engine, second.task_id, BEN, accept_all(second), 10.0, SOON)
    assert next_task(engine, reviewer_of(KEY, "Cem"), SOON, ALL) is None


def test_a_note_under_two_versions_is_with_one_person(engine: Engine) -> None:
    infer(engine, TEXTS[1])
    planned(engine, datetime.now(UTC) + planning.SETTLED, weekly_minutes=0.0)
    worker(engine, FakeHost(faults=dict(FOUND)), "2", scope=BACKFILL).run()
    planned(engine, weekly_minutes=0.0)
    assert [one.model_version for one in tasks(engine)] == ["1", "2"]
    assert claim(engine).model_version == "2"  # what version 1 said is no longer current
    assert next_task(engine, BEN, SOON, ALL) is None


def test_audits_of_a_version_that_is_no_champion_any_more_are_left(engine: Engine) -> None:
    infer(engine, TEXTS[0])
    planned(engine)
    infer(engine, "gout", source="t", version="2")
    assert next_task(engine, ANNA, SOON, ALL) is None


def test_what_an_audit_has_left_is_work_where_there_is_something_to_decide(engine: Engine) -> None:
    """Else nobody would ever look at it: what is audited is not planned as work."""
    infer(engine, *TEXTS)
    planned(engine, datetime.now(UTC) + planning.SETTLED, double=1.0)
    infer(engine, "gout", source="t", version="2")
    planned(engine)
    assert claim(engine).model_version == "2"  # the champion's audit comes first
    left = [claim(engine, reviewer_of(KEY, str(number)), stream="work") for number in range(2)]
    assert sorted((one.model_version, one.place, one.stratum) for one in left) == [
        ("1", 1, "queried"),
        ("1", 1, "suggested"),
    ]
    assert next_task(engine, BEN, SOON, ALL) is None
    fill(engine, "Gout is doubtful, and this is another text.")  # of the first note, which was accepted
    worker(engine, FakeHost(faults=dict(FOUND)), "2", scope=BACKFILL).run()
    late = SOON + timedelta(minutes=ALL.claim_minutes)
    assert next_task(engine, BEN, late, ALL, "work") is None  # version 2 has looked at them


def test_work_on_a_text_that_was_corrected_is_left(engine: Engine) -> None:
    infer(engine, TEXTS[1])
    planned(engine, weekly_minutes=0.0)
    fill(engine, "Another text.")
    assert next_task(engine, ANNA, SOON, ALL) is None


@pytest.mark.parametrize("people", [6])
def test_claims_by_many_at_once_never_give_a_note_twice(engine: Engine, people: int) -> None:
    """Each reads whatever is given, until nothing is left; who holds what is noted between claim and hand-in."""
    infer(engine, *(f"gout {number}" for number in range(12)))
    planned(engine, double=1.0)
    holding, guard = Counter[int](), threading.Lock()
    read: list[tuple[str, int, int]] = []

    def person(name: str) -> None:
        while (task := next_task(engine, name, SOON, ALL)) is not None:
            with guard:
                holding[task.note_id] += 1
                assert holding[task.note_id] == 1
                read.append((name, task.note_id, task.place))
                holding[task.note_id] -= 1
            hand_in(engine, task.task_id, name, accept_all(task), 1.0, SOON)

    names = [reviewer_of(KEY, str(number)) for number in range(people)]
    in_threads([lambda name=name: person(name) for name in names])
    for name in names:  # who was told that nothing is free while others held the rest asks again
        person(name)
    assert len(read) == len(set(read)) == 24
    assert len({(name, note) for name, note, _ in read}) == 24
    assert Counter(place for *_, place in read) == {1: 12, 2: 12}


def test_what_was_chosen_is_looked_at_again_under_the_lock(postgresql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ben's statement sees the note as free, and goes on only when Anna's claim of it is there."""
    engine = empty(postgresql)
    infer(engine, "gout 1")
    planned(engine)
    late = threading.local()
    real = claiming._still_wanted

    def waiting_for_number_99(*given: str) -> sa.ColumnElement[bool]:
        wait = sa.cast(sa.func.pg_advisory_xact_lock_shared(99), sa.Text).is_not(None)
        return sa.and_(real(*given), wait) if getattr(late, "is_it", False) else real(*given)

    def ben() -> None:
        late.is_it = True
        got.append(next_task(engine, BEN, SOON, ALL))

    got: list[Task | None] = []
    monkeypatch.setattr(claiming, "_still_wanted", waiting_for_number_99)
    thread = threading.Thread(target=ben)
    with engine.begin() as connection:
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(99)"))
        thread.start()
        waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 99 AND NOT granted"
        while not connection.execute(sa.text(waits)).scalar():
            assert thread.is_alive()
        claim(engine, ANNA)
    thread.join()
    assert got == [None]
    engine.dispose()


def test_one_who_asks_many_times_at_once_gets_one_note(engine: Engine) -> None:
    infer(engine, *(f"gout {number}" for number in range(8)))
    planned(engine)
    got: list[int] = []
    start = threading.Barrier(6)

    def ask() -> None:
        start.wait()
        got.append(claim(engine).task_id)

    in_threads([ask] * 6)
    assert len(set(got)) == 1


def test_many_who_hold_notes_at_once_hold_different_ones(engine: Engine) -> None:
    infer(engine, *(f"gout {number}" for number in range(6)))
    planned(engine, double=1.0)
    start, got = threading.Barrier(6), []

    def ask(name: str) -> None:
        start.wait()
        got.append(next_task(engine, name, SOON, ALL))

    in_threads([lambda number=number: ask(reviewer_of(KEY, str(number))) for number in range(6)])
    notes = [task.note_id for task in got if task]
    assert len(notes) == len(set(notes))
    assert len(notes) >= 5


def test_a_tool_takes_many_notes_and_each_once(engine: Engine) -> None:
    infer(engine, *(f"gout {number}" for number in range(5)))
    planned(engine, double=1.0)
    taken = further_tasks(engine, ANNA, SOON, ALL, 3) + further_tasks(engine, ANNA, SOON, ALL, 9)
    assert len({task.note_id for task in taken}) == len(taken) == 5


def test_names_are_not_stored(engine: Engine) -> None:
    infer(engine, TEXTS[0])
    planned(engine)
    task = claim(engine)
    hand_in(engine, task.task_id, ANNA, accept_all(task), 1.0, SOON)
    assert "anna" not in f"{tasks(engine)} {rows(engine, REVIEWS)}".casefold()
    assert reviewer_of(KEY, " anna ") == ANNA != BEN
    assert reviewer_of(KEY, "Jos\N{LATIN SMALL LETTER E WITH ACUTE}") == reviewer_of(
        KEY, "JOSE\N{COMBINING ACUTE ACCENT}"
    )


# ---- decisions ------------------------------------------------------------------------------------


def one_task(engine: Engine, text: str = TEXTS[0]) -> Task:
    infer(engine, text)
    planned(engine)
    return claim(engine)


WHOLE: dict[str, Any] = {
    "seconds": 12.5,
    "mentions": [
        {"number": 0, "decision": "change", "start": 0, "end": 12, "assertion": "historical"},
        {"number": 1, "decision": "accept"},
    ],
    "missed": [{"start": 14, "end": 19, "label": "Treatment"}],
}


def given_with(**changes: Any) -> dict[str, Any]:
    return {**WHOLE, **changes}


def test_a_review_is_written_with_what_is_right(engine: Engine) -> None:
    task = one_task(engine)
    decisions, seconds = parse(WHOLE)
    review = hand_in(engine, task.task_id, ANNA, decisions, seconds, SOON)
    (kept,) = rows(engine, REVIEWS)
    assert (kept.review_id, kept.task_id, kept.reviewer, kept.seconds, kept.corrects) == (review, 1, ANNA, 12.5, None)
    assert [tuple(row)[2:] for row in rows(engine, REVIEW_SPANS)] == [
        ("mention", 0, "change", 0, 12, "Disease", "historical"),
        ("mention", 1, "accept", 20, 27, "Treatment", "present"),
        ("missed", None, "missed", 14, 19, "Treatment", "present"),
    ]
    assert tasks(engine)[0].done_at is not None


def test_a_suggestion_without_an_answer_is_rejected_and_one_that_is_right_is_kept(engine: Engine) -> None:
    task = one_task(engine, TEXTS[2])
    review = hand_in(engine, task.task_id, ANNA, [], 3.0, SOON)
    assert [tuple(row)[2:5] for row in rows(engine, REVIEW_SPANS)] == [("suggestion", 0, "reject")]
    right = Decision("suggestion", 0, "accept")
    correct(engine, review, ANNA, [right], 1.0, SOON)
    assert [tuple(row)[2:6] for row in rows(engine, REVIEW_SPANS)][1] == ("suggestion", 0, "accept", 8)


def test_a_change_that_changes_nothing_accepts(engine: Engine) -> None:
    task = one_task(engine)
    decisions = [Decision("mention", 0, "change", label="Disease"), Decision("mention", 1, "accept")]
    hand_in(engine, task.task_id, ANNA, decisions, 3.0, SOON)
    assert [row.decision for row in rows(engine, REVIEW_SPANS)] == ["accept", "accept"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mentions": WHOLE["mentions"][:1]}, "mention 1 is not answered"),
        ({"mentions": [*WHOLE["mentions"], {"number": 2, "decision": "accept"}]}, "mention 2 was not shown"),
        ({"mentions": [*WHOLE["mentions"], {"number": 1, "decision": "reject"}]}, "mention 1 is answered twice"),
        ({"suggestions": [{"number": 0, "decision": "accept"}]}, "suggestion 0 was not shown"),
        ({"missed": [{"start": 14, "end": 99, "label": "Disease"}]}, "missed: start and end are not within the text"),
        ({"missed": [{"start": -1, "end": 3, "label": "Disease"}]}, "missed: start and end are not within the text"),
        ({"missed": [{"start": 14, "label": "Disease"}]}, "missed: start and end are not within the text"),
        ({"missed": [{"start": 13, "end": 19, "label": "Disease"}]}, "missed: 13-19 begins or ends with a blank"),
        ({"missed": [{"start": 14, "end": 19, "label": "Anatomy"}]}, "missed: the label is none of Disease, Treatment"),
        ({"missed": [{"start": 14, "end": 19}]}, "missed: the label is none of Disease, Treatment"),
        (
            {"missed": [{"start": 14, "end": 19, "label": "Disease", "assertion": "no"}]},
            "missed: the assertion is none of present, negated",
        ),
        (
            {"missed": [{"start": 20, "end": 27, "label": "Disease"}]},
            r"mention 1 \(20-27\) and missed \(20-27\) overlap",
        ),
        (
            {"missed": [{"start": 11, "end": 13, "label": "Disease"}]},
            r"mention 0 \(0-12\) and missed \(11-13\) overlap",
        ),
        ({"seconds": -1}, "seconds are no number from 0"),
        ({"seconds": float("nan")}, "seconds are no number from 0"),
        ({"seconds": "12"}, "seconds are no number from 0"),
        ({"mentions": [{"number": True, "decision": "accept"}]}, "mentions, entry 0: number is no whole number"),
        ({"mentions": [{"number": 0, "decision": "ok"}]}, "mentions, entry 0: decision is none of"),
        ({"mentions": [{"number": 0, "decision": "accept", "end": 4}]}, "mentions, entry 0: only a change has a start"),
        ({"missed": [{"start": 1.5, "end": 4, "label": "Disease"}]}, "missed, entry 0: start is no whole number"),
        ({"missed": ["gout"]}, "missed, entry 0: is no JSON object"),
        ({"missed": {}}, "missed is no list"),
        ({"comment": "the patient is called Mr X"}, "the decisions: has an unknown key; known are"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_written(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    engine = empty(sqlite_url(tmp_path))
    task = one_task(engine)
    with pytest.raises(ReviewError, match=message) as caught:
        hand_in(engine, task.task_id, ANNA, *parse(given_with(**change)), SOON)
    assert "asthma" not in str(caught.value)
    assert "Mr X" not in str(caught.value)
    assert not rows(engine, REVIEWS)
    assert tasks(engine)[0].done_at is None
    assert claim(engine).task_id == task.task_id


def test_seconds_are_asked_for() -> None:
    with pytest.raises(ReviewError, match="seconds are missing"):
        parse({"mentions": []})


def test_only_who_holds_the_note_hands_it_in_and_once(engine: Engine) -> None:
    task = one_task(engine)
    late = SOON + timedelta(minutes=45)
    with pytest.raises(ReviewError, match="in another person's hands"):
        hand_in(engine, task.task_id, BEN, accept_all(task), 1.0, SOON)
    claim(engine, BEN, late)
    with pytest.raises(ReviewError, match="in another person's hands: the claim had lapsed"):
        hand_in(engine, task.task_id, ANNA, accept_all(task), 1.0, late)
    hand_in(engine, task.task_id, BEN, accept_all(task), 1.0, late)
    for name, message in ((BEN, "was handed in before:"), (ANNA, "was handed in before, by another reviewer:")):
        with pytest.raises(ReviewError, match=message):
            hand_in(engine, task.task_id, name, accept_all(task), 1.0, late)
    assert len(rows(engine, REVIEWS)) == 1
    with pytest.raises(ReviewError, match="no task 99"):
        hand_in(engine, 99, ANNA, [], 1.0, late)


def test_a_lapsed_claim_that_nobody_took_still_counts(engine: Engine) -> None:
    task = one_task(engine)
    hand_in(engine, task.task_id, ANNA, accept_all(task), 1.0, SOON + timedelta(hours=5))
    assert len(rows(engine, REVIEWS)) == 1


def test_handing_in_many_times_at_once_writes_one_review(engine: Engine) -> None:
    task = one_task(engine)
    refused = []

    def run() -> None:
        try:
            hand_in(engine, task.task_id, ANNA, accept_all(task), 1.0, SOON)
        except ReviewError:
            refused.append(1)

    in_threads([run] * 5)
    assert (len(rows(engine, REVIEWS)), len(refused)) == (1, 4)


def test_a_correction_is_a_new_review_and_the_newest_is_corrected(engine: Engine) -> None:
    task = one_task(engine)
    first = hand_in(engine, task.task_id, ANNA, accept_all(task), 9.0, SOON)
    before = rows(engine, REVIEW_SPANS)
    second = correct(engine, first, BEN, *parse(WHOLE), SOON)
    with pytest.raises(ReviewError, match=f"was corrected by review {second}"):
        correct(engine, first, ANNA, *parse(WHOLE), SOON)
    with pytest.raises(ReviewError, match="no review 77"):
        correct(engine, 77, ANNA, *parse(WHOLE), SOON)
    with pytest.raises(ReviewError, match="mention 0 is not answered"):
        correct(engine, second, ANNA, [], 1.0, SOON)
    assert [row.corrects for row in rows(engine, REVIEWS)] == [None, first]
    assert rows(engine, REVIEW_SPANS)[: len(before)] == before


# ---- evidence -------------------------------------------------------------------------------------


def test_evidence_is_what_was_read_beside_all_notes(engine: Engine) -> None:
    infer(engine, *TEXTS)
    planned(engine)
    by_stratum = {}
    for _ in TEXTS:
        task = claim(engine)
        decisions = parse(WHOLE)[0] if task.stratum == "accepted" else accept_all(task)
        if task.stratum == "suggested":
            decisions = [Decision("suggestion", 0, "accept")]
        by_stratum[task.stratum] = hand_in(engine, task.task_id, ANNA, decisions, 10.0, SOON)
    found = audited(engine, "1", slices=("sex",))
    notes = {note.stratum: note for note in found.notes}
    assert {name: part.notes for name, part in found.frame.strata.items()} == dict.fromkeys(STRATA, 1)
    assert found.frame.slices["sex", "male"]["accepted"].labels["Disease"] == (1, 1, 0.75, 0.75)
    assert notes["accepted"].spans == (("Disease", 0.75, True, False), ("Treatment", 0.75, True, True))
    assert notes["accepted"].missed == {"Disease": 1, "Treatment": 1}
    assert notes["accepted"].slices == {"sex": "male"}
    assert notes["suggested"].missed == {"Disease": 1}
    assert (notes["suggested"].spans, notes["silent"].spans, notes["silent"].missed) == ((), (), {})
    assert {note.probability for note in found.notes} == {1.0}

    right = [Decision("mention", 0, "change", assertion="negated"), Decision("mention", 1, "accept")]
    correct(engine, by_stratum["accepted"], BEN, right, 5.0, SOON)
    notes = {note.stratum: note for note in audited(engine, "1").notes}
    assert [span.correct for span in notes["accepted"].spans] == [True, True]  # an assertion is no part of the span
    assert (notes["accepted"].missed, notes["accepted"].seconds) == ({}, 10.0)


def test_notes_of_an_unfinished_audit_stand_for_those_not_read_yet(engine: Engine) -> None:
    infer(engine, *(f"gout {number}" for number in range(8)))
    planned(engine)
    for _ in range(2):
        task = claim(engine)
        hand_in(engine, task.task_id, ANNA, accept_all(task), 10.0, SOON)
    found = audited(engine, "1")
    assert [note.probability for note in found.notes] == [0.25, 0.25]
    assert sum(1 / note.probability for note in found.notes) == found.frame.strata["accepted"].notes == 8


def test_a_plan_that_nobody_has_begun_is_no_evidence_and_work_is_none(engine: Engine) -> None:
    infer(engine, TEXTS[1])
    planned(engine, weekly_minutes=0.0)
    task = claim(engine)
    hand_in(engine, task.task_id, ANNA, accept_all(task), 10.0, SOON)
    assert audited(engine, "1") == ((), audited(engine, "none").frame)


def test_a_second_reading_is_no_second_note(engine: Engine) -> None:
    infer(engine, "gout")
    planned(engine, double=1.0)
    for name in (ANNA, BEN):
        task = claim(engine, name)
        hand_in(engine, task.task_id, name, accept_all(task), 10.0, SOON)
    assert len(audited(engine, "1").notes) == 1
    assert len(list(audited_accepted(engine, "1"))) == 1


def test_a_bet_has_its_bounds_before_anybody_looks(engine: Engine) -> None:
    infer(engine, *TEXTS, "gout asthma aspirin")
    planned(engine)
    (before,) = audits(engine, "1")
    assert (list(before.notes), before.rarest, before.most) == ([], 1.0, 3)
    task = claim(engine)
    while task.stratum != "accepted" or len(task.spans) != 2:
        hand_in(engine, task.task_id, ANNA, accept_all(task), 1.0, SOON)
        task = claim(engine)
    hand_in(engine, task.task_id, ANNA, parse(WHOLE)[0], 1.0, SOON)
    (after,) = audits(engine, "1")
    assert (after.rarest, after.most) == (1.0, 3)
    assert after.notes[-1].probability == 1.0
    assert after.notes[-1].found == {"Disease": (1, 0), "Treatment": (1, 1)}
    planned(engine, SOON + timedelta(days=1), weekly_minutes=0.0)
    assert len(audits(engine, "1")) == 1


def test_confidence_is_that_of_weeks_whatever_plans_are_made(engine: Engine) -> None:
    """Daily for two weeks, the timer late and early by an hour; then weekly; the last plan's week is not over."""
    infer(engine)
    hours = [*(24 * day + (day % 2) for day in range(15)), 24 * 21 - 1, 24 * 28, 24 * 29]
    means = [0.9] * 7 + [0.8, 0.6] * 3 + [0.7] + [0.5, 0.4, 0.1]
    with writing(engine) as connection:
        for (start, end), mean in zip(pairwise(hours), means, strict=True):
            strata = {"accepted": {"notes": 1, "labels": {"Disease": [1, 1, mean, mean]}, "slices": []}}
            times = {name: NOW + timedelta(hours=hour) for name, hour in (("since", start), ("until", end))}
            values = {"model_version": "1", "planned_at": NOW, "minutes": 1.0, "strata": strata, **times}
            connection.execute(insert(REVIEW_PLANS).values(values))
    assert confidences(engine, "1") == pytest.approx([0.9, 0.7, 0.5, 0.4])
    assert confidences(engine, "1", NOW + timedelta(days=14)) == pytest.approx([0.5, 0.4])
    assert confidences(engine, "2") == []


def test_accepted_mentions_come_in_the_order_of_their_reviews(engine: Engine) -> None:
    infer(engine, "gout 1", "gout 2", TEXTS[1])
    planned(engine)
    taken = [claim(engine, name) for name in (ANNA, BEN, reviewer_of(KEY, "Cem"))]
    reviews = {}
    for minutes, (name, task) in enumerate(zip((ANNA, BEN, reviewer_of(KEY, "Cem")), taken, strict=True)):
        reviews[task.note_id] = hand_in(
            engine, task.task_id, name, accept_all(task), 1.0, SOON + timedelta(minutes=10 - minutes)
        )
    first = next(task for task in reversed(taken) if task.stratum == "accepted")
    correct(engine, reviews[first.note_id], BEN, [Decision("mention", 0, "reject")], 1.0, SOON + timedelta(days=1))
    found = list(audited_accepted(engine, "1"))
    assert [one.note_id for one in found] == [task.note_id for task in reversed(taken) if task.stratum == "accepted"]
    assert [one.correct for one in found] == [False, True]


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**64))
def test_what_the_notes_stand_for_is_all_notes_on_average(tmp_path: Path, seed: int) -> None:
    """With other keys the sample is another; the sizes that it stands for scatter around the frame's."""
    loads = {"accepted": Load(400, 8000.0), "silent": Load(100, 500.0)}
    drawn = rates(loads, 1500.0, 0.1)
    totals = dict.fromkeys(loads, 0.0)
    keys = [f"{(seed + turn) % 2**128:032x}" for turn in range(40)]
    for key in keys:
        for name, load in loads.items():
            taken = sum(draw(key, "audit", f"{name} {number}") < drawn[name] for number in range(load.notes))
            totals[name] += taken / drawn[name] / len(keys)
    for name, load in loads.items():
        error = (load.notes * (1 - drawn[name]) / drawn[name] / len(keys)) ** 0.5
        assert abs(totals[name] - load.notes) < 5 * error


def test_reviews_have_no_words_of_a_note(engine: Engine) -> None:
    task = one_task(engine)
    hand_in(engine, task.task_id, ANNA, *parse(WHOLE), SOON)
    for table in (REVIEWS, REVIEW_SPANS, REVIEW_TASKS, REVIEW_PLANS):
        assert "asthma" not in str(rows(engine, table)).casefold()

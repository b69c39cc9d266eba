"""The watch: each window of the log is judged once, against what it has to be held against, wherever it was killed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, select
from sqlalchemy.exc import OperationalError

from production.database.engine import reading, writing
from production.database.schema import SERVING_LOG
from production.database.watch_tables import ALERTS, DECISIONS, WATCH_REFERENCES, WATCH_WINDOWS
from production.log.exporting import Window, export_log
from production.log.folder import open_folder
from production.review.quality import Quality
from production.watch import keeping, running
from production.watch.__main__ import _tell
from production.watch.chain import verify
from production.watch.channels import load_channels
from production.watch.consequences import Consequences
from production.watch.judging import Judged
from production.watch.keeping import reset
from production.watch.periods import SETTLED, periods
from production.watch.running import Place, watch
from production.watch.status import show, status
from stages.common.errors import BeHealthyError
from stages.monitor.audited import watch_promise
from stages.monitor.decision import NOTHING_KNOWN, Harm
from stages.monitor.times import as_utc
from tests.served import MONDAY, NOTES, WEEK, Hospital, params_of, watched


@pytest.fixture
def place(hospital: Hospital, tmp_path: Path) -> Place:
    params = params_of()
    profile = hospital.profile(tmp_path / "profile.parquet", 400)
    return Place(hospital.engine, params, watched("speciality", "tokens"), 0.95, load_channels(params, {}), profile)


def at(week: float) -> datetime:
    """Return a moment in a week, numbered from 0, after which what came before is settled."""
    return MONDAY + week * WEEK + SETTLED


def judge(place: Place, week: float) -> list[Judged]:
    return list(watch(place, at(week)))


def found_in_time(place: Place, first: int, last: int) -> list[Judged]:
    """Judge week by week, each as soon as it is over."""
    return [judged for week in range(first, last + 1) for judged in judge(place, week)]


def kept(engine: Engine, table: Any = WATCH_WINDOWS, *names: str) -> list[tuple[Any, ...]]:
    columns = [table.c[name] for name in names or ("name", "notes", "reference", "decision", "acts")]
    with reading(engine) as connection:
        return [tuple(row) for row in connection.execute(select(*columns).order_by(*table.primary_key.columns))]


def test_each_window_is_judged_once_and_when_it_is_over(hospital: Hospital, place: Place) -> None:
    hospital.weeks(0, 3, NOTES)
    assert [one.period.name for one in judge(place, 2.5)] == ["2026-W02", "2026-W03"]
    assert judge(place, 2.9) == []
    assert [one.period.name for one in judge(place, 4)] == ["2026-W04", "2026-W05"]
    assert [(name, notes) for name, notes, *_ in kept(hospital.engine)] == [
        (f"2026-W{week:02}", NOTES) for week in (2, 3, 4, 5)
    ]
    assert len(kept(hospital.engine, DECISIONS, "number")) == 4


def test_a_window_waits_until_batches_at_work_have_written(hospital: Hospital, place: Place) -> None:
    hospital.weeks(0, 0, NOTES)
    assert list(watch(place, MONDAY + WEEK + SETTLED - timedelta(seconds=1))) == []


def test_the_first_windows_are_held_against_the_profile_and_the_others_against_them(
    hospital: Hospital, place: Place
) -> None:
    hospital.weeks(0, 7, NOTES)
    found = judge(place, 6)
    assert [one.reference for one in found] == ["profile"] * 3 + ["served"] * 3
    assert [one.finding.topic for one in found] == ["learned"] * 3 + ["drift"] * 3
    assert [one.finding.acts for one in found] == [False] * 5 + [True]  # what was passed over starts nothing
    assert [one.finding.acts for one in found_in_time(place, 6, 8)] == [True] * 2
    [(since, until, rows)] = kept(hospital.engine, WATCH_REFERENCES, "since", "until", "rows")
    assert (as_utc(since), as_utc(until), rows) == (MONDAY, MONDAY + 3 * WEEK, 3 * NOTES)


def test_a_small_hospital_has_a_reference_after_so_many_windows(hospital: Hospital, place: Place) -> None:
    hospital.weeks(0, 3, NOTES)
    few = Place(**{**vars(place), "params": params_of(reference_notes=10_000, reference_windows=2)})
    assert [one.reference for one in judge(few, 4)] == ["profile", "profile", "served", "served"]


def test_notes_that_change_are_found_and_so_are_notes_that_were_never_learned_from(
    hospital: Hospital, place: Place
) -> None:
    hospital.weeks(0, 3, 400)
    hospital.weeks(4, 9, 400, drift=0.2)
    found = {one.period.name: one.finding for one in judge(place, 10)}
    assert {found[f"2026-W{week:02}"].decision for week in (2, 3, 4, 5)} <= {"none", "too_few_notes", "watch"}
    assert found["2026-W11"].decision == "redevelop"
    assert "speciality" in found["2026-W11"].reasons[0]
    other = Hospital(hospital.engine, seed=1)
    other.promote("2", at(10))
    other.serve(at(10), 400, drift=0.3, version="2", days=3)
    [told] = judge(place, 11)
    assert (told.finding.topic, told.finding.decision, told.finding.acts) == ("learned", "redevelop", False)


def test_what_windows_add_up_to_begins_anew_after_the_reference(hospital: Hospital, place: Place) -> None:
    """Notes unlike those of the profile are reported, and are no drift once they are what is served."""
    hospital.weeks(0, 6, 400, drift=0.3)
    found = judge(place, 7)
    assert {one.finding.decision for one in found if one.reference == "profile"} == {"redevelop"}
    assert {one.finding.decision for one in found if one.reference == "served"} <= {"none", "too_few_notes", "watch"}


@pytest.mark.parametrize("killed_at", range(6))
def test_wherever_it_is_killed_it_takes_up_where_it_was(
    hospital: Hospital, place: Place, killed_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    hospital.weeks(0, 5, NOTES)

    class Killed(BaseException):
        """No error that anybody would catch."""

    follow: Callable[..., Any] = keeping.follow
    calls = iter(range(100))

    def dying(*given: Any, **named: Any) -> Any:
        if next(calls) == killed_at:
            raise Killed
        return follow(*given, **named)

    monkeypatch.setattr(keeping, "follow", dying)
    with pytest.raises(Killed):
        judge(place, 6)
    assert len(kept(hospital.engine)) == len(kept(hospital.engine, DECISIONS, "number")) == killed_at
    judge(place, 6)
    names = ("name", "notes", "reference", "decision", "acts", "judged")
    again = kept(hospital.engine, WATCH_WINDOWS, *names)
    with writing(hospital.engine) as connection:
        for table in (WATCH_WINDOWS, WATCH_REFERENCES, DECISIONS):
            connection.execute(delete(table))
    judge(place, 6)
    assert kept(hospital.engine, WATCH_WINDOWS, *names) == again


def test_two_processes_make_one_decision(
    hospital: Hospital, place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hospital.weeks(0, 2, NOTES)
    keep, others = running.keep, iter([True])

    def late(*given: Any) -> Any:
        if next(others, False):
            judge(place, 3)  # another process, while this one compares
        return keep(*given)

    monkeypatch.setattr(running, "keep", late)
    assert judge(place, 3) == []
    assert "was judged by another process" in capsys.readouterr().err
    assert [name for name, *_ in kept(hospital.engine)] == ["2026-W02", "2026-W03", "2026-W04"]
    assert len(kept(hospital.engine, DECISIONS, "number")) == 3


def test_a_week_without_notes_is_unknown_and_alerts(hospital: Hospital, place: Place) -> None:
    hospital.weeks(0, 0, NOTES)
    found = judge(place, 2)
    assert [one.finding.decision for one in found][1:] == ["unknown"]
    assert found[1].finding.alerting


@pytest.mark.parametrize("fault", [ZeroDivisionError("known asthma"), BeHealthyError("no /srv/profile.parquet")])
def test_a_comparison_that_fails_is_unknown(
    hospital: Hospital, place: Place, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    hospital.weeks(0, 0, NOTES)

    def failing(*_: Any) -> Any:
        raise fault

    monkeypatch.setattr("production.watch.judging.judge", failing)
    [judged] = judge(place, 1)
    assert judged.finding.decision == "unknown"
    assert not any(word in str(judged.finding) for word in ("asthma", "/srv"))
    assert [row[3] for row in kept(hospital.engine)] == ["unknown"]


def test_a_database_that_does_not_answer_decides_nothing(
    hospital: Hospital, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    hospital.weeks(0, 0, NOTES)

    def gone(*_: Any) -> Any:
        raise OperationalError("SELECT", None, ConnectionError("gone"))

    with monkeypatch.context() as patched:
        patched.setattr("production.watch.serving.InDatabase.read", gone)
        with pytest.raises(OperationalError):
            judge(place, 1)
    assert kept(hospital.engine) == []
    assert [one.finding.decision for one in judge(place, 1)] == ["too_few_notes"]


def test_a_profile_that_is_not_there_is_unknown(hospital: Hospital, place: Place, tmp_path: Path) -> None:
    hospital.weeks(0, 4, NOTES)
    (tmp_path / "profile.parquet").unlink()
    found = judge(place, 5)
    assert [one.finding.decision for one in found[:3]] == ["unknown"] * 3
    assert "unknown" not in [one.finding.decision for one in found[3:]]  # they are held against what was served


def test_a_reference_that_is_no_more_what_it_was_is_unknown(hospital: Hospital, place: Place) -> None:
    hospital.weeks(0, 3, NOTES)
    judge(place, 3)
    with writing(hospital.engine) as connection:
        first = select(SERVING_LOG.c.log_id).order_by(SERVING_LOG.c.log_id).limit(1).scalar_subquery()
        connection.execute(delete(SERVING_LOG).where(SERVING_LOG.c.log_id == first))
    [judged] = judge(place, 4)
    assert judged.finding.decision == "unknown"
    assert "reset" in judged.finding.reasons[0]


def test_after_a_reset_notes_may_be_as_they_are(hospital: Hospital, place: Place) -> None:
    hospital.weeks(0, 2, 400)
    hospital.weeks(3, 9, 400, drift=0.3)
    assert judge(place, 5)[-1].finding.decision == "redevelop"
    assert reset(hospital.engine, "a new ward", at(5), place.params, place.channels) == "1"
    found = judge(place, 10)
    assert found[0].period.since == at(5)
    assert {one.finding.decision for one in found if one.reference == "served"} <= {"none", "too_few_notes", "watch"}
    assert [kind for _, kind in kept(hospital.engine, DECISIONS, "number", "kind")].count("reset") == 1


def test_a_share_of_notes_that_are_set_aside_is_found(hospital: Hospital, place: Place) -> None:
    counting = Place(**{**vars(place), "monitor": watched("tokens", "quarantined")})
    hospital.weeks(0, 2, 400)
    hospital.weeks(3, 4, 400, quarantined=0.08)
    found = judge(counting, 5)
    assert {one.finding.decision for one in found[:3]} <= {"none", "too_few_notes"}
    assert "quarantine" in found[-1].finding.reasons[0]
    assert found[-1].finding.decision not in ("none", "too_few_notes")


def topics(engine: Engine) -> list[tuple[str, bool]]:
    return [(topic, closed is None) for _, topic, closed in kept(engine, ALERTS, "alert_id", "topic", "closed_at")]


def test_alerts_about_notes_are_over_after_a_reset(hospital: Hospital, place: Place) -> None:
    hospital.weeks(0, 2, 400)
    hospital.weeks(3, 4, 400, drift=0.3)
    judge(place, 5)
    assert topics(hospital.engine) == [("drift", True)]
    reset(hospital.engine, "a new ward", at(5), place.params, place.channels)
    assert topics(hospital.engine) == [("drift", False)]


def test_alerts_about_the_first_weeks_are_over_after_them(hospital: Hospital, place: Place) -> None:
    hospital.weeks(0, 1, 400, drift=0.3)
    judge(place, 1)
    assert topics(hospital.engine) == [("learned", True)]
    judge(place, 2)
    assert topics(hospital.engine) == [("learned", False)]


def test_the_first_window_against_the_reference_is_told_though_it_ends_an_alert(
    hospital: Hospital, place: Place
) -> None:
    hospital.weeks(0, 0, 400, drift=0.3)
    judge(place, 1)
    hospital.weeks(1, 1, 400)
    assert judge(place, 2)[-1].finding.decision == "redevelop"
    assert topics(hospital.engine) == [("learned", False), ("drift", True)]


def test_the_first_window_of_another_model_is_told_though_it_ends_an_alert(hospital: Hospital, place: Place) -> None:
    hospital.weeks(0, 2, 400)
    hospital.weeks(3, 4, 400, drift=0.3)
    judge(place, 5)
    hospital.promote("2", at(5))
    hospital.serve(at(5), 400, drift=0.3, version="2", days=3)
    judge(place, 6)
    assert topics(hospital.engine) == [("drift", False), ("learned", True)]


def test_alerts_about_the_model_before_are_over_when_another_is_at_work(hospital: Hospital, place: Place) -> None:
    hospital.weeks(0, 2, 400)
    hospital.weeks(3, 4, 400, drift=0.3)
    judge(place, 5)
    hospital.promote("2", at(5))
    hospital.serve(at(5), 400, version="2", days=3)
    judge(place, 6)
    assert topics(hospital.engine) == [("drift", False)]


def test_another_champion_begins_anew(hospital: Hospital, place: Place) -> None:
    hospital.weeks(0, 4, NOTES)
    judge(place, 4)
    hospital.promote("2", at(4.5))
    hospital.serve(at(4.5), NOTES, version="2", days=3)
    [judged] = judge(place, 5)
    assert (judged.finding.model_version, judged.reference) == ("2", "profile")
    assert judged.finding.figures["decision"]["notes"] == NOTES


def test_windows_of_so_many_rows(hospital: Hospital, place: Place) -> None:
    hospital.weeks(0, 3, NOTES)
    counting = Place(**{**vars(place), "params": params_of(window="count-100")})
    found = judge(counting, 4)
    assert [one.period.first for one in found] == [1, 101, 201, 301]
    assert [one.finding.figures["decision"]["notes"] for one in found] == [100] * 4
    assert judge(counting, 4) == []
    hospital.weeks(4, 4, NOTES)
    assert [one.period.first for one in judge(counting, 5)] == [401, 501]


def test_a_folder_of_the_log_says_the_same_as_the_database(hospital: Hospital, place: Place, tmp_path: Path) -> None:
    hospital.weeks(0, 4, NOTES)
    export_log(hospital.engine, open_folder(str(tmp_path / "log")), Window())
    names = ("name", "notes", "reference", "decision", "judged")
    judge(Place(**{**vars(place), "log": tmp_path / "log"}), 5)
    from_folder = kept(hospital.engine, WATCH_WINDOWS, *names)
    with writing(hospital.engine) as connection:
        for table in (WATCH_WINDOWS, WATCH_REFERENCES, DECISIONS):
            connection.execute(delete(table))
    judge(place, 5)
    assert kept(hospital.engine, WATCH_WINDOWS, *names) == from_folder


def test_what_people_found_is_weighed(hospital: Hospital, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    hospital.weeks(0, 3, NOTES)
    quality = Quality(Harm("falls", audited=True), watch_promise([], ["Disease"]), None, None, None, 0)
    monkeypatch.setattr(running.Promise, "quality", lambda *_: quality)
    found = judge(place, 3)
    assert {one.finding.decision for one in found} == {"retrain_and_alert"}
    assert [one.finding.acts for one in found] == [False, False, True]  # also in the first weeks: people saw it


def test_the_status_says_what_is_overdue(hospital: Hospital, place: Place) -> None:
    hospital.weeks(0, 4, NOTES)
    judge(place, 2)
    assert status(hospital.engine, place.params, at(2.1), 5)["overdue"] == []
    found = status(hospital.engine, place.params, at(4), 1)
    assert found["overdue"] == ["2026-W04"]  # that of the fourth week has a day
    assert found["attention"]
    assert found["age_seconds"] == (2 * WEEK + SETTLED).total_seconds()
    assert [one["name"] for one in found["windows"]] == ["2026-W03"]


def test_people_read_what_is_open_since_when_and_where_to_look(
    hospital: Hospital, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    hospital.weeks(0, 3, NOTES, drift=0.3)
    judge(place, 2)
    show(status(hospital.engine, place.params, at(4), 2), as_json=False)
    said = capsys.readouterr().out
    assert "OVERDUE: 2026-W04: `python -m production.watch run`" in said
    assert "ALERT: learned: redevelop: open since " in said
    assert "docs/runbook.md, section learned" in said


def test_where_nobody_can_be_told_it_says_so(
    hospital: Hospital, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    hospital.weeks(0, 0, NOTES, drift=0.3)
    found: list[tuple[Judged, Consequences]] = []
    list(watch(place, at(1), lambda *both: found.append(both)))
    for told, words in ((True, "people are told"), (False, "nobody is told: BEHEALTHY_ALERTS has no address")):
        _tell(*found[0], told=told)
        assert words in capsys.readouterr().out
    assert found[0][0].finding.figures["notes"] == NOTES  # an alert says of how many


def test_no_champion_is_said(engine: Engine, tmp_path: Path) -> None:
    params = params_of()
    with pytest.raises(BeHealthyError, match="no champion"):
        list(watch(Place(engine, params, watched("tokens"), 0.95, load_channels(params, {})), at(1)))


def test_every_decision_is_in_the_log_of_decisions(hospital: Hospital, place: Place) -> None:
    hospital.weeks(0, 3, NOTES)
    judge(place, 4)
    with reading(hospital.engine) as connection:
        assert verify(connection).number is None


@given(
    start=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
    hours=st.integers(0, 24 * 400),
    scheme=st.sampled_from(["day", "week"]),
)
def test_periods_cover_the_time_without_gaps(start: datetime, hours: int, scheme: Any) -> None:
    now = start + timedelta(hours=hours)
    found = list(periods(scheme, start, now))
    longest = timedelta(days=1 if scheme == "day" else 7)
    ends = [start, *(one.until for one in found)]
    assert [one.since for one in found] == ends[:-1]
    assert all(timedelta(0) < one.until - one.since <= longest for one in found)
    assert now - ends[-1] < longest + SETTLED
    assert len({one.name for one in found}) == len(found)


def test_what_was_found_before_notes_changed_says_nothing_of_them(
    hospital: Hospital, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Quality holds over all, and over what came since the change as soon as that was read: from the third week on."""
    hospital.weeks(0, 4, 400)
    hospital.weeks(5, 8, 400, drift=0.3)
    holds = Quality(Harm("holds", audited=True), watch_promise([], ["Disease"]), 0.95, 0.97, 0.98, 300)
    asked: list[tuple[datetime, datetime]] = []

    def of_changed(_: Any, known: Quality, since: datetime) -> Quality:
        asked.append((now, since))
        return known if now >= at(8) else replace(known, harm=NOTHING_KNOWN)

    monkeypatch.setattr(running.Promise, "quality", lambda *_: holds)
    monkeypatch.setattr(running.Promise, "of_changed", of_changed)
    decisions = {}
    for now in (at(week) for week in range(1, 10)):  # each week in a run of its own: it is in the database since when
        decisions |= {one.period.since: one.finding.decision for one in watch(place, now)}
    far = [decisions[MONDAY + week * WEEK] for week in range(5, 9)]
    assert far == ["redevelop", "redevelop", "retrain_and_alert", "retrain_and_alert"]
    assert [since for _, since in asked] == [*(MONDAY + week * WEEK for week in range(6)), *[MONDAY + 5 * WEEK] * 3]


@pytest.mark.parametrize("weeks", [[1, 2, 3], [3]])
def test_a_first_week_that_was_far_from_what_was_learned_says_nothing_of_later_ones(
    hospital: Hospital, place: Place, monkeypatch: pytest.MonkeyPatch, weeks: list[int]
) -> None:
    """It makes the reference, and is far from the profile; those after it are far from it."""
    hospital.weeks(0, 0, 400, drift=0.3)
    hospital.weeks(1, 2, 400)
    asked: list[datetime] = []
    monkeypatch.setattr(running.Promise, "of_changed", lambda _, known, since: (asked.append(since), known)[1])
    found = [one for week in weeks for one in judge(place, week)]
    assert [one.reference for one in found] == ["profile", "served", "served"]
    assert {one.finding.decision for one in found} == {"redevelop"}
    assert asked == [MONDAY, MONDAY + WEEK, MONDAY + WEEK]

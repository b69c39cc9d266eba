"""What audits say of the champion, out of the database: figures with intervals, beside what the model says itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine

from production.database.engine import DatabaseError
from production.review import __main__ as command
from production.review import quality
from production.review.estimating import known
from production.review.quality import Promise
from stages.common.variables import DATABASE, LOG_KEY
from stages.monitor.audited import ALL
from stages.monitor.decision import NOTHING_KNOWN
from tests.production import KEY, empty, sqlite_url
from tests.served import LABELS, MONDAY, WEEK
from tests.simulated_year import Truth, Year

WEEKS = 4


def lived(engine: Engine, folder: Path, precision: float, weeks: int = WEEKS) -> Year:
    year = Year(engine, folder, lambda _: Truth(precision=precision), slices=("speciality",), sending=False)
    for week in range(weeks):
        year.serve(week)
        year.read(week, MONDAY + (week + 1) * WEEK)
    return year


def test_figures_are_those_of_the_audit_and_cover_the_truth(engine: Engine, tmp_path: Path) -> None:
    lived(engine, tmp_path, 0.97)
    found = known(engine, 0.95, ("speciality",), MONDAY + WEEKS * WEEK)
    accepted = found.whole.accepted[ALL]
    assert found.notes == WEEKS * 250
    assert 0 < found.reviewed < found.notes
    assert accepted.low < 0.97 < accepted.high
    assert not accepted.estimated
    assert found.whole.accepted_unlabelled[ALL].estimated
    assert found.whole.recall["Treatment"].value > found.whole.recall["Disease"].value  # what is missed is a disease
    assert {value for _, value in found.slices} == {"cardiology", "neurology", "surgery"}
    assert found.whole.minutes.value == pytest.approx(21.5 / 60, rel=0.1)


def test_a_promise_that_is_kept_is_not_called_broken_and_one_that_is_broken_is(engine: Engine, tmp_path: Path) -> None:
    lived(engine, tmp_path, 0.97)
    assert known(engine, 0.95, (), MONDAY + WEEKS * WEEK).quality.harm.verdict == "holds"
    broken = known(engine, 0.999, (), MONDAY + WEEKS * WEEK).quality
    assert (broken.harm.verdict, broken.harm.audited) == ("falls", True)


def test_that_quality_holds_has_to_be_found_in_what_came_since_a_change(engine: Engine, tmp_path: Path) -> None:
    lived(engine, tmp_path, 0.98)
    promise, weeks = Promise(engine, "1", LABELS, 0.95, MONDAY), [MONDAY + week * WEEK for week in range(WEEKS + 1)]
    whole = promise.quality(weeks[-1])
    assert [promise.of_changed(whole, week).harm.verdict for week in (weeks[0], weeks[1])] == ["holds", "holds"]
    after = promise.of_changed(whole, weeks[-1])  # the last plan ends then: nobody has read anything since
    assert after.harm == NOTHING_KNOWN
    assert (after.value, after.reviewed) == (whole.value, whole.reviewed)
    broken = Promise(engine, "1", LABELS, 0.999, MONDAY).quality(weeks[-1])
    assert promise.of_changed(broken, weeks[-1]) is broken


def test_a_late_watch_reads_the_reviews_once_for_all_of_its_windows(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lived(engine, tmp_path, 0.98, weeks=3)
    reads: list[int] = []
    read = quality.audited_plans
    monkeypatch.setattr(quality, "audited_plans", lambda *given: (reads.append(1), read(*given))[1])
    promise = Promise(engine, "1", LABELS, 0.95, MONDAY)
    whole = promise.quality(MONDAY + 3 * WEEK)
    assert {promise.of_changed(whole, MONDAY + week * WEEK).harm.verdict for week in range(3)} >= {"holds"}
    assert len(reads) == 1


def test_the_bet_begins_anew_after_a_year(engine: Engine, tmp_path: Path) -> None:
    lived(engine, tmp_path, 0.8, weeks=3)
    promise = Promise(engine, "1", LABELS, 0.95, MONDAY)
    assert promise.quality(MONDAY + 51 * WEEK).harm.verdict == "falls"
    assert promise.quality(MONDAY + 53 * WEEK).harm.verdict == "unknown"


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    engine = empty(sqlite_url(tmp_path))
    monkeypatch.setenv(DATABASE, str(engine.url))
    monkeypatch.setenv(LOG_KEY, KEY)
    assert command.main(["estimate"]) == 2
    assert "no champion" in capsys.readouterr().err
    lived(engine, tmp_path, 0.97, weeks=2)
    assert command.main(["estimate"]) == 0
    said = capsys.readouterr().out
    assert "precision, accepted   all labels" in said
    assert "speciality: cardiology" in said
    assert command.main(["estimate", "--json", "--since", "2030-01-01"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["reviewed"] == 0
    assert shown["estimates"]["accepted"][ALL]["value"] is None
    assert command.main(["estimate", "--since", "2030-01-01"]) == 2
    assert "no audited note" in capsys.readouterr().err


def test_no_champion_is_an_error(engine: Engine) -> None:
    with pytest.raises(DatabaseError, match="no champion"):
        known(engine, 0.95, (), MONDAY)

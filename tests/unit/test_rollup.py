"""The roll-up: what other rooms found, kept as it is, whole or with the reason why not."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, select

from production.database.engine import reading
from production.database.rollup_tables import ROLLUPS
from production.database.watch_tables import DECISIONS, WATCH_WINDOWS
from production.review.estimates import estimates
from production.review.evidence import audited
from production.rollup import __main__ as command
from production.rollup import keeping
from production.rollup.keeping import roll_up
from production.rollup.reading import FAULT, SHAPE, SHAPE_KEY, live, read
from production.watch.history import history, newest
from production.watch.periods import SETTLED
from production.watch.status import due
from stages.common.errors import BeHealthyError
from stages.common.files import rounded
from stages.evaluate.kpi import ERRORS, HOURS
from stages.monitor.audited import ALL
from tests.rolled_year import NOW, WEEKS, at, day, lived, place_of, unheard
from tests.served import LABELS, MONDAY, WEEK, Hospital, params_of
from tests.simulated_year import NOTES


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = lived(tmp_path_factory.mktemp("year"))
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def rolled(year: Engine) -> dict[str, Any]:
    return roll_up(place_of(year), NOW)


def test_an_empty_database_has_a_roll_up_in_which_nothing_is_known(engine: Engine) -> None:
    found = roll_up(place_of(engine), NOW)
    assert not any(FAULT in content for content in found.values())
    assert (found["today"]["champion"], found["today"]["decision"], found["today"]["due"]) == (None, None, None)
    assert found["today"]["kpi"]["measured"] is None
    assert (found["drift"]["windows"], found["quality"]["known"]) == ([], None)
    assert (found["shadow"]["compared"], found["reviewers"]["agreement"]) == (None, None)


def test_what_is_kept_is_what_was_computed_and_the_last_one_counts(engine: Engine) -> None:
    assert read(engine, "today") is None
    roll_up(place_of(engine), day(1))
    found = roll_up(place_of(engine), day(2))
    for name, content in found.items():
        assert read(engine, name) == (content, day(2))
    with reading(engine) as connection:
        names = sorted(connection.execute(select(ROLLUPS.c.name)).scalars())
    assert names == ["drift", "quality", "reviewers", "shadow", "today"]


def test_the_same_database_gives_the_same_figures(year: Engine, rolled: dict[str, Any]) -> None:
    assert roll_up(place_of(year), NOW) == rolled


OUTLINE = {
    "today": "ahead alerts champion decision due kpi notes overdue undelivered",
    "drift": "bands columns due slices windows",
    "quality": "all_labels champion known months reviews",
    "shadow": "compared",
    "reviewers": "agreement",
    "today notes": "mended notes quarantine quarantined results served texts waiting",
    "today kpi": "expected measured",
    "today measured": "difference figures reviewed since",
    "drift window": "acts at column decision follows harmed name notes number reasons reference since until version",
    "drift column": "band deviation fault high low noise window",
    "drift slice": "column decision deviation high low notes window",
    "quality known": "accepted estimates notes promise promised quality reviewed slices version",
    "quality reviews": "status weekly_minutes weeks",
    "quality month": "estimates month reviewed",
}
"""Of shape 2."""


def test_what_changes_the_shape_changes_its_number(rolled: dict[str, Any]) -> None:
    """Put `SHAPE` up by one with whatever is changed here, or pages read what an earlier version has kept."""
    today, drift, quality = (rolled[name] for name in ("today", "drift", "quality"))
    parts = {
        **rolled,
        "today notes": today["notes"],
        "today kpi": today["kpi"],
        "today measured": today["kpi"]["measured"],
        "drift window": drift["windows"][0],
        "drift column": next(iter(drift["columns"].values())),
        "drift slice": next(iter(drift["slices"].values())),
        "quality known": quality["known"],
        "quality reviews": quality["reviews"],
        "quality month": quality["months"][0],
    }
    found = {name: " ".join(sorted(key for key in part if key != SHAPE_KEY)) for name, part in parts.items()}
    assert (SHAPE, found) == (2, OUTLINE)


def test_a_subject_that_fails_says_why_without_a_word_of_a_note(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    roll_up(place_of(engine), day(1))

    def fails(*_: object) -> dict[str, Any]:
        raise ValueError("known asthma")

    def refuses(*_: object) -> dict[str, Any]:
        raise BeHealthyError("there is no reference")

    monkeypatch.setattr(keeping, "SUBJECTS", {**keeping.SUBJECTS, "drift": fails, "quality": refuses})
    found = roll_up(place_of(engine), day(2))
    assert FAULT not in found["today"]
    assert read(engine, "drift") == ({FAULT: "it was stopped by an unforeseen ValueError"}, day(2))
    assert read(engine, "quality") == ({FAULT: "there is no reference"}, day(2))
    assert "asthma" not in capsys.readouterr().err


def test_a_figure_that_is_none_is_no_figure(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "SUBJECTS", {"drift": lambda *_: {"deviation": float("inf")}})
    assert FAULT in roll_up(place_of(engine), day(1))["drift"]


def test_all_of_it_is_written_or_nothing(engine: Engine) -> None:
    roll_up(place_of(engine), day(1))
    written = 0

    def stop(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        nonlocal written
        written += statement.startswith("INSERT INTO rollups")
        if written == 2:
            raise KeyboardInterrupt

    event.listen(engine, "before_cursor_execute", stop)
    with pytest.raises(KeyboardInterrupt):
        roll_up(place_of(engine), day(2))
    event.remove(engine, "before_cursor_execute", stop)
    for name in ("today", "drift", "quality"):
        kept = read(engine, name)
        assert kept is not None
        assert kept.written_at == day(1)


def test_notes_and_the_champion_are_as_the_database_has_them(rolled: dict[str, Any]) -> None:
    today = rolled["today"]
    assert (today["notes"]["served"], today["notes"]["waiting"]) == (WEEKS * NOTES, 0)
    assert today["champion"] == {"version": "1", "labels": list(LABELS), "since": "2026-01-05T00:00:00+00:00"}


def test_the_last_decision_and_what_followed_and_the_next_one(year: Engine, rolled: dict[str, Any]) -> None:
    last = rolled["today"]["decision"]
    with reading(year) as connection:
        row = connection.execute(select(WATCH_WINDOWS).order_by(WATCH_WINDOWS.c.window_id.desc()).limit(1)).one()
    assert (last["name"], last["decision"], last["acts"]) == (row.name, row.decision, True)
    assert {one["kind"] for one in last["follows"]} <= {"held", "alert", "over", "trigger"}
    assert last["harmed"]
    assert rolled["today"]["due"] == (MONDAY + (WEEKS + 1) * WEEK + SETTLED).isoformat(timespec="seconds")
    assert rolled["today"]["alerts"][0]["topic"] == "drift"


def test_the_kpi_is_measured_from_what_reviewers_saw_and_took(rolled: dict[str, Any], year: Engine) -> None:
    measured = rolled["today"]["kpi"]["measured"]
    notes, frame = audited(year, "1")
    assert measured["reviewed"] == len(notes)
    figures = measured["figures"]
    accepted = sum(one.accepted for part in frame.strata.values() for one in part.labels.values())
    predicted = sum(one.predicted for part in frame.strata.values() for one in part.labels.values())
    assert figures["accepted"]["mentions_low"] < accepted / predicted < figures["accepted"]["mentions_high"]
    assert {name: one["source"] for name, one in figures["minutes"].items()} == {
        "entry": "assumed", "validation": "measured", "review": "measured",
    }  # fmt: skip
    difference = measured["difference"]
    assert difference[HOURS] == pytest.approx(figures["before"][HOURS] - figures["after"][HOURS], abs=1e-4)
    assert difference[f"{ERRORS}_low"] < difference[ERRORS] < difference[f"{ERRORS}_high"]


def test_what_test_documents_say_is_beside_it(rolled: dict[str, Any], year: Engine, tmp_path: Path) -> None:
    expected = rolled["today"]["kpi"]["expected"]
    kept = json.loads(Path("metrics/kpi.json").read_text(encoding="utf-8"))
    assert expected["saved"] == kept["saved"]
    assert expected["difference"][HOURS] == pytest.approx(kept["before"][HOURS] - kept["after"][HOURS], abs=0.05)
    nowhere = replace(place_of(year), kpi=tmp_path / "none.json")
    assert keeping.SUBJECTS["today"](nowhere, NOW)["kpi"]["expected"] is None


def test_drift_has_every_window_with_its_columns_slices_and_bands(year: Engine, rolled: dict[str, Any]) -> None:
    drift = rolled["drift"]
    with reading(year) as connection:
        rows = connection.execute(select(WATCH_WINDOWS).order_by(WATCH_WINDOWS.c.window_id)).all()
    assert [one["name"] for one in drift["windows"]] == [row.name for row in rows]
    column = drift["columns"]["speciality"]
    for place, number in enumerate(column["window"]):
        kept = rows[number].judged["drift"]["columns"]["speciality"]
        assert [column[name][place] for name in ("deviation", "low", "high")] == [
            kept[name] for name in ("deviation", "low", "high")
        ]
    assert column["band"][-1] == "redevelop"
    assert column["deviation"][-1] >= drift["bands"]["redevelop"]
    slices = rows[-1].judged["drift"]["slices"]
    assert slices
    assert all(drift["slices"][name]["decision"][-1] == one["decision"] for name, one in slices.items())


def test_quality_is_what_the_estimates_say_in_all_and_month_by_month(year: Engine, rolled: dict[str, Any]) -> None:
    quality = rolled["quality"]
    assert quality["known"]["promise"].startswith("is broken")
    assert sum(month["reviewed"] for month in quality["months"]) == quality["known"]["reviewed"]
    assert [month["month"] for month in quality["months"]] == ["2026-01", "2026-02"]
    notes, frame = audited(year, "1", None, day(26.5))
    january = estimates(notes, frame.strata, LABELS)
    assert quality["months"][0]["estimates"] == rounded(json.loads(json.dumps(asdict(january))), 6)
    first, last = (month["estimates"]["accepted"][ALL]["value"] for month in quality["months"])
    assert first > 0.9 > last
    assert "speciality=cardiology" in quality["known"]["slices"]


def test_what_reviewing_took_is_counted_by_week(rolled: dict[str, Any]) -> None:
    weeks = rolled["quality"]["reviews"]["weeks"]
    assert [one["monday"] for one in weeks] == [f"{day(7 * (week + 1)):%Y-%m-%d}" for week in range(WEEKS)]
    assert sum(one["notes"] for one in weeks) == rolled["quality"]["known"]["reviewed"]
    assert all(20 * one["notes"] < 60 * one["minutes"] < 30 * one["notes"] for one in weeks)


def test_every_decision_that_followed_is_told_of_one_window(year: Engine) -> None:
    windows = list(history(year, day(0)))
    told = [follow.number for window in windows for follow in window.follows]
    with reading(year) as connection:
        kinds = DECISIONS.c.kind.in_(("alert", "held", "over", "trigger"))
        assert sorted(told) == sorted(connection.execute(select(DECISIONS.c.number).where(kinds)).scalars())
    assert newest(year) == windows[-1]
    assert [window.name for window in history(year, windows[-2].until)] == [windows[-1].name]


def test_when_the_next_decision_is_due(engine: Engine) -> None:
    assert due(engine, params_of(), day(1)) is None
    Hospital(engine).promote()
    assert due(engine, params_of(), day(1)) == day(7) + SETTLED
    assert due(engine, params_of(), day(7)) == day(7) + SETTLED  # over, and not judged before
    assert due(engine, params_of(window="day"), day(7.5)) == day(8) + SETTLED
    assert due(engine, params_of(window="count-100"), day(1)) is None
    assert due(engine, params_of(), day(-3)) is None  # nothing is judged until the clock is right


def test_live_figures_are_of_now(year: Engine) -> None:
    found = live(year)
    assert (found.waiting, found.decided_at) == (0, NOW)


def test_a_column_that_could_not_be_compared_says_why(engine: Engine, tmp_path: Path) -> None:
    unheard(engine, tmp_path)
    found = roll_up(place_of(engine), day(8))["drift"]
    assert [one["decision"] for one in found["windows"]] == ["unknown"]
    (one,) = found["columns"].values()
    assert (one["deviation"], one["band"]) == ([None], [None])
    assert one["fault"] == ["tokens is missing in the window"]


def test_the_command(
    year: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at(monkeypatch, year)
    assert command.main(["--json", str(tmp_path / "all.json")]) == 0
    assert capsys.readouterr().out == "rollup: today, drift, quality, shadow, reviewers computed\n"
    written = json.loads((tmp_path / "all.json").read_text(encoding="utf-8"))
    assert stat.S_IMODE((tmp_path / "all.json").stat().st_mode) == 0o600
    kept = read(year, "drift")
    assert kept is not None
    assert written["drift"] == kept.content
    monkeypatch.setattr(keeping, "SUBJECTS", {"drift": lambda *_: {"deviation": float("inf")}})
    assert command.main(["--json", "-"]) == 1
    shown = capsys.readouterr()
    assert FAULT in json.loads(shown.out)["drift"]
    assert "nothing computed" in shown.err

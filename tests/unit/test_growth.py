"""The benchmark of growth: it tells a line from a square, and knows every reader and every check."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from benchmarks import growth
from benchmarks.growth import COLUMNS, SHARES, exponent_of, measure
from benchmarks.growth_cases import Case, cases, nested, notes
from stages.common.errors import AnnotationError
from stages.prepare.formats import READERS
from stages.validate import annotations

WORK = Case("work", "units", 1000, lambda size, _: partial(float, size))


@pytest.mark.parametrize(("power", "straight"), [(1.0, True), (1.1, True), (1.5, False), (2.0, False)])
def test_the_exponent_is_the_power(power: float, straight: bool) -> None:
    found = measure(WORK, 1.0, lambda work: float(str(work())) ** power)
    assert found.exponent == pytest.approx(power)
    assert found.straight == straight
    assert found.sizes == [1000 * share for share in SHARES]


def test_what_is_disturbed_is_measured_again() -> None:
    seconds = iter([1, 2, 4, 80, 1, 2, 4, 8])
    assert measure(WORK, 1.0, lambda work: next(seconds)).seconds == [1, 2, 4, 8]


def test_times_too_short_to_tell_are_no_line() -> None:
    assert exponent_of([1, 2, 4], [1e-4, 1e-3, 1e-2]) == 0.0
    assert exponent_of([1, 2, 4], [1e-4, 0.01, 0.02]) == pytest.approx(1.0)


def test_what_a_reader_refuses_is_left_out_and_what_it_refuses_whole_is_no_line() -> None:
    def clock(work: Callable[[], object], most: float) -> float:
        if float(str(work())) > most:
            raise AnnotationError("the line is too long", "Split it")
        return float(str(work()))

    found = measure(WORK, 1.0, lambda work: clock(work, 300))
    assert (found.sizes, found.seconds, found.straight) == ([125, 250], [125, 250], True)
    refused = measure(WORK, 1.0, lambda work: clock(work, 0))
    assert not refused.straight
    assert "refused" in growth.line_of(refused)


def test_every_reader_and_every_check_is_measured() -> None:
    names = " / ".join(case.name for case in cases())
    for format in READERS:
        assert f"read {format}, many notes" in names
        assert f"read {format}, one note" in names
    for check in annotations._CHECKS:
        assert f"check {check.__name__.lstrip('_')}, " in names
    assert len({case.name for case in cases()}) == len(cases())


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_a_case_runs_at_a_small_size(case: Case, tmp_path: Path) -> None:
    case.prepared(8, tmp_path)()


def test_the_notes_are_as_many_and_as_long_as_asked() -> None:
    found = notes(3, words=20)
    assert [len(note.text.split()) for note in found] == [20] * 3
    assert [len(note.mentions) for note in found] == [4] * 3
    assert notes(3, words=20) == found
    words = [sum(len(entry.text.split()) for entry in nested(size)) for size in (1000, 4000)]
    assert words[1] == pytest.approx(4 * words[0], rel=0.1)


def test_the_command_says_what_is_steep(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    straight, steep = (Case(name, "units", 8, lambda size, _: partial(float, size)) for name in ("line", "square"))
    monkeypatch.setattr(growth, "cases", lambda: (straight, steep))

    def measured(case: Case, times: float) -> growth.Growth:
        return measure(case, times, lambda work: float(str(work())) ** (2 if case is steep else 1))

    monkeypatch.setattr(growth, "measure", measured)
    assert growth.main(["--csv", str(tmp_path / "growth.csv")]) == 1
    assert "1 of 2 straight; not: square" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "growth.csv")
    assert tuple(table.columns) == COLUMNS
    assert len(table) == 2 * len(SHARES)
    assert growth.main(["--only", "line"]) == 0
    assert growth.main(["--only", "nothing of the kind"]) == 2
    assert growth.main(["--times", "nan"]) == 2
    assert "nothing to measure" in capsys.readouterr().err

"""The benchmark of the first second: what it copies, and that it says when a promise does not hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import cold_start
from benchmarks.cold_start import Measured, copy_clone, copy_served, line_of

ROOT = Path(__file__).parents[2]


def test_a_clone_has_the_code_and_nothing_compiled(tmp_path: Path) -> None:
    copy_clone(ROOT, tmp_path / "clone")
    assert (tmp_path / "clone/stages/common/compiled.py").is_file()
    names = {path.name for path in (tmp_path / "clone").rglob("*")}
    assert "__pycache__" not in names
    assert not {name for name in names if name.endswith((".nbi", ".nbc", ".kernel"))}


@pytest.mark.skipif(not (ROOT / "models/model.json").is_file(), reason="needs a model: make repro")
def test_a_downloaded_model_has_its_code_beside_it(tmp_path: Path) -> None:
    models = copy_served(ROOT, ROOT / "models", tmp_path / "served")
    assert (models / "model.json").is_file()
    assert (tmp_path / "served/stages/common/compiled.py").is_file()
    assert (tmp_path / "served/stages/common/kernel_keys.py").is_file()


@pytest.mark.parametrize(("allowed", "code"), [(2.0, 0), (1.0, 1), (None, 0)])
def test_what_takes_longer_than_allowed_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, allowed: float | None, code: int
) -> None:
    def measured(models: Path, *, graph: bool) -> Iterator[Measured]:
        yield Measured("first note", 1.5, allowed)

    monkeypatch.setattr(cold_start, "measure", measured)
    assert cold_start.main(["--csv", str(tmp_path / "out.csv")]) == code
    assert (tmp_path / "out.csv").read_text().splitlines()[0] == "case,cpu_seconds,allowed"


def test_without_a_model_nothing_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cold_start.main(["--models", str(tmp_path)]) == 2
    assert "make repro" in capsys.readouterr().err


def test_a_line_tells_seconds_and_what_is_allowed() -> None:
    assert line_of(Measured("first note", 1.25, 2)).split() == ["first", "note", "1.2", "s", "of", "2"]

"""`production.compile` fills the shared folder once; afterwards no process compiles."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from production.compile import __main__ as command
from production.compile.__main__ import CompileError
from stages.common import compiled

ROOT = Path(__file__).parents[2]
EXTRACT = (
    "from pathlib import Path; from stages.train.extractor import load_extractor\n"
    "load_extractor(Path('models')).extract_all(['Gout.', 'COPD (COPD), no asthma. Start tiotropium 18 mcg.'])"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "kernels"
    monkeypatch.setenv(compiled.KERNELS, str(place))
    monkeypatch.chdir(ROOT)
    return place


def test_what_is_compiled_is_not_compiled_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mark_compiled(folder)
    monkeypatch.setattr(command, "_learn_parts", lambda show: pytest.fail("nothing is to be compiled"))
    assert command.main([]) == 0
    assert "all are compiled" in capsys.readouterr().out


@pytest.mark.parametrize("removed", ["one-1.kernel", "two-2.kernel", None])
def test_what_was_removed_is_compiled_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], removed: str | None
) -> None:
    mark = mark_compiled(folder)
    if removed:
        (folder / removed).unlink()
    else:
        mark.write_bytes(b"")

    def compile_again(show: object) -> None:
        raise CompileError("compiles again")

    monkeypatch.setattr(command, "_learn_parts", compile_again)
    assert command.main([]) == 2
    assert "compiles again" in capsys.readouterr().err


def mark_compiled(folder: Path) -> Path:
    """Let all be compiled, into two files."""
    compiled.kernels_folder()
    names = ["one-1.kernel", "two-2.kernel"]
    for name in names:
        (folder / name).touch()
    mark = folder / f"all-{command._digest_of_all()}"
    mark.write_text("\n".join(names))
    return mark


def test_another_kernel_means_compiling_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = command._digest_of_all()
    monkeypatch.setattr("stages.featurize.attributes.kernels.SEED", 7)
    assert command._digest_of_all() != before


def test_without_a_folder_it_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder.write_text("a file")
    assert command.main([]) == 2
    assert "no folder for compiled kernels" in capsys.readouterr().err


def test_a_part_that_fails_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "_WORKER", "raise SystemExit('no such corpus')")
    monkeypatch.setattr("production.compile.invented.learn_attributes_only", lambda: None)
    assert command.main([]) == 2
    assert "no such corpus" in capsys.readouterr().err
    assert not [*folder.glob("all-*")]


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / "models/model.json").is_file(), reason="needs a model: make repro")
def test_afterwards_a_process_compiles_nothing(folder: Path) -> None:
    environment = {**os.environ, compiled.KERNELS: str(folder)}
    subprocess.run([sys.executable, "-m", "production.compile"], cwd=ROOT, env=environment, check=True)
    before = sorted(folder.iterdir())
    subprocess.run([sys.executable, "-c", EXTRACT], cwd=ROOT, env=environment, check=True)
    assert sorted(folder.iterdir()) == before

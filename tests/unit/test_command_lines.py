"""Every command says what it does when asked, and runs nothing when it is given an argument that it does not know."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

from tests.repository import ROOT

ROOMS = ("stages", "annotation", "delivery", "production", "benchmarks", "dashboard")
COMMANDS = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")
    for room in ROOMS
    for path in (ROOT / room).rglob("*.py")
    if 'if __name__ == "__main__":' in path.read_text(encoding="utf-8")
)

EVERY = pytest.mark.parametrize("module", COMMANDS)
pytestmark = pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")


def run(module: str, argument: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """Run a command as ``python -m`` does, in an empty folder; return its exit code."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", [module, argument])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(module, run_name="__main__", alter_sys=False)
    assert not list(folder.iterdir())
    return ended.value.code


def test_all_rooms_are_looked_through() -> None:
    assert {command.split(".")[0] for command in COMMANDS} == set(ROOMS)
    stages = {f"stages.{folder.parent.name}" for folder in (ROOT / "stages").glob("*/__main__.py")}
    assert stages <= set(COMMANDS)


@EVERY
def test_help_says_what_it_does(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(module, "--help", tmp_path, monkeypatch) == 0
    printed = capsys.readouterr()
    usage, _, rest = printed.out.partition("\n\n")
    assert usage.startswith("usage: ")
    described = rest.split("positional arguments:")[0].split("options:")[0].strip()
    assert len(described.split()) >= 3, printed.out
    assert not printed.err


@EVERY
def test_an_unknown_argument_is_refused_and_nothing_runs(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(module, "--no-such-option", tmp_path, monkeypatch) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("usage: ")
    assert any(said in printed.err for said in ("--no-such-option", "are required", "is required"))
    assert not printed.out


@pytest.mark.parametrize("stage", ["prepare", "featurize", "train", "evaluate"])
def test_a_stage_takes_no_stray_word(
    stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(f"stages.{stage}", "now", tmp_path, monkeypatch) == 2
    assert "unrecognized arguments: now" in capsys.readouterr().err

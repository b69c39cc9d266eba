"""What README and the guides show of reports and rankings is what the commands print today."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator

import pytest

from delivery import compare, report
from tests.repository import ROOT

COMMANDS = {"delivery.report": (report.main, ["--git-only"]), "delivery.compare": (compare.main, [])}
PAGES = ("README.md", "docs/guides/reviewer.md", "docs/guides/data-scientist.md")


def examples() -> Iterator[tuple[str, str, list[str]]]:
    """Yield page, command and the lines shown below it."""
    for page in PAGES:
        for block in re.findall(r"```text\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL):
            for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                command, *lines = part.splitlines()
                if re.search(r"-m delivery\.(report|compare)\b", command):
                    yield page, command.split("   #")[0], lines


@pytest.mark.parametrize(("page", "command", "lines"), list(examples()))
def test_an_example_is_what_is_printed(
    page: str,
    command: str,
    lines: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    _, _, module, *arguments = shlex.split(command)
    for commit in re.findall(r"\b[0-9a-f]{7}\b", command):  # they stay what they are: the example cannot age
        if subprocess.run(["git", "cat-file", "-e", commit], check=False, capture_output=True).returncode:
            pytest.skip(f"{commit} is not in this clone: a shallow one?")
    main, more = COMMANDS[module]
    assert main([*arguments, *more]) == 0
    printed = capsysbinary.readouterr().out.decode()
    shown = [line.removesuffix(" …").rstrip() for line in lines if line != "…"]
    shown = [line for line in shown if not line.startswith(("- Left out", "  "))]  # depends on who asks
    assert len(shown) >= 3
    assert not [line for line in shown if line not in printed]


def test_there_are_examples() -> None:
    assert {page for page, _, _ in examples()} == set(PAGES)

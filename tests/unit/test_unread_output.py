"""Who reads a report with `head` or leaves `less` is told nothing of broken pipes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.repository import ROOT

PRINTS = "print('x' * 100_000)"
BROKEN_ELSEWHERE = "raise BrokenPipeError(32, 'Broken pipe')"


def ending(code: str, *, read: bool) -> tuple[int, str]:
    """Run Python with a pipe for its output that nobody, or somebody, reads; return exit code and errors."""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout
    if not read:
        process.stdout.close()
        process.stdout = None
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


def serving(work: str) -> str:
    return f"""
import sys
from delivery.registry.server import server_session
from stages.common.command import run_command
def work():
    {work}
sys.exit(run_command("lineage", work, within=server_session()))
"""


REPORT = (
    "import sys; from delivery.report import main; sys.exit(main(['--git-only', '--base', 'HEAD', '--head', 'HEAD']))"
)


CONVERT = """
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from annotation.convert import main
with TemporaryDirectory() as folder:
    (Path(folder) / "a.jsonl").write_text('{"id": "n", "text": "Gout.", "mentions": []}\\n')
    code = main([folder, f"{folder}/b.jsonl", "--from", "jsonl", "--to", "jsonl"])
sys.exit(code)
"""


@pytest.mark.parametrize("code", [REPORT, CONVERT, serving(PRINTS), serving("print('short')")])
def test_a_reader_who_has_gone_ends_the_command_without_a_word(code: str) -> None:
    assert ending(code, read=False) == (141, "")


def test_a_broken_pipe_to_the_server_is_still_said() -> None:
    status, errors = ending(serving(BROKEN_ELSEWHERE), read=True)
    assert status == 2
    assert "did not do it ([Errno 32] Broken pipe): see that the server runs" in errors

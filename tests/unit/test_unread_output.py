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
from delivery.registry.server import exit_code_of
def work():
    {work}
sys.exit(exit_code_of("lineage", work))
"""


REPORT = (
    "import sys; from delivery.report import main; sys.exit(main(['--git-only', '--base', 'HEAD', '--head', 'HEAD']))"
)


@pytest.mark.parametrize("code", [REPORT, serving(PRINTS), serving("print('short')")])
def test_a_reader_who_has_gone_ends_the_command_without_a_word(code: str) -> None:
    assert ending(code, read=False) == (141, "")


def test_a_broken_pipe_to_the_server_is_still_said() -> None:
    status, errors = ending(serving(BROKEN_ELSEWHERE), read=True)
    assert status == 2
    assert "did not do it ([Errno 32] Broken pipe): see that the server runs" in errors

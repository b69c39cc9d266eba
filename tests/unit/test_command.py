"""How a stage ends: one line and an exit code where a person can mend it, a traceback where only code can."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

import pytest

from stages.common.command import exit_code
from stages.common.errors import BeHealthyError


def raising(error: BaseException) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (BeHealthyError("batch b is empty: remove it"), 2, "batch b is empty: remove it"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "models/x"), 2, "No space left on device (models/x): make"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), 2, "No space left on device: make room"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_what_a_person_can_mend_is_one_line(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code("train", raising(error)) == code
    printed = capsys.readouterr().err
    assert printed.startswith(f"train: {said}")
    assert printed.count("\n") == 1


@pytest.mark.parametrize("error", [FileNotFoundError(errno.ENOENT, "none", "x"), ValueError("a bug")])
def test_what_only_code_can_mend_keeps_its_traceback(error: Exception) -> None:
    with pytest.raises(type(error)):
        exit_code("train", raising(error))


def test_a_stage_that_ends_well_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("train", lambda: None) == 0
    assert capsys.readouterr() == ("", "")

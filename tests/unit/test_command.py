"""How every command ends: a code that tells, one line where it did not succeed, and not a word of a note."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from delivery.errors import DeliveryError, DeliveryRefusedError
from stages.common.command import run_command
from stages.common.errors import AnnotationError, BeHealthyError, GateError, ParameterError, RefusedError, RequestError
from stages.common.variables import TRACEBACK
from tests.repository import ROOT

NOTE = "colchicine for gout"
COULD_NOT = [BeHealthyError("w"), GateError("w"), ParameterError("w"), RequestError("w", "R"), DeliveryError("w")]
REFUSALS = [RefusedError("w"), AnnotationError("w", "R"), DeliveryRefusedError("w")]


def raising(error: BaseException) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (BeHealthyError("batch b is empty: remove it"), 2, "batch b is empty: remove it"),
        (RefusedError("the gate did not pass"), 1, "the gate did not pass"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "models/x"), 2, "No space left on device (models/x): make"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), 2, "No space left on device: make room"),
        (FileNotFoundError(errno.ENOENT, "No such file", "x"), 2, "No such file (x): make room, or mend the path"),
        (KeyboardInterrupt(), 130, "interrupted; what was written is whole"),
        (ValueError(NOTE), 2, "stopped by an unforeseen ValueError in test_command.py, line "),
        (OSError(NOTE), 2, "stopped by an unforeseen OSError in test_command.py, line "),
    ],
)
def test_what_went_wrong_is_one_line_and_a_code(
    error: BaseException, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command("train", raising(error)) == code
    printed = capsys.readouterr().err
    assert printed.startswith(f"train: {message}")
    assert printed.count("\n") == 1
    assert NOTE not in printed


@pytest.mark.parametrize("error", COULD_NOT, ids=lambda error: type(error).__name__)
def test_what_prevented_the_work_is_2(error: BeHealthyError) -> None:
    assert run_command("train", raising(error)) == 2


@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: type(error).__name__)
def test_a_refusal_is_1(error: BeHealthyError) -> None:
    assert run_command("train", raising(error)) == 1


def test_whoever_asks_for_the_traceback_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TRACEBACK, "1")
    with pytest.raises(ValueError, match=NOTE):
        run_command("train", raising(ValueError(NOTE)))
    assert run_command("train", raising(BeHealthyError("foreseen"))) == 2


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (1, 1), (12, 12)])
def test_a_command_that_ends_well_says_nothing(
    returned: int | None, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command("train", lambda: returned) == code
    assert capsys.readouterr() == ("", "")


def test_the_work_is_done_within_what_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    steps = []

    @contextmanager
    def translating() -> Iterator[None]:
        steps.append("before")
        try:
            yield
        except ValueError as error:
            raise RefusedError("translated") from error

    def work() -> None:
        steps.append("work")
        raise ValueError(NOTE)

    assert run_command("train", work, within=translating()) == 1
    assert steps == ["before", "work"]
    assert capsys.readouterr().err == "train: translated\n"


def test_no_command_ends_in_a_way_of_its_own() -> None:
    """A module that is a command calls `run_command`, and none catches the errors that it prints."""
    for room in ("stages", "annotation", "delivery", "production", "benchmarks", "dashboard"):
        for path in (ROOT / room).rglob("*.py"):
            code = path.read_text(encoding="utf-8")
            if 'if __name__ == "__main__":' not in code:
                continue
            monitor = path.parts[-2:] == ("monitor", "__main__.py")  # its invocation.py calls it
            fixed = path.name in {
                "profile_pages.py",
                "rescoring_worker.py",
                "host_process.py",
                "medspacy_context.py",
                "looping.py",
                "deliver.py",
            }  # run by others, not by a person
            assert monitor or fixed or "run_command(" in code, path
            assert not re.search(r"except \(?BeHealthyError.*\n\s+print\(", code), path

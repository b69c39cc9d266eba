"""The process of a model asked about many notes: in their order, each with its deadline, none takes another along."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from production.inference.host import AHEAD, Found, ModelHost, NoteFailedError
from tests.inference_worker import make_model
from tests.repository import ROOT

SECONDS = 1.5
PATIENCE = 60.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("model"), seconds=0.001)


@pytest.fixture
def host(folder: Path) -> Iterator[ModelHost]:
    with ModelHost(folder, folder, note_megabytes=300) as started:
        yield started


def said(host: ModelHost, texts: list[str]) -> list[int | str]:
    """Return how many tokens each note has, or what was wrong with it."""
    answers = list(host.extract_all(texts, SECONDS))
    return [one.tokens if isinstance(one, Found) else str(one) for one in answers]


def pid(host: ModelHost) -> int:
    assert host._process
    return host._process.pid


def test_answers_are_in_the_order_of_the_notes(host: ModelHost) -> None:
    texts = ["gout " * number for number in range(1, 60)]
    assert said(host, texts) == list(range(1, 60))
    assert said(host, []) == []


def test_a_note_that_fails_takes_no_other_along(host: ModelHost) -> None:
    assert said(host, ["a", "a crash", "a b c", "a b c endless", "a b", "a huge", "a b c d", "crash"]) == [
        1,
        "the process of the model ended while it read the note",
        3,
        "the note takes longer than 1.5 s",
        2,
        "the note takes more than 300 MB of memory",
        4,
        "the process of the model ended while it read the note",
    ]
    assert said(host, ["a b"]) == [2]


def test_a_process_that_is_killed_loses_no_note(host: ModelHost) -> None:
    found: list[int] = []
    for number, one in enumerate(host.extract_all(["gout " * n for n in range(1, 40)], SECONDS)):
        assert isinstance(one, Found)
        found.append(one.tokens)
        if number in (0, 17):
            os.kill(pid(host), signal.SIGKILL)
    assert found == list(range(1, 40))


def test_notes_and_answers_that_are_larger_than_a_pipe(host: ModelHost) -> None:
    assert said(host, ["gout " * 20_000] * (2 * AHEAD)) == [20_000] * (2 * AHEAD)


def test_no_more_notes_are_taken_than_are_on_their_way(host: ModelHost) -> None:
    taken: list[int] = []

    def texts() -> Iterator[str]:
        for number in range(3 * AHEAD):
            taken.append(number)
            yield "gout"

    for number, _ in enumerate(host.extract_all(texts(), SECONDS)):
        assert len(taken) - number <= AHEAD
        assert number or len(taken) == AHEAD
    assert len(taken) == 3 * AHEAD


def test_what_nobody_takes_is_no_answer_to_the_next(host: ModelHost) -> None:
    answers = host.extract_all(["a"] * 20, SECONDS)
    next(answers)
    answers.close()
    assert said(host, ["a b c"]) == [3]


def test_a_deadline_begins_when_the_note_before_was_answered(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "slow", seconds=0.3)
    with ModelHost(folder, folder) as host:
        assert [type(one) for one in host.extract_all(["a"] * 8, 1.0)] == [Found] * 8


def test_without_a_limit_a_note_takes_what_there_is(folder: Path) -> None:
    with ModelHost(folder, folder) as host:
        assert isinstance(host.extract("a huge", PATIENCE), Found)
    with ModelHost(folder, folder, note_megabytes=300) as host, pytest.raises(NoteFailedError, match="300 MB"):
        host.extract("a huge", PATIENCE)


STARTER = """
import sys
from pathlib import Path
from production.inference.host import ModelHost

host = ModelHost(Path(sys.argv[1]), Path(sys.argv[1]))
host.start()
print(host._process.pid, flush=True)
host.extract(sys.argv[2], 3600.0)
"""


@pytest.mark.parametrize("note", ["endless", "astray"])
def test_it_ends_with_the_process_that_started_it_also_amid_a_note_without_an_end(folder: Path, note: str) -> None:
    command = [sys.executable, "-c", STARTER, str(folder), note]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout
        process = psutil.Process(int(starter.stdout.readline()))
        try:
            with pytest.raises(psutil.TimeoutExpired):
                process.wait(2)  # it is amid the note, and goes on as long as it has somebody to tell
            starter.kill()
            starter.wait(10)
            process.wait(10)
        finally:
            starter.kill()
            if process.is_running():
                process.kill()

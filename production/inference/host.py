"""A model in a process of its own, asked note by note, each with a deadline."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

from delivery.registry.model_process import environment
from stages.common.errors import BeHealthyError

PROCESS = Path(__file__).with_name("host_process.py")
START_SECONDS = 300.0
"""Until a model is loaded and warm, also where nothing is compiled yet."""


class HostError(BeHealthyError):
    """The model does not load in this environment."""


class NoteFailedError(Exception):
    """The model could not deal with one note: it took too long, or its process died. The message says nothing of it.

    Parameters
    ----------
    problem : str
    too_slow : bool
        Whether it was the time.
    """

    def __init__(self, problem: str, *, too_slow: bool = False) -> None:
        super().__init__(problem)
        self.too_slow = too_slow


class ProcessEndedError(NoteFailedError):
    """The process of the model ended: the note may be the reason, or the machine, which ended it for its memory."""


class FoundMention(NamedTuple):
    """``text[start:end]`` is a `label`; `assertion` is what it says of the patient."""

    start: int
    end: int
    label: str
    confidence: float
    accepted: bool
    assertion: str


class Found(NamedTuple):
    """What a model says of a note; see `stages.train.extractor.Extraction`."""

    mentions: tuple[FoundMention, ...]
    suggestions: tuple[FoundMention, ...]
    accepted: bool
    sentences: int
    tokens: int
    unknown_tokens: float


@dataclass
class ModelHost:
    """A model folder, the code it runs with, and the process that has both.

    Use it as a context manager. The process is started at once, and again after it had to be ended.

    Parameters
    ----------
    code : Path
        Folder that holds the model's ``stages/``.
    models : Path
        As the stage `train` writes it.
    """

    code: Path
    models: Path
    labels: tuple[str, ...] = field(default=(), init=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)
    _log: IO[bytes] | None = field(default=None, init=False, repr=False)
    _read: bytes = field(default=b"", init=False, repr=False)
    _asked: int = field(default=0, init=False, repr=False)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the process and wait until the model is warm.

        Raises
        ------
        HostError
            When it does not load; says why, in the words of the model's own error.
        """
        self._log, self._read = tempfile.TemporaryFile(), b""  # noqa: SIM115  (as long as the process)
        self._process = subprocess.Popen(
            # -B: a folder whose hashes are checked does not change because it was run.
            [sys.executable, "-P", "-B", str(PROCESS), str(self.code.resolve()), str(self.models.resolve())],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=tempfile.gettempdir(),
        )
        try:
            self.labels = tuple(self._answer(START_SECONDS)["labels"])
        except (NoteFailedError, KeyError, ValueError):
            self._log.seek(0)
            last = self._log.read().decode("utf-8", "replace").strip().splitlines()[-1:]
            self.stop()
            raise HostError(
                f"the model does not load in this environment ({last[0] if last else 'no message'}): make the"
                " environment of its commit (`make env`), or promote a version that runs here"
            ) from None

    def stop(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()
        if self._log is not None:
            self._log.close()
            self._log = None

    @property
    def running(self) -> bool:
        """Whether there is a process that lives; the next note starts one where there is none."""
        return self._process is not None and self._process.poll() is None

    def extract(self, text: str, seconds: float) -> Found:
        """Find the mentions of one note.

        Raises
        ------
        NoteFailedError
            When the note takes longer than `seconds`, or the process dies on it, and a second one too: the first may
            have been ended by somebody else. The next note has a new process.
        """
        try:
            return self._extract(text, seconds)
        except ProcessEndedError:
            return self._extract(text, seconds)

    def _extract(self, text: str, seconds: float) -> Found:
        if self._process is None:
            self.start()
        try:
            return _found(self._ask(text, seconds))
        except NoteFailedError:
            self.stop()
            raise

    def _ask(self, text: str, seconds: float) -> dict[str, Any]:
        assert self._process and self._process.stdin
        self._asked += 1
        try:
            # ASCII: half a character stays one.
            self._process.stdin.write(json.dumps([self._asked, text]).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise ProcessEndedError("the process of the model has ended") from None
        answer = self._answer(seconds)
        if answer.get("note") != self._asked or self._read:
            raise NoteFailedError("the model answered what it was not asked")
        return answer

    def _answer(self, seconds: float) -> dict[str, Any]:
        assert self._process and self._process.stdout
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._read:
                if not selector.select(max(deadline - time.monotonic(), 0)):
                    raise NoteFailedError(f"the note takes longer than {seconds:g} s", too_slow=True)
                piece = os.read(self._process.stdout.fileno(), 1 << 20)
                if not piece:
                    raise ProcessEndedError("the process of the model ended while it read the note")
                self._read += piece
        line, self._read = self._read.split(b"\n", 1)
        answer: dict[str, Any] = json.loads(line)
        return answer


def _found(answer: dict[str, Any]) -> Found:
    mentions, suggestions = (
        tuple(FoundMention(*span) for span in answer[kind]) for kind in ("mentions", "suggestions")
    )
    return Found(
        mentions, suggestions, answer["accepted"], answer["sentences"], answer["tokens"], answer["unknown_tokens"]
    )

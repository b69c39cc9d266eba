"""A model in a process of its own, asked about notes in their order, each with a deadline."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

from delivery.registry.model_process import environment
from stages.common.errors import BeHealthyError

PROCESS = Path(__file__).with_name("host_process.py")
START_SECONDS = 300.0
"""Until a model is loaded and warm, also where nothing is compiled yet."""
AHEAD = 96
"""Notes that a process has at most: the one that it reads, and those it need not wait for."""
_FEW = 8
_NAP_SECONDS = 0.0004
"""For each note on its way, while they are more than `_FEW`: a good deal less than what it takes. Answers are taken
many at a time: waking up for each costs as much as it says, and two processes at once cost each other a fifth."""


class HostError(BeHealthyError):
    """The model does not load: its files are damaged, or this environment is not its own."""


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
    """What a model says of a note; see `stages.train.extractor.Extraction`.

    `ends` are those of its sentences; None where it does not tell.
    """

    mentions: tuple[FoundMention, ...]
    suggestions: tuple[FoundMention, ...]
    accepted: bool
    sentences: int
    tokens: int
    unknown_tokens: float
    ends: tuple[int, ...] | None = None


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
    note_megabytes : int, optional
        Memory that a note may take beside the model; without it, what the machine has.
    """

    code: Path
    models: Path
    note_megabytes: int | None = None
    labels: tuple[str, ...] = field(default=(), init=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)
    _log: IO[bytes] | None = field(default=None, init=False, repr=False)
    _pipes: selectors.BaseSelector | None = field(default=None, init=False, repr=False)
    _read: bytes = field(default=b"", init=False, repr=False)
    _lines: deque[bytes] = field(default_factory=deque, init=False, repr=False)
    _unsent: bytes = field(default=b"", init=False, repr=False)
    _full: bool = field(default=False, init=False, repr=False)
    _answered: int = field(default=0, init=False, repr=False)
    _on_the_way: int = field(default=0, init=False, repr=False)

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
        self._log, self._read, self._unsent = tempfile.TemporaryFile(), b"", b""  # noqa: SIM115  (as long as the process)
        self._answered, self._on_the_way, self._full = 0, 0, False
        self._lines.clear()
        limit = [] if self.note_megabytes is None else ["--note-megabytes", str(self.note_megabytes)]
        self._process = subprocess.Popen(
            # -B: a folder whose hashes are checked does not change because it was run.
            [sys.executable, "-P", "-B", str(PROCESS), str(self.code.resolve()), str(self.models.resolve()), *limit],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=tempfile.gettempdir(),
        )
        assert self._process.stdin and self._process.stdout
        os.set_blocking(self._process.stdin.fileno(), False)
        self._pipes = selectors.DefaultSelector()
        self._pipes.register(self._process.stdout, selectors.EVENT_READ)
        try:
            self.labels = tuple(self._answer(START_SECONDS)["labels"])
        except (NoteFailedError, KeyError, ValueError):
            self._log.seek(0)
            last = self._log.read().decode("utf-8", "replace").strip().splitlines()[-1:]
            self.stop()
            raise _not_loaded(last[0] if last else "no message") from None

    def stop(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        self._on_the_way = 0
        if self._pipes is not None:
            self._pipes.close()
            self._pipes = None
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
        (found,) = self.extract_all((text,), seconds)
        if isinstance(found, NoteFailedError):
            raise found
        return found

    def extract_all(self, texts: Iterable[str], seconds: float) -> Generator[Found | NoteFailedError, None, None]:
        """Find the mentions of notes, in their order; what `extract` would raise for a note is yielded in its place.

        While the process reads one note, the next ones are on their way to it, so that neither side waits for the
        other. A note's time begins when the one before it was answered; one that fails takes no other along. When the
        iterator is closed before its end, the process is ended.
        """
        rest, ahead, ended = iter(texts), deque[str](), False
        try:
            while True:
                if len(ahead) <= AHEAD // 2:
                    ahead.extend(islice(rest, AHEAD - len(ahead)))
                if not ahead:
                    return
                found: Found | NoteFailedError
                try:
                    found = self._first_of(ahead, seconds)
                except ProcessEndedError as error:
                    if not ended:
                        ended = True
                        continue
                    found = error
                except NoteFailedError as error:
                    found = error
                ended = False
                ahead.popleft()
                yield found
        finally:
            if self._on_the_way:  # nobody takes their answers
                self.stop()

    def _first_of(self, texts: Sequence[str], seconds: float) -> Found:
        """Let the process have all notes, and return its answer to the first."""
        if self._process is None:
            self.start()
        for text in islice(texts, self._on_the_way, None):
            self._on_the_way += 1
            # ASCII: half a character stays one.
            self._unsent += f"[{self._answered + self._on_the_way}, {json.dumps(text)}]\n".encode()
        self._send()
        try:
            answer = self._answer(seconds)
            self._answered += 1
            self._on_the_way -= 1
            if answer.get("note") != self._answered or ((self._lines or self._read) and not self._on_the_way):
                raise NoteFailedError("the model answered what it was not asked")
            if "problem" in answer:
                raise NoteFailedError(f"the note takes more than {self.note_megabytes} MB of memory")
        except NoteFailedError:
            self.stop()
            raise
        return _found(answer)

    def _send(self) -> None:
        """Send what the pipe takes; the rest is sent as it takes more (`_answer`)."""
        assert self._process and self._process.stdin and self._pipes
        stdin, was_full = self._process.stdin, self._full
        try:
            while self._unsent:
                self._unsent = self._unsent[os.write(stdin.fileno(), self._unsent) :]
            self._full = False
        except BlockingIOError:
            self._full = True
        except OSError:  # it has ended, which is told where its answers end
            self._unsent, self._full = b"", False
        if self._full and not was_full:
            self._pipes.register(stdin, selectors.EVENT_WRITE)
        elif was_full and not self._full:
            self._pipes.unregister(stdin)

    def _answer(self, seconds: float) -> dict[str, Any]:
        assert self._process and self._process.stdout and self._pipes
        deadline = time.monotonic() + seconds
        if self._on_the_way > _FEW and not self._lines:
            time.sleep(self._on_the_way * _NAP_SECONDS)
        while not self._lines:
            ready = self._pipes.select(max(deadline - time.monotonic(), 0))
            if not ready:
                raise NoteFailedError(f"the note takes longer than {seconds:g} s", too_slow=True)
            for key, _ in ready:
                if key.fileobj is self._process.stdout:
                    self._receive()
                else:
                    self._send()
        answer: dict[str, Any] = json.loads(self._lines.popleft())
        return answer

    def _receive(self) -> None:
        assert self._process and self._process.stdout
        piece = os.read(self._process.stdout.fileno(), 1 << 20)
        if not piece:
            raise ProcessEndedError("the process of the model ended while it read the note")
        *lines, self._read = (self._read + piece).split(b"\n")
        self._lines.extend(lines)


def _not_loaded(said: str) -> HostError:
    """Say why a model does not load; an error about its files, whose remedy is in it, is no matter of environments."""
    kind, _, problem = said.partition(": ")
    if kind.rpartition(".")[2] == "ModelError":
        return HostError(f"the model does not load: {problem}")
    return HostError(
        f"the model does not load in this environment ({said}): make the environment of its commit (`make env`), or"
        " promote a version that runs here"
    )


def _found(answer: dict[str, Any]) -> Found:
    mentions, suggestions = (tuple(map(FoundMention._make, answer[kind])) for kind in ("mentions", "suggestions"))
    ends = answer.get("ends")
    counts = answer["accepted"], answer["sentences"], answer["tokens"], answer["unknown_tokens"]
    return Found(mentions, suggestions, *counts, ends if ends is None else tuple(ends))

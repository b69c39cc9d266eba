"""Several processes with one model, asked by many requests at a time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from production.inference.host import Found, HostError, ModelHost, NoteFailedError
from production.service.measures import Measures
from production.service.models import OpenedModel

PIECE = 20_000
"""Characters of short notes that are handed to a process in one go; between two, another request has its turn."""

Answer = Found | NoteFailedError


class HostPool:
    """Hosts of one model; each thread of the pool waits for one of them.

    Notes of a request are shared out among all hosts, and hosts go to requests in the order in which they ask: one
    with many notes holds up no other. A host that dies, or that a note takes too long in, is started anew before it
    is asked again.

    Parameters
    ----------
    model : OpenedModel
    workers : int
        Processes; more than there are cores are of no use.
    note_seconds : float
        That one note may take.
    measures : Measures
        Told of notes and mentions.
    """

    def __init__(self, model: OpenedModel, *, workers: int, note_seconds: float, measures: Measures) -> None:
        self._hosts = [ModelHost(model.code, model.models) for _ in range(workers)]
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="host")
        self._free: asyncio.Queue[ModelHost] = asyncio.Queue()
        self._seconds = note_seconds
        self._measures = measures
        self._starts: list[Future[None]] = []
        self.ready = False

    loop: asyncio.AbstractEventLoop
    """In which it was started."""

    @property
    def labels(self) -> tuple[str, ...]:
        """What the model finds, once it is loaded."""
        return self._hosts[0].labels

    def begin(self) -> None:
        """Let all hosts start, and do something else meanwhile."""
        self._starts = [self._threads.submit(host.start) for host in self._hosts]

    async def start(self) -> None:
        """Wait until all hosts are warm.

        Raises
        ------
        HostError
            When the model does not load.
        """
        self.loop = asyncio.get_running_loop()
        await asyncio.gather(*map(asyncio.wrap_future, self._starts))
        for host in self._hosts:
            self._free.put_nowait(host)
        self.ready = True

    def stop(self) -> None:
        """End all hosts, whatever they are doing."""
        self.ready = False
        for host in self._hosts:
            host.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def extract(self, notes: Sequence[str]) -> list[Answer]:
        """Find the mentions of notes; those that failed are errors in their places.

        When the caller is cancelled, what is not begun is left.
        """
        found: dict[int, Answer] = {}
        given_up = threading.Event()
        pieces = _pieces(notes)

        async def work() -> None:
            for piece in pieces:
                host = await self._free.get()
                asked = self._threads.submit(self._ask, host, [notes[place] for place in piece], given_up)
                # Shielded: what was submitted must run, for it is what gives the host back.
                answers: list[Answer] = await asyncio.shield(asyncio.wrap_future(asked))
                found.update(zip(piece, answers, strict=True))

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(len(self._hosts), len(notes))):
                    group.create_task(work())
        finally:
            given_up.set()
        answers = [found[place] for place in range(len(notes))]
        self._measures.count(answers)
        return answers

    def _ask(self, host: ModelHost, notes: Sequence[str], given_up: threading.Event) -> list[Answer]:
        try:
            return [_GIVEN_UP if given_up.is_set() else self._find(host, note) for note in notes]
        finally:
            if host.running:
                self._give_back(host)
            else:
                self._threads.submit(self._revive, host)  # the answer does not wait for that

    def _find(self, host: ModelHost, note: str) -> Answer:
        try:
            return host.extract(note, self._seconds)
        except HostError:
            return NoteFailedError("the process of the model does not start")
        except NoteFailedError as error:
            return error

    def _revive(self, host: ModelHost) -> None:
        with suppress(HostError):  # the next note tries again
            if self.ready:
                host.start()
        self._give_back(host)

    def _give_back(self, host: ModelHost) -> None:
        self.loop.call_soon_threadsafe(self._free.put_nowait, host)


_GIVEN_UP = NoteFailedError("nobody waits for the note any longer")


def _pieces(notes: Sequence[str]) -> Iterator[range]:
    """Cut notes into runs of about as many characters."""
    first = characters = 0
    for place, note in enumerate(notes):
        characters += len(note)
        if characters >= PIECE or place == len(notes) - 1:
            yield range(first, place + 1)
            first, characters = place + 1, 0

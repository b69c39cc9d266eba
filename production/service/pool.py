"""Several processes with one model, asked by many requests at a time."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from production.inference.host import Found, HostError, ModelHost, NoteFailedError
from production.inference.load_model import Model
from production.service.free_hosts import FreeHosts
from production.service.gate import RefusalError, not_loaded
from production.service.measures import Measures

PIECE = 20_000
"""Characters of short notes that are handed to a process in one go; between two, another request has its turn."""

LOOKING = 1.0
"""Seconds between two looks whether a process that is asked nothing lives."""

TRYING = 5.0
"""Seconds between two attempts to start a process that does not start."""


class NotAskedError(NoteFailedError):
    """The model was not asked about the note: it is not the note's fault."""


Answer = Found | NoteFailedError


class HostPool:
    """Hosts of one model; each thread of the pool waits for one of them.

    Notes of a request are shared out among all hosts, and hosts go to requests in the order in which they ask: one
    with many notes holds up no other. A host that dies, or that a note takes too long in, is started anew before it
    is asked again; one that does not start is tried again and again, and the pool is not ready while that is all of
    them: who waits for a host then is refused.

    Parameters
    ----------
    model : Model
    workers : int
        Processes; more than there are cores are of no use.
    note_seconds : float
        That one note may take.
    measures : Measures
        Told of notes and mentions.
    """

    def __init__(self, model: Model, *, workers: int, note_seconds: float, measures: Measures) -> None:
        self.model = model
        self._hosts = [ModelHost(model.code, model.models) for _ in range(workers)]
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="host")
        self._free = FreeHosts()
        self._seconds = note_seconds
        self._measures = measures
        self._starts: list[Future[None]] = []
        self._opened = False
        self._ended = threading.Event()
        self._failing: set[int] = set()
        self._asking = 0
        self._idle = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None

    loop: asyncio.AbstractEventLoop
    """In which it was opened."""

    @property
    def ready(self) -> bool:
        """Whether it was opened, and one of its hosts can be asked or is being started."""
        return self._opened and not self._ended.is_set() and len(self._failing) < len(self._hosts)

    @property
    def labels(self) -> tuple[str, ...]:
        """What the model finds, once it is loaded."""
        return self._hosts[0].labels

    def begin(self) -> None:
        """Let all hosts start, and do something else meanwhile."""
        self._starts = [self._threads.submit(host.start) for host in self._hosts]

    def wait(self) -> None:
        """Wait until all hosts are warm.

        Raises
        ------
        HostError
            When the model does not load.
        """
        for start in self._starts:
            start.result()

    def open(self) -> None:
        """Let warm hosts be asked, from the running loop."""
        self.loop = asyncio.get_running_loop()
        for host in self._hosts:
            self._free.put(host)
        self._opened = True
        self._watching = self.loop.create_task(self._watch())

    async def start(self) -> None:
        """Wait until all hosts are warm, and let them be asked.

        Raises
        ------
        HostError
            When the model does not load.
        """
        await asyncio.gather(*map(asyncio.wrap_future, self._starts))
        self.open()

    def stop(self) -> None:
        """End all hosts, whatever they are doing."""
        self._end()
        for host in self._hosts:
            host.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def retire(self) -> None:
        """End each host as soon as no request that began here needs it."""
        self._idle.set()
        while self._asking:
            self._idle.clear()
            await self._idle.wait()
        self._end()
        self._free.expect(any_host=True)  # whatever does not start comes back, too
        for _ in self._hosts:  # one that reads a note that nobody waits for any longer comes last
            host = await self._free.get()
            await asyncio.wrap_future(self._threads.submit(host.stop))
        self.stop()

    def _end(self) -> None:
        self._ended.set()
        if self._watching is not None:
            self._watching.cancel()

    async def _watch(self) -> None:
        """Start anew what died while it was asked nothing."""
        while True:
            await asyncio.sleep(LOOKING)
            for host in self._free.take_all():
                if host.running:
                    self._free.put(host)
                else:
                    self._threads.submit(self._revive, host)

    async def extract(self, notes: Sequence[str]) -> list[Answer]:
        """Find the mentions of notes; those that failed are errors in their places.

        When the caller is cancelled, what is not begun is left.

        Raises
        ------
        RefusalError
            When no host starts any longer: whoever waits for one would wait in vain.
        """
        self._asking += 1
        try:
            answers = await self._extract(notes)
        finally:
            self._asking -= 1
            self._idle.set()
        self._measures.count(answers)
        return answers

    async def _extract(self, notes: Sequence[str]) -> list[Answer]:
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
        except* RefusalError:
            pass
        finally:
            given_up.set()
        if len(found) < len(notes):
            raise not_loaded()
        return [found[place] for place in range(len(notes))]

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
        except (HostError, OSError):  # the second: no room for a process
            return NotAskedError("the process of the model does not start")
        except NoteFailedError as error:
            return error

    def _revive(self, host: ModelHost) -> None:
        """Start a host until it does, or until the pool ends; nobody asks it meanwhile."""
        while not self._ended.is_set():
            host.stop()
            try:
                host.start()
                break
            except (HostError, OSError) as error:
                self._tell(host, error)
                self._ended.wait(TRYING)
        self._failing.discard(id(host))
        self._look_at_failing()
        if self._ended.is_set():
            host.stop()
        self._give_back(host)

    def _tell(self, host: ModelHost, error: Exception) -> None:
        if id(host) not in self._failing and not self._ended.is_set():
            self._failing.add(id(host))
            self._look_at_failing()
            print(f"serve: ALERT: a process of the model does not start: {error}", file=sys.stderr, flush=True)

    def _look_at_failing(self) -> None:
        any_host = self._ended.is_set() or len(self._failing) < len(self._hosts)
        self.loop.call_soon_threadsafe(partial(self._free.expect, any_host=any_host))

    def _give_back(self, host: ModelHost) -> None:
        self.loop.call_soon_threadsafe(self._free.put, host)


_GIVEN_UP = NotAskedError("nobody waits for the note any longer")


def _pieces(notes: Sequence[str]) -> Iterator[range]:
    """Cut notes into runs of about as many characters."""
    first = characters = 0
    for place, note in enumerate(notes):
        characters += len(note)
        if characters >= PIECE or place == len(notes) - 1:
            yield range(first, place + 1)
            first, characters = place + 1, 0

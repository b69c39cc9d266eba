"""The model that answers now, and how another one takes its place while requests come in."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from production.inference.load_model import Model
from production.service.measures import Measures
from production.service.pool import Answer, HostPool
from stages.common.command import place_of
from stages.common.errors import BeHealthyError

if TYPE_CHECKING:
    from production.service.serving_log import ServingLog


class Answers(NamedTuple):
    """What was found in the notes of a request, all of them by one model."""

    model: Model
    notes: list[Answer]


class Served:
    """A pool of hosts, and one that takes its place.

    A request is answered by the pool that it began with. The hosts of the next model are warm before it takes over;
    those of the model before are ended when the last request of theirs is answered.

    Parameters
    ----------
    model : Model
    make : callable
        Makes the pool of a model.
    measures : Measures
        Told which model answers.
    log : ServingLog, optional
        Told of notes and what was found in them.
    """

    def __init__(
        self, model: Model, make: Callable[[Model], HostPool], measures: Measures, log: ServingLog | None = None
    ) -> None:
        self._make, self._measures, self._log = make, measures, log
        self._pool = make(model)
        self._next: HostPool | None = None
        self._retiring: dict[HostPool, asyncio.Task[None]] = {}
        self._ended = threading.Event()
        measures.describe(model.version, model.commit)
        measures.watch_ready(lambda: self.ready)

    @property
    def model(self) -> Model:
        """The model that answers."""
        return self._pool.model

    @property
    def ready(self) -> bool:
        """Whether it can be asked."""
        return self._pool.ready

    @property
    def labels(self) -> tuple[str, ...]:
        """What it finds, once it is loaded."""
        return self._pool.labels

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """In which it answers."""
        return self._pool.loop

    def begin(self) -> None:
        """Let the hosts start, and do something else meanwhile."""
        self._pool.begin()

    async def start(self) -> None:
        """Wait until the first model is loaded and warm.

        Raises
        ------
        HostError
            When it does not load.
        """
        await self._pool.start()

    async def extract(self, notes: Sequence[str], metadata: Sequence[Mapping[str, str]] = ()) -> Answers:
        """Find the mentions of notes; those that failed are errors in their places.

        Parameters
        ----------
        notes : sequence of str
        metadata : sequence of mapping
            Of each note, for the log; none of any without it.
        """
        pool = self._pool
        answers = await pool.extract(notes)
        if self._log is not None:
            self._log.take(pool.model, pool.labels, notes, answers, metadata or [{}] * len(notes))
        return Answers(pool.model, answers)

    def follow(self, find: Callable[[], Model], seconds: float) -> None:
        """Look up from now on whether another model is to answer; what goes wrong then leaves the one that does.

        Parameters
        ----------
        find : callable
            Returns the model that is to answer; may wait for a server, since it is called in a thread of its own.
        seconds : float
            Between two looks.
        """

        def look() -> None:
            while not self._ended.wait(seconds):
                self._look(find)

        threading.Thread(target=look, name="follow", daemon=True).start()

    def stop(self) -> None:
        """End all hosts, whatever they are doing."""
        self._ended.set()
        for task in self._retiring.values():
            task.cancel()
        for pool in (self._pool, self._next, *self._retiring):
            if pool is not None:
                pool.stop()
        if self._log is not None:
            self._log.close()

    def _look(self, find: Callable[[], Model]) -> None:
        try:
            found = find()
            if found.version != self.model.version:
                self._load(found)
        except Exception as error:
            if self._ended.is_set():  # and what was being fetched is removed
                return
            self._measures.not_followed()
            why = str(error) if isinstance(error, BeHealthyError) else place_of(error)
            said = f"going on with version {self.model.version}: {why}"
            print(f"serve: ALERT: {said}", file=sys.stderr, flush=True)

    def _load(self, model: Model) -> None:
        pool = self._next = self._make(model)
        pool.begin()
        try:
            pool.wait()
            asyncio.run_coroutine_threadsafe(self._exchange(pool), self.loop).result()
        except BaseException:
            pool.stop()
            raise
        finally:
            self._next = None

    async def _exchange(self, pool: HostPool) -> None:
        if self._ended.is_set():
            pool.stop()
            return
        pool.open()
        before, self._pool = self._pool, pool
        self._measures.describe(pool.model.version, pool.model.commit)
        self._retiring[before] = self.loop.create_task(before.retire())
        self._retiring[before].add_done_callback(lambda _: self._retiring.pop(before, None))
        print(f"serve: version {pool.model.version} answers", file=sys.stderr, flush=True)

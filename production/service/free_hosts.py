"""Hosts that nobody asks at the moment, and who waits for one."""

from __future__ import annotations

import asyncio
from collections import deque

from production.inference.host import ModelHost
from production.service.gate import not_loaded


class FreeHosts:
    """Hands hosts to those who wait, in the order in which they came; used in one event loop."""

    def __init__(self) -> None:
        self._hosts: deque[ModelHost] = deque()
        self._waiting: deque[asyncio.Future[ModelHost]] = deque()
        self._gone = False

    def take_all(self) -> list[ModelHost]:
        """Return those that are free, for a look at each; whoever takes them gives them back."""
        hosts = list(self._hosts)
        self._hosts.clear()
        return hosts

    async def get(self) -> ModelHost:
        """Wait for a host.

        Raises
        ------
        RefusalError
            When none is to be expected.
        """
        if self._hosts:
            return self._hosts.popleft()
        if self._gone:
            raise not_loaded()
        waiting: asyncio.Future[ModelHost] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            return await waiting
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled() and waiting.exception() is None:
                self.put(waiting.result())  # it was given just then
            raise

    def put(self, host: ModelHost) -> None:
        """Give a host to who waits longest, or let it be free."""
        if waiting := self._next():
            waiting.set_result(host)
        else:
            self._hosts.append(host)

    def expect(self, *, any_host: bool) -> None:
        """Say whether a host can be expected; where none can, all who wait are refused."""
        self._gone = not any_host
        while self._gone and (waiting := self._next()):
            waiting.set_exception(not_loaded())

    def _next(self) -> asyncio.Future[ModelHost] | None:
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():  # else it was given up
                return waiting
        return None

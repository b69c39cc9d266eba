"""Clients of an HTTP service, as many at a time as wanted; light, for they share the machine with it."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Load:
    """What clients saw.

    Parameters
    ----------
    seconds : float
        That it lasted.
    latencies : list of float
        Seconds of the requests that were answered with 200.
    statuses : Counter
        How many requests had which status; 0 is none.
    """

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        """Requests with status 200 in a second."""
        return len(self.latencies) / self.seconds

    def quantile(self, share: float) -> float:
        """Return the seconds within which a share of the requests with status 200 was answered; NaN of none."""
        ordered = sorted(self.latencies)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else float("nan")


Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Clients:
    """Connections to one port, kept open, that send the same bodies in turns.

    Parameters
    ----------
    port : int
    path : str
    bodies : sequence of bytes
    """

    def __init__(self, port: int, path: str, bodies: Sequence[bytes]) -> None:
        self._port = port
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: "
        self._requests = itertools.cycle([f"{head}{len(body)}\r\n\r\n".encode() + body for body in bodies])
        self._idle: list[Stream] = []
        self.load = Load()

    async def closed(self, clients: int, *, seconds: float = 1e9, requests: int = 10**9) -> Load:
        """Let each client send the next request when its last is answered."""
        started = time.perf_counter()
        left = iter(range(requests))

        async def one() -> None:
            while time.perf_counter() - started < seconds and next(left, None) is not None:
                if await self._ask() == 503:
                    await asyncio.sleep(1)  # as Retry-After says

        await asyncio.gather(*(one() for _ in range(clients)))
        self.load.seconds = time.perf_counter() - started
        return self.load

    async def open(self, rate: float, seconds: float) -> Load:
        """Send requests at a rate, whether others are answered or not."""
        started = time.perf_counter()
        tasks = []
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(started + number / rate - time.perf_counter(), 0))
            tasks.append(asyncio.create_task(self._ask()))
        self.load.seconds = time.perf_counter() - started
        await asyncio.gather(*tasks)
        return self.load

    async def _ask(self) -> int:
        started = time.perf_counter()
        status = 0
        try:
            stream = self._idle.pop() if self._idle else await asyncio.open_connection("127.0.0.1", self._port)
            stream[1].write(next(self._requests))
            async with asyncio.timeout(60):
                status = await _answer(stream[0])
            self._idle.append(stream)
        except (OSError, EOFError, TimeoutError):
            pass
        self.load.statuses[status] += 1
        if status == 200:
            self.load.latencies.append(time.perf_counter() - started)
        return status


async def _answer(reader: asyncio.StreamReader) -> int:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = head.split(b"content-length:")[1].split(b"\r\n")[0]
    await reader.readexactly(int(length))
    return int(head.split(b" ", 2)[1])

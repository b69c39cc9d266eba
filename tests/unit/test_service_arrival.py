"""Headers that are too long, or never whole: what is read of them is bounded, with a token or without."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import uvicorn

from production.service.arrival import HEADER_BYTES, uvicorn_config
from production.service.params import ServiceParams

PARAMS = ServiceParams(
    note_bytes=100, request_bytes=1000, request_notes=3, note_seconds=0.1, request_seconds=0.9, waiting=2
)
HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"
Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def hello(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


def connected(work: Callable[[Client], Awaitable[Any]]) -> Any:
    """Do something with a connection to a server that says hello; a minute is the end of it."""

    async def done() -> Any:
        config = uvicorn_config(hello, PARAMS)
        config.host, config.port = "127.0.0.1", 0
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server._serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        client = await asyncio.open_connection("127.0.0.1", port)
        try:
            async with asyncio.timeout(60):
                return await work(client)
        finally:
            client[1].close()
            server.should_exit = True
            await serving

    return asyncio.run(done())


async def answer(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"hello")


async def heard(reader: asyncio.StreamReader) -> bytes:
    """Return what is said until the connection is closed; it may be reset, since more was sent than is read."""
    said = b""
    with suppress(ConnectionError):
        while piece := await reader.read(1 << 16):
            said += piece
    return said


async def dripped(client: Client, first: bytes = HEAD) -> bytes:
    """Send a header that never ends, a byte at a time; return what was said until the connection was closed."""
    reader, writer = client
    said = asyncio.create_task(heard(reader))
    with suppress(ConnectionError):
        writer.write(first)
        while not said.done():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)
    return await said


def test_a_header_without_end_is_refused_before_much_of_it_is_read() -> None:
    async def work(client: Client) -> tuple[bytes, int]:
        reader, writer = client
        said, sent = asyncio.create_task(reader.read(12)), 0
        writer.write(HEAD + b"X-Long: ")
        with suppress(ConnectionError):
            while not said.done():
                writer.write(b"x" * 4096)
                sent += 4096
                await writer.drain()
                await asyncio.sleep(0.001)
        return await said, sent

    said, sent = connected(work)
    assert said == b"HTTP/1.1 400"
    assert HEADER_BYTES < sent + len(HEAD) < 8 * HEADER_BYTES


def test_a_header_of_usual_length_is_read() -> None:
    async def work(client: Client) -> bytes:
        client[1].write(HEAD + b"X-Long: " + b"x" * 16_000 + b"\r\n\r\n")
        return await answer(client[0])

    assert connected(work).startswith(b"HTTP/1.1 200")


def test_a_header_that_drips_in_is_cut_off() -> None:
    assert connected(dripped) == b""


def test_so_is_one_on_a_connection_that_was_answered_before() -> None:
    async def work(client: Client) -> bytes:
        client[1].write(HEAD + b"\r\n")
        await answer(client[0])
        return await dripped(client)

    assert connected(work) == b""


def test_so_is_one_that_begins_behind_a_whole_request() -> None:
    async def work(client: Client) -> bytes:
        return await dripped(client, HEAD + b"\r\n" + HEAD)

    assert connected(work).count(b"HTTP/1.1 ") == 1


def test_who_says_nothing_is_cut_off() -> None:
    async def work(client: Client) -> bytes:
        return await client[0].read()

    assert connected(work) == b""


def test_a_connection_outlives_the_deadline_of_its_headers() -> None:
    async def work(client: Client) -> list[bytes]:
        answers = []
        for _ in range(3):
            client[1].write(HEAD[:10])
            await asyncio.sleep(0.2)
            client[1].write(HEAD[10:] + b"\r\n")
            answers.append(await answer(client[0]))
        return answers

    assert len(connected(work)) == 3

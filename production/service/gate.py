"""What stands before the application: who may ask, how much, how many at a time, and for how long.

A request is turned away before its body is read where that is possible. What is said then, and what is logged of a
fault, is fixed: nothing of a body comes back or stays anywhere.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sized
from contextlib import suppress
from hmac import compare_digest
from typing import Any

from production.service.measures import Measures
from production.service.params import ServiceParams
from stages.common.command import place_of

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN = ("/health", "/ready", "/ping")
"""What needs no token: it says no more than that there is a service."""

LINGERING = 5.0
"""Seconds that a client may go on to send what nobody reads."""

FAULT = "an unforeseen fault of the service"

REFUSED = "behealthy.refused"
"""In the scope of a request: why a route turned it away, in one word."""

_REASONS = {400: "malformed", 404: "no_path", 405: "method", 500: "note_failed"}
"""Where a route says no more than its status, as MLflow's does."""

HELD = 4
"""Requests of the largest size whose bodies may be in memory at a time."""


class RefusalError(Exception):
    """A request that is turned away.

    Parameters
    ----------
    status : int
    reason : str
        One word, for the metrics.
    problem : str
        What the client reads.
    headers : str
        Further ones of the answer, by name.
    """

    def __init__(self, status: int, reason: str, problem: str, **headers: str) -> None:
        super().__init__(problem)
        self.status, self.reason, self.problem = status, reason, problem
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def not_loaded() -> RefusalError:
    """Return what is said while no process of the model can be asked."""
    return RefusalError(503, "loading", "the model is not loaded: try again", retry_after="5")


def refuse_many(notes: Sized, params: ServiceParams) -> None:
    """Refuse a request of more notes than it may have.

    Raises
    ------
    RefusalError
        Names the bound.
    """
    if len(notes) > params.request_notes:
        raise RefusalError(413, "too_large", f"a request may have {params.request_notes} notes: send fewer at a time")


class Gate:
    """An ASGI application around another one.

    Parameters
    ----------
    app : callable
    params : ServiceParams
    work : tuple of str
        Paths that have notes: only they are limited.
    ready : callable
        Whether notes can be dealt with yet.
    token : str, optional
        That a client must send.
    measures : Measures
    """

    def __init__(
        self,
        app: App,
        params: ServiceParams,
        *,
        work: tuple[str, ...],
        ready: Callable[[], bool],
        token: str | None,
        measures: Measures,
    ) -> None:
        self._app, self._params, self._work, self._ready = app, params, work, ready
        self._expected = None if token is None else f"Bearer {token}".encode()
        self._measures = measures
        self._admitted = self._held = 0
        measures.watch(lambda: self._admitted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, answer = time.perf_counter(), _Answer(send)
        try:
            await self._admit(scope, receive, answer)
        except RefusalError as refusal:
            scope[REFUSED] = refusal.reason
            await answer.refuse(refusal, receive)
        except Exception as error:
            print(f"serve: unforeseen {place_of(error)}", file=sys.stderr, flush=True)
            scope[REFUSED] = "fault"
            await answer.refuse(RefusalError(500, "fault", FAULT), receive)
        self._count_refusal(scope, answer.status)
        path = scope["path"] if scope["path"] in (*self._work, *OPEN, "/version", "/metrics") else "other"
        self._measures.answered(path, answer.status, time.perf_counter() - started)

    def _count_refusal(self, scope: Scope, status: int) -> None:
        """Count a request that was turned away, wherever that was; what probes are told is an answer."""
        if REFUSED in scope:
            self._measures.rejected(scope[REFUSED])
        elif status >= 400 and scope["path"] not in OPEN:
            self._measures.rejected(_REASONS.get(status, "other"))

    async def _admit(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        headers = dict(scope["headers"])
        self._authorise(scope["path"], headers)
        if scope["path"] not in self._work or scope["method"] != "POST":
            await self._app(scope, receive, answer.send)
            return
        if not self._ready():
            raise not_loaded()
        if self._admitted >= self._params.waiting:
            raise RefusalError(503, "overload", "too many requests at a time: try again", retry_after="1")
        self._admitted += 1
        try:
            async with asyncio.timeout(self._params.request_seconds):
                await self._work_on(scope, receive, answer, headers)
        except TimeoutError:
            seconds = self._params.request_seconds
            raise RefusalError(504, "deadline", f"not done within {seconds:g} s: send fewer or shorter notes") from None
        finally:
            self._admitted -= 1

    async def _work_on(self, scope: Scope, receive: Receive, answer: _Answer, headers: dict[bytes, bytes]) -> None:
        body = bytearray()
        try:
            try:
                async with asyncio.timeout(self._params.arrival_seconds):
                    await self._read(receive, headers, body)
            except TimeoutError:
                raise RefusalError(408, "slow", "the request did not arrive in time", connection="close") from None
            await self._app(scope, _replayed(bytes(body), receive), answer.send)
        finally:
            self._held -= len(body)

    def _authorise(self, path: str, headers: dict[bytes, bytes]) -> None:
        if self._expected is None or path in OPEN:
            return
        if not compare_digest(headers.get(b"authorization", b""), self._expected):
            problem = "send the service's token: `Authorization: Bearer …`"
            raise RefusalError(401, "unauthorized", problem, www_authenticate="Bearer")

    async def _read(self, receive: Receive, headers: dict[bytes, bytes], body: bytearray) -> None:
        """Read the body into `body`; a length that the client gives is believed only where it is too large."""
        most = self._params.request_bytes
        length = headers.get(b"content-length", b"")
        problem = f"a request may have {most} bytes: send fewer notes"
        too_large = RefusalError(413, "too_large", problem, connection="close")
        if length.isdigit() and (len(length) > 15 or int(length) > most):
            raise too_large
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise RefusalError(400, "gone", "the client has gone")
            piece = message.get("body", b"")
            body += piece
            self._held += len(piece)
            if len(body) > most:
                raise too_large
            if self._held > HELD * most:
                problem = "too many large requests at a time: try again"
                raise RefusalError(503, "overload", problem, retry_after="5", connection="close")
            more = message.get("more_body", False)


class _Answer:
    """What goes out; knows whether something has."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._begun = False
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begun, self.status = True, message["status"]
        await self._send(message)

    async def refuse(self, refusal: RefusalError, receive: Receive) -> None:
        if self._begun:
            return
        body = json.dumps({"error": refusal.problem}).encode()
        headers = {"content-type": "application/json", "content-length": str(len(body)), **refusal.headers}
        encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
        await self.send({"type": "http.response.start", "status": refusal.status, "headers": encoded})
        await self.send({"type": "http.response.body", "body": body, "more_body": True})
        if "connection" in refusal.headers:
            await _let_finish(receive)
        await self.send({"type": "http.response.body", "body": b""})


async def _let_finish(receive: Receive) -> None:
    """Drop what a client still sends, for a while: cut off in mid-sentence, it would not read why."""
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGERING):
            while (message := await receive()).get("more_body", False):
                del message


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Hand over a body that was read, then whatever comes after it."""
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return left.pop() if left else await receive()

    return replay

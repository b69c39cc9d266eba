"""How requests arrive: their headers are short, and whole before a deadline, or the connection is closed.

Whoever can connect has headers read, before any token is looked at.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from production.service.params import ServiceParams

HEADER_BYTES = 64 * 1024
"""Of a header that has not arrived as a whole."""


def uvicorn_config(application: Any, params: ServiceParams) -> uvicorn.Config:
    """Return how uvicorn serves the application."""

    class Timed(TimedHeaders):
        seconds = params.arrival_seconds

    return uvicorn.Config(
        application, http=Timed, h11_max_incomplete_event_size=HEADER_BYTES, log_level="warning", access_log=False,
        server_header=False, lifespan="on", ws="none", timeout_graceful_shutdown=int(params.request_seconds) + 1,
    )  # fmt: skip


class TimedHeaders(H11Protocol):
    """A connection that is closed where a header takes longer than `seconds` to arrive, however steadily it does."""

    seconds: ClassVar[float]
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Wait for the first header."""
        super().connection_made(transport)
        self._await_header()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Read what has arrived, and see whether it is the beginning of a header only."""
        super().handle_events()
        if self.conn.their_state is not h11.IDLE:
            self._stop_waiting()
        elif self.conn.trailing_data[0]:  # before that, it is uvicorn's keep-alive that waits
            self._await_header()

    def _await_header(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.seconds, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

"""Metrics over HTTP, in threads beside the work: GET /metrics, and nothing else."""

from __future__ import annotations

import hmac
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest

from production.listening import listening, shown

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = 10.0
"""That a client may send nothing, or read nothing."""
_LONGEST = 30.0
"""Seconds from the first letter of a request to the last of the answer; Prometheus gives up before."""
_CLIENTS = 32
"""At a time; one more is turned away."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, *args: Any, **options: Any) -> None:
        self.places = threading.BoundedSemaphore(_CLIENTS)
        super().__init__(*args, **options)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread, where there is place for one."""
        if self.places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Give the place back at the end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that has gone."""


@contextmanager
def answering(registry: CollectorRegistry, host: str, port: int, token: str | None = None) -> Iterator[str]:
    """Answer within the block, which gets host and port.

    Parameters
    ----------
    registry : CollectorRegistry
    host : str
    port : int
        0 is any that is free.
    token : str, optional
        That clients must send.

    Raises
    ------
    BeHealthyError
        When the port is taken.
    """
    with listening(host, port) as listener:
        server = _Server(listener.getsockname()[:2], _handler(registry, token), bind_and_activate=False)
        server.socket.close()
        server.socket = listener
        thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
        thread.start()
        try:
            yield shown(listener)
        finally:
            server.shutdown()
            thread.join()


def _handler(registry: CollectorRegistry, token: str | None) -> type[BaseHTTPRequestHandler]:
    expected = None if token is None else f"Bearer {token}".encode()

    class Handler(BaseHTTPRequestHandler):
        timeout = _SECONDS

        def handle(self) -> None:
            """Answer; a client that sends a letter now and then is not waited for."""
            late = threading.Timer(_LONGEST, self._end)
            late.daemon = True
            late.start()
            try:
                super().handle()
            finally:
                late.cancel()

        def _end(self) -> None:
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

        def do_GET(self) -> None:
            given = self.headers.get("Authorization", "").encode("latin-1")
            if expected is not None and not hmac.compare_digest(given, expected):
                self._answer(401, b"send the token: `Authorization: Bearer ...`\n", **{"WWW-Authenticate": "Bearer"})
            elif self.path.partition("?")[0] != "/metrics":
                self._answer(404, b"ask for /metrics\n")
            else:
                self._answer(200, generate_latest(registry), **{"Content-Type": CONTENT_TYPE})

        def _answer(self, status: int, body: bytes, **headers: str) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": "text/plain", "Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Keep no log of requests."""

    return Handler

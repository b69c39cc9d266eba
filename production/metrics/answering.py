"""Metrics over HTTP, in threads beside the work: GET /metrics, and nothing else."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest

from production.listening import listening, shown

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = 10.0
"""That a client may take to send its request."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

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

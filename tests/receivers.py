"""What messages of the watch reach in tests: a webhook, a mail server, and Airflow as its REST API is documented."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, Any, dict[str, str]]


class _Quiet(BaseHTTPRequestHandler):
    work: Callable[..., Answer]

    def _one(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        status, content, headers = type(self).work(self.command, self.path, self.headers, body)
        text = json.dumps(content).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(text))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = _one  # noqa: N815  # the names of http.server

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


class _QuietServer(ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """Print nothing: who is gone when a slow answer comes is gone, and another test may be running by then."""


@contextmanager
def serving(work: Callable[..., Answer]) -> Iterator[int]:
    """Answer requests on a free port of the loopback; yield the port."""

    class Handler(_Quiet):
        pass

    Handler.work = staticmethod(work)  # type: ignore[assignment]
    server = _QuietServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Webhook:
    """What it was sent, by the id that it drops doubles by; how it answers.

    Parameters
    ----------
    status : int
        Of its answers.
    seconds : float
        That one takes.
    answers : str
        What it says, which may be anything.
    """

    port: int = 0
    status: int = 200
    seconds: float = 0.0
    answers: str = "thanks"
    headers: dict[str, str] = field(default_factory=dict)
    received: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def url(self, secret: str = "") -> str:
        return f"json://{f'user:{secret}@' if secret else ''}127.0.0.1:{self.port}/hook"

    @property
    def kept(self) -> Counter[str]:
        """Count what arrived by id: a receiver keeps one of each."""
        return Counter(message_id for message_id, _ in self.received)

    def _work(self, method: str, path: str, headers: Any, body: bytes) -> Answer:
        time.sleep(self.seconds)
        if self.status < 300:
            content = json.loads(body) if headers["Content-Type"] == "application/json" else {"body": body.decode()}
            self.received.append((headers["Idempotency-Key"], content))
        return self.status, {"says": self.answers}, self.headers


@contextmanager
def webhook(**options: Any) -> Iterator[Webhook]:
    made = Webhook(**options)
    with serving(made._work) as made.port:
        yield made


@dataclass
class Mail:
    """A mail server's post."""

    port: int = 0
    received: list[Message] = field(default_factory=list)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  # of aiosmtpd
        self.received.append(message_from_bytes(envelope.content))
        return "250 OK"

    @property
    def url(self) -> str:
        return f"mailto://127.0.0.1:{self.port}?from=watch@clinic.example&to=ops@clinic.example"


@contextmanager
def mail() -> Iterator[Mail]:
    from aiosmtpd.controller import Controller

    from tests.servers import free_port

    made = Mail(free_port())
    controller = Controller(made, hostname="127.0.0.1", port=made.port)
    controller.start()
    try:
        yield made
    finally:
        controller.stop()


@dataclass
class Airflow:
    """Airflow 3: a token for a user, runs of DAGs by their ids, 409 for the second of an id.

    Parameters
    ----------
    lose : int
        So many answers to POSTs are lost after the run was made.
    """

    port: int = 0
    lose: int = 0
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    away: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _work(self, method: str, path: str, headers: Any, body: bytes) -> Answer:
        self.requests.append(f"{method} {path}")
        if self.away:
            return 302, {}, {"Location": self.away}
        content = json.loads(body or b"{}")
        if path == "/auth/token":
            right = content == {"username": "watch", "password": "hunter2"}
            return (201, {"access_token": "a-token"}, {}) if right else (401, {"detail": "Invalid credentials"}, {})
        if headers["Authorization"] != "Bearer a-token":
            return 401, {"detail": "Not authenticated"}, {}
        if method == "GET":
            found = self.runs.get(path.rpartition("/")[2])
            return (200, found, {}) if found else (404, {"detail": "not found"}, {})
        return self._run(path, content)

    def _run(self, path: str, content: dict[str, Any]) -> Answer:
        if path != "/api/v2/dags/retrain/dagRuns":
            return 404, {"detail": "DAG with dag_id: 'x' not found"}, {}
        if "logical_date" not in content:
            return 422, {"detail": [{"type": "missing", "loc": ["body", "logical_date"]}]}, {}
        if content["dag_run_id"] in self.runs:
            return 409, {"detail": "DagRun exists"}, {}
        self.runs[content["dag_run_id"]] = content
        if self.lose:
            self.lose -= 1
            return 502, {}, {}
        return 200, {"dag_run_id": content["dag_run_id"], "state": "queued"}, {}


@contextmanager
def airflow(**options: Any) -> Iterator[Airflow]:
    made = Airflow(**options)
    with serving(made._work) as made.port:
        yield made
